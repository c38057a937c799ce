"""However a corpus is cut up and whoever works on it, its pairs, probabilities and clusters are the same to the bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from corpora import fake_classifier, made_up_features, many_questions
from fakes import HashingEncoder

from dedup.classifier import Classifier, load_classifier
from dedup.encoders import load_encoder
from dedup.engines import Engine, opened_engine
from dedup.features import background_of, describe_questions
from dedup.finding import MARGIN, Found, find_duplicates
from dedup.matching import Matcher
from dedup.progress import Silent
from dedup.questions import Float32, Keys, Metric
from dedup.reference import REFERENCE_SIZE, nearest_reference
from dedup.settings import FAST_ENCODER, EngineKind, Settings
from dedup.shards import ShardedCorpus, compare_in_shards
from dedup.text import key_array, key_bytes, normalise, text_key

REAL = Path(__file__).resolve().parents[1] / "../shared/data/scale/questions_641k.parquet"
QUESTIONS, MADE_UP = 20_000, 1_500

# Ray leaves sockets of its own open when it ends, and warns of what it will change one day.
pytestmark = [
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::FutureWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
    ),
    pytest.mark.slow,
]

# How many workers, on shards of how many rows.
CUTS = [(1, 30_000), (2, 8_192), (7, 3_000)]


@dataclass(frozen=True)
class Corpus:
    """Distinct texts in the order of their keys, their vectors, and what judges them."""

    texts: list[str]
    keys: Keys
    vectors: Float32
    classifier: Classifier
    settings: Settings

    @cached_property
    def in_one_piece(self) -> str:
        metric, names = self.classifier.metric, self.classifier.feature_names
        background = background_of(self.keys, self.vectors, self.texts)
        near = nearest_reference(self.vectors, self.vectors[:REFERENCE_SIZE])
        described = describe_questions(names, background, self.keys, self.vectors, self.texts, metric, near)
        return digest(find_duplicates(Matcher(self.vectors, described, self.classifier), near, self.settings, Silent()))

    def in_shards(self, engine: Engine, folder: Path, shard_size: int) -> str:
        texts = dict(zip(key_bytes(self.keys), self.texts, strict=True))
        compared = compare_in_shards(
            ShardedCorpus(self.keys, self.vectors, lambda keys: [texts[key] for key in key_bytes(keys)]),
            self.classifier,
            replace(self.settings, indexes=folder, shard_size=shard_size),
            margin=MARGIN,
            in_cells=True,
            engine=engine,
            progress=Silent(),
        )
        matcher = Matcher(self.vectors, compared.described, self.classifier)
        return digest(find_duplicates(matcher, None, self.settings, Silent(), compared=compared))


def digest(found: Found) -> str:
    """Return the SHA-256 over the pairs, their distances and probabilities, and the clusters."""
    assert len(found.pairs) > 100
    pairs, clusters = found.pairs, found.clusters
    of = hashlib.sha256()
    for column in (pairs.left, pairs.right, pairs.distance, found.probability, clusters.label, clusters.weakest):
        of.update(np.ascontiguousarray(column).tobytes())
    return of.hexdigest()


@cache
def made_up(metric: Metric) -> Corpus:
    texts, keys = distinct([text for _, text, _ in many_questions(MADE_UP)])
    encoder = HashingEncoder(metric=metric)
    classifier = fake_classifier(metric, encoder, made_up_features(metric))
    settings = Settings(candidate_floor=0.7, threshold=0.8, recall_floor=0.5)
    return Corpus(texts, keys, encoder.encode(texts), classifier, settings)


@cache
def real(metric: Metric) -> Corpus:
    every = pq.read_table(REAL, columns=["text"])["text"]
    chosen = np.random.default_rng(641).permutation(len(every))[:QUESTIONS]
    texts, keys = distinct(every.take(np.sort(chosen)).to_pylist())
    encoder = load_encoder(FAST_ENCODER, metric)
    classifier = load_classifier(Path("nowhere"), encoder.name, encoder.fingerprint, metric)
    return Corpus(texts, keys, encoder.encode(texts), classifier, Settings(recall_floor=0.9))


def distinct(texts: list[str]) -> tuple[list[str], Keys]:
    by_key = {text_key(text): normalise(text) for text in texts}
    keys = sorted(by_key)
    return [by_key[key] for key in keys], key_array(keys)


@pytest.fixture(params=["made up", "real"], scope="module")
def corpus_in(request) -> Callable[[Metric], Corpus]:
    if request.param == "made up":
        return made_up
    if not REAL.is_file():
        pytest.skip("needs real questions, which lie beside the repository (../shared/data)")
    return real


@pytest.fixture(scope="module")
def processes() -> Iterator[Callable[[int], Engine]]:
    with ExitStack() as stack:
        yield cache(lambda count: stack.enter_context(opened_engine(Settings(workers=count))))


@pytest.fixture(scope="module")
def ray() -> Iterator[Engine]:
    pytest.importorskip("ray", reason="Ray is not installed", exc_type=ImportError)
    with opened_engine(Settings(engine=EngineKind.RAY, workers=2)) as engine:
        yield engine


@pytest.mark.parametrize("metric", list(Metric))
def test_by_processes_as_in_one_piece(corpus_in, processes, metric, tmp_path):
    corpus = corpus_in(metric)
    for workers, shard_size in CUTS:
        assert corpus.in_shards(processes(workers), tmp_path, shard_size) == corpus.in_one_piece, (workers, shard_size)


@pytest.mark.parametrize("metric", list(Metric))
def test_by_ray_as_in_one_piece(corpus_in, ray, metric, tmp_path):
    corpus = corpus_in(metric)
    assert corpus.in_shards(ray, tmp_path, 5_000) == corpus.in_one_piece
