"""The bag of token vectors against sentence-transformers' own, and files that hold none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from dedup.encoders import load_encoder
from dedup.errors import EncoderError
from dedup.questions import Metric

WORDS = ["how", "do", "i", "what", "is", "the", "boil", "paint", "egg", "horse", "kettle", "?", "a"]
TEXTS = ["how do i boil an egg?", "what is a horse", "kettle kettle egg", "how " * 400, "zebra", "a", ""]


def save(folder: Path, *, kind: str) -> Path:
    """Save a static model as sentence-transformers does; ``kind`` "int8" with its vectors rounded to whole numbers."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding

    vocabulary = {word: place for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="a"))  # the "unknown" of a word that it lacks
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=20)
    vectors = np.random.default_rng(1).normal(size=(len(WORDS), 24)).astype(np.float32)
    module = StaticEmbedding(tokenizer, embedding_weights=vectors)
    SentenceTransformer(modules=[module, Normalize()], device="cpu").save_pretrained(
        str(folder), create_model_card=False
    )
    (weights,) = folder.rglob("*.safetensors")
    if kind == "int8":
        scale = np.abs(vectors).max(axis=1) / 127
        whole = np.rint(vectors / scale[:, None]).astype(np.int8)
        save_file({"embeddings": whole, "weights": scale.astype(np.float32)}, weights)
    return folder


def theirs(folder: Path, texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False))


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_vectors_are_those_of_sentence_transformers(tmp_path: Path, kind: str) -> None:
    folder = save(tmp_path / "static", kind=kind)
    encoder = load_encoder(str(folder), Metric.MANHATTAN)
    texts = [text for text in TEXTS if text]
    found = encoder.encode(texts)
    np.testing.assert_allclose(found, theirs(folder, texts), atol=5e-6)
    assert (encoder.dimension, encoder.metric, found.dtype) == (24, Metric.MANHATTAN, np.float32)
    assert len(np.unique(found.round(4), axis=0)) >= 4


def test_whole_numbers_and_a_scale_for_each_token_are_nearly_the_same_vectors(tmp_path: Path) -> None:
    whole, plain = (
        load_encoder(str(save(tmp_path / kind, kind=kind)), Metric.EUCLIDEAN).encode(TEXTS)
        for kind in ("int8", "float")
    )
    assert np.linalg.norm(whole - plain, axis=1).max() < 0.02


def test_a_vector_is_exactly_the_same_whatever_else_is_in_the_call(tmp_path: Path) -> None:
    encoder = load_encoder(str(save(tmp_path / "static", kind="float")), Metric.EUCLIDEAN)
    together = encoder.encode(TEXTS)
    np.testing.assert_array_equal(encoder.encode(TEXTS[::-1])[::-1], together)
    for text, vector in zip(TEXTS, together, strict=True):
        np.testing.assert_array_equal(encoder.encode([text])[0], vector)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=5e-6)


def test_a_text_without_a_token_has_the_mean_of_all_of_them(tmp_path: Path) -> None:
    folder = save(tmp_path / "static", kind="float")
    (weights,) = folder.rglob("*.safetensors")
    mean = load_file(weights)["embedding.weight"].mean(axis=0)
    encoder = load_encoder(str(folder), Metric.EUCLIDEAN)
    np.testing.assert_allclose(encoder.encode([""])[0], mean / np.linalg.norm(mean), atol=5e-6)
    assert encoder.encode([]).shape == (0, 24)


@pytest.mark.parametrize(
    "tensors",
    [
        {"embeddings": np.ones((4, 2), np.int8)},
        {"embeddings": np.ones((4, 2), np.int8), "weights": np.ones(3, np.float32)},
        {"embeddings": np.ones((2, 2), np.int8), "weights": np.ones(4, np.float32), "mapping": np.zeros(4, np.int64)},
        {"other": np.ones(3, np.float32)},
        None,
    ],
)
def test_a_file_of_other_tensors_is_refused_by_name(tmp_path: Path, tensors: dict[str, np.ndarray] | None) -> None:
    folder = save(tmp_path / "static", kind="float")
    (weights,) = folder.rglob("*.safetensors")
    weights.write_bytes(b"not weights") if tensors is None else save_file(tensors, weights)
    with pytest.raises(EncoderError, match=r"model\.safetensors does not hold token vectors .*save the model again"):
        load_encoder(str(folder), Metric.EUCLIDEAN).encode(["why"])


def test_a_damaged_tokenizer_is_refused_by_name(tmp_path: Path) -> None:
    folder = save(tmp_path / "static", kind="float")
    (tokenizer,) = folder.rglob("tokenizer.json")
    tokenizer.write_text("{}")
    with pytest.raises(EncoderError, match=r"tokenizer\.json is not a tokenizer: "):
        load_encoder(str(folder), Metric.EUCLIDEAN).encode(["why"])


@pytest.mark.parametrize("modules", ["{", "3", '[{"kind": "x"}]'])
def test_a_damaged_list_of_modules_is_refused_by_name(tmp_path: Path, modules: str) -> None:
    folder = save(tmp_path / "static", kind="float")
    (folder / "modules.json").write_text(modules)
    with pytest.raises(EncoderError, match=r"modules\.json is not a list of modules"):
        load_encoder(str(folder), Metric.EUCLIDEAN)


def test_a_static_model_with_a_layer_behind_it_is_left_to_sentence_transformers(tmp_path: Path) -> None:
    folder = save(tmp_path / "static", kind="float")
    listed = json.loads((folder / "modules.json").read_text())
    listed.insert(1, {**listed[-1], "idx": 1, "name": "1", "type": "sentence_transformers.models.Dense"})
    (folder / "modules.json").write_text(json.dumps(listed))
    assert type(load_encoder(str(folder), Metric.EUCLIDEAN)).__name__ == "TransformerEncoder"


@pytest.mark.parametrize("kind", ["float", "int8"])
def test_few_texts_have_the_very_vectors_that_they_have_among_many(tmp_path: Path, kind: str) -> None:
    encoder = load_encoder(str(save(tmp_path / "static", kind=kind)), Metric.MANHATTAN)
    together = encoder.encode(TEXTS * 20)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert np.array_equal(together, np.tile(alone, (20, 1)))
