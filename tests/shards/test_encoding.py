"""Texts are encoded shard by shard; those that no vector can be made of are set aside alone, or named."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import many_questions, write_csv
from engines.pools import Here
from safetensors.numpy import save_file

from dedup.classifier import Classifier, save_classifier
from dedup.encoders import VectorStore, load_encoder
from dedup.engines import Engine
from dedup.errors import EncoderError, ShardFailed
from dedup.pipeline import run
from dedup.progress import Silent
from dedup.questions import NATURAL_PRIOR, Metric
from dedup.settings import OnError, Settings
from dedup.shards import encode_in_shards
from dedup.shards.encoding import MOST_REFUSED
from dedup.text import key_array, key_bytes, text_key

POISON = "vitriol"
WORDS = [
    "?",
    "how",
    "do",
    "i",
    "what",
    "is",
    "the",
    "best",
    "way",
    "to",
    "boil",
    "paint",
    "sell",
    "egg",
    "house",
    POISON,
]


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory) -> Path:
    """A model in which one word has a vector of no length: every text with it fails, however often it is tried."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    folder = tmp_path_factory.mktemp("poisoned")
    tokenizer = Tokenizer(WordLevel({word: at for at, word in enumerate(["[UNK]", *WORDS])}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    vectors = np.random.default_rng(3).normal(size=(len(WORDS) + 1, 16)).astype(np.float32)
    vectors[1 + WORDS.index(POISON)] = np.nan
    save_file({"embedding.weight": vectors}, folder / "model.safetensors")
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.StaticEmbedding"}]
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    return folder


def encode(folder: Path, model: Path, texts: list[str], **how):
    by_key = {text_key(text): text for text in texts}
    keys = key_array(sorted(by_key))
    encoder = load_encoder(str(model), Metric.EUCLIDEAN)
    store = VectorStore(folder / "vectors", encoder.fingerprint)
    settings = replace(Settings(indexes=folder, shard_size=50), **how)

    def texts_of(some):
        yield key_bytes(some), [by_key[key] for key in key_bytes(some)]

    done = encode_in_shards(encoder, store, keys, texts_of, settings, Engine(Here(2)), Silent())
    return done, keys, encoder, store


def texts(count: int) -> list[str]:
    return [f"how do i {WORDS[at % 13]} the {WORDS[at % 11]} number {at}" for at in range(count)]


def test_a_text_that_always_fails_is_set_aside_alone(poisoned, tmp_path):
    bad = [f"what is {POISON}", f"the best {POISON} house"]
    done, keys, encoder, store = encode(tmp_path, poisoned, [*texts(300), *bad])
    assert done.count == 300
    assert sorted(refused.text for refused in done.refused) == sorted(bad)
    assert all("no direction" in refused.reason for refused in done.refused)
    assert sorted(key_bytes(store.missing(keys))) == sorted(text_key(text) for text in bad)
    assert np.array_equal(store.gather(keys_of(texts(300))), encoder.encode(by_key_order(texts(300))))
    assert not any((tmp_path / "work").rglob("*.arrow"))


def keys_of(some: list[str]):
    return key_array(sorted(map(text_key, some)))


def by_key_order(some: list[str]) -> list[str]:
    return sorted(some, key=text_key)


def test_with_stop_it_is_named_and_what_was_encoded_is_kept(poisoned, tmp_path):
    bad = f"what is {POISON}"
    with pytest.raises(ShardFailed, match=rf"encoding '{bad}' failed once: .*no direction.*--on-error reject sets"):
        encode(tmp_path, poisoned, [*texts(300), bad], on_error=OnError.STOP)
    assert any((tmp_path / "work").rglob("*-encoded.arrow"))


def test_where_nothing_can_be_encoded_it_is_not_the_texts(poisoned, tmp_path):
    bad = [f"{POISON} {at}" for at in range(2 * MOST_REFUSED)]
    with pytest.raises(ShardFailed, match=rf"{MOST_REFUSED} texts failed alone before"):
        encode(tmp_path, poisoned, bad)


def test_a_model_that_is_not_there_sets_no_text_aside(poisoned, tmp_path, monkeypatch):
    def gone(*_, **__):
        raise EncoderError("there is no such model")

    monkeypatch.setattr("dedup.shards.encoding._encoder", gone)
    with pytest.raises(ShardFailed, match=r"failed once: there is no such model"):
        encode(tmp_path, poisoned, texts(60))


def test_a_run_counts_it_as_rejected_and_ends_as_without_it(poisoned, tmp_path):
    encoder = load_encoder(str(poisoned), Metric.EUCLIDEAN)
    fit = {"pairs": "made up"}
    rows = [*many_questions(200), ("bad", f"What is {POISON}?", 1), ("copy", f"what is {POISON}", 2)]
    recorded = []
    for name, given in (("with", rows), ("without", rows[:-2])):
        folder = tmp_path / name
        settings = Settings(
            db=f"sqlite:///{folder}.db",
            indexes=folder / "indexes",
            reports=folder / "reports",
            encoder=str(poisoned),
            workers=1 if name == "with" else 0,
            shard_size=64,
        )
        made = Classifier(encoder.name, encoder.fingerprint, Metric.EUCLIDEAN, 8.0, -2.0, (), NATURAL_PRIOR, fit)
        save_classifier(made, settings.indexes)
        result = run([write_csv(tmp_path / f"{name}.csv", given)], settings)
        recorded.append((result.questions, result.summary.candidate_pairs, result.summary.clusters))
        if name == "without":
            assert result.summary.rejected == 0
            continue
        assert (result.summary.read, result.summary.rejected, result.ingested.added) == (202, 2, 200)
        assert result.ingested.rejects_file is not None
        with result.ingested.rejects_file.open(newline="", encoding="utf-8") as stream:
            kept = list(csv.DictReader(stream))
        assert {row["excerpt"] for row in kept} == {f"bad: What is {POISON}?", f"copy: what is {POISON}"}
        assert {row["reason"] for row in kept} == {"the encoder makes no vector of it"}
    assert recorded[0] == recorded[1]
