"""Which models are read without torch, and that what is read is what torch reads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dedup.encoders.bert import WORDS, BertShape, read_bert, read_shape
from dedup.encoders.registry import base_folder, find_folder
from dedup.errors import EncoderError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a copy of the base's folder without its weights."""
    copied = tmp_path / "model"
    shutil.copytree(base_folder(), copied, ignore=shutil.ignore_patterns("*.safetensors", ".git*"))
    return copied


def change(file: Path, **fields: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def test_the_base_is_such_a_model() -> None:
    assert read_shape(base_folder()) == BertShape(layers=6, heads=12, epsilon=1e-12, longest=256)


@pytest.mark.parametrize(("longest", "cut"), [(64, 64), (4096, 512), (None, 512)])
def test_a_text_is_cut_where_the_model_or_its_positions_end(folder: Path, longest: int | None, cut: int) -> None:
    change(folder / "sentence_bert_config.json", max_seq_length=longest)
    change(folder / "tokenizer_config.json", model_max_length=512)
    shape = read_shape(folder)
    assert shape is not None
    assert shape.longest == cut


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("config.json", {"model_type": "mpnet"}),
        ("config.json", {"hidden_act": "relu"}),
        ("config.json", {"position_embedding_type": "relative_key"}),
        ("1_Pooling/config.json", {"pooling_mode_max_tokens": True}),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}),
        ("1_Pooling/config.json", {"pooling_mode": "cls"}),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}),
    ],
)
def test_a_model_that_does_something_else_is_left_to_torch(folder: Path, file: str, fields: dict[str, object]) -> None:
    change(folder / file, **fields)
    assert read_shape(folder) is None


@pytest.mark.parametrize("file", ["config.json", "modules.json", "tokenizer.json", "1_Pooling/config.json"])
def test_a_model_that_does_not_describe_itself_in_the_usual_way_is_left_to_torch(folder: Path, file: str) -> None:
    (folder / file).unlink()
    assert read_shape(folder) is None


def test_an_adapter_is_added_as_torch_adds_it() -> None:
    from dedup.encoders.torch_runtime import load_model

    base, adapter = base_folder(), find_folder("dedup-minilm")
    shape = read_shape(base)
    assert shape is not None
    network = read_bert(base, shape, adapter)
    parameters = {**network.parameters, WORDS: network.words}
    expected = {
        name.removeprefix("0.model."): parameter.detach().numpy()
        for name, parameter in load_model(base, adapter).named_parameters()
    }
    assert parameters.keys() == {name for name in expected if not name.startswith("pooler.")}
    for name, parameter in parameters.items():
        np.testing.assert_array_equal(parameter, expected[name])


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    whole = load_file(base_folder() / "model.safetensors")
    save_file({name: tensor for name, tensor in whole.items() if ".layer.5." not in name}, folder / "model.safetensors")
    shape = read_shape(folder)
    assert shape is not None
    with pytest.raises(EncoderError, match=r"model cannot be loaded .* it has no encoder\.layer\.5\."):
        read_bert(folder, shape, None)


def test_an_adapter_of_another_base_is_refused(folder: Path, tmp_path: Path) -> None:
    save_file({"0.model.pooler.dense.bias.delta": np.ones(3, np.float16)}, tmp_path / "adapter.safetensors")
    shape = read_shape(base_folder())
    assert shape is not None
    with pytest.raises(EncoderError, match=r"changes 0\.model\.pooler\.dense\.bias, which its base does not have"):
        read_bert(base_folder(), shape, tmp_path)
