"""semhash end to end: `SemHash.from_records(...).self_deduplicate()`, with its own defaults.

Its default encoder (potion-base-8M, a static one of 256 dimensions) lies on a model hub. In its place stands another
static one of 256 dimensions, of 32,000 tokens, that the package wordllama carries, run by the library that semhash runs
its own by (model2vec): the same work a question.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from model2vec import StaticModel
from safetensors.numpy import load_file
from semhash import SemHash
from tokenizers import Tokenizer

from benchmarks.competitors.script import given, say, write_clusters
from benchmarks.corpora import read_corpus
from dedup.progress import Silent, Stopwatch


def main() -> None:
    asked, watch = given(), Stopwatch(Silent())
    with watch.stage("read", "questions"):
        ids, texts = read_corpus(asked.read)
        records = [{"id": own, "text": text} for own, text in zip(ids, texts, strict=True)]
    with watch.stage("load", "encoders"):
        model = static_model()
    with watch.stage("encode and index", "questions"):
        semhash = SemHash.from_records(records, columns=["text"], model=model)
    with watch.stage("join", "vectors"):
        result = semhash.self_deduplicate()
    with watch.stage("write", "questions"):
        selected = [*result.selected, *(duplicate.record for duplicate in result.filtered)]
        canonical = {duplicate.record["id"]: duplicate.duplicate_of["id"] for duplicate in result.filtered}
        write_clusters((each["id"], each["text"], int(canonical.get(each["id"], each["id"]))) for each in selected)
    say(watch.seconds, duplicates=len(result.filtered), clusters=len(set(canonical.values())))


def static_model() -> StaticModel:
    """Return the 256-dimensional model that the package wordllama carries; wordllama itself is not imported."""
    spec = find_spec("wordllama")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    vectors = load_file(package / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(package / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return StaticModel(vectors.astype(np.float32), tokenizer, normalize=True)


if __name__ == "__main__":
    main()
