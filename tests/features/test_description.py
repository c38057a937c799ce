"""Questions and pairs are described by what is asked for, and by nothing else."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from corpora import many_questions
from fakes import HashingEncoder

from dedup.features import (
    CROWDING,
    FEATURES,
    background_of,
    describe_questions,
    needs_texts,
    pair_features,
)
from dedup.features.lexical import TRAITS, describe, fit_idf, pair_traits
from dedup.features.surroundings import FEWEST, choose_reference, crowding
from dedup.questions import Float32, Keys, Metric
from dedup.reference import REFERENCE_SIZE
from dedup.text import key_array, normalise, text_key

Corpus = tuple[list[str], Keys, Float32]


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    texts = sorted((normalise(text) for _, text, _ in many_questions(FEWEST + 40)), key=text_key)
    return texts, key_array(text_key(text) for text in texts), HashingEncoder().encode(texts)


@pytest.mark.parametrize("metric", list(Metric))
def test_each_feature_is_that_of_its_own_room(corpus: Corpus, metric: Metric) -> None:
    texts, keys, vectors = corpus
    described = describe_questions(FEATURES, background_of(keys, vectors, texts), keys, vectors, texts, metric)
    left, right = np.array(list(combinations(range(0, len(texts), 60), 2))).T
    found = pair_features(FEATURES, described, left, described, right)
    assert list(found) == list(FEATURES)
    crowded = crowding(keys, vectors, choose_reference(keys, vectors), metric)
    np.testing.assert_allclose(found[CROWDING], (crowded[left].astype(float) + crowded[right]) / 2, rtol=1e-12)
    traits = describe(texts)
    expected = pair_traits(TRAITS, traits, left, traits, right, fit_idf(traits))
    for name in TRAITS:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)


def test_a_pair_is_the_same_whichever_side_is_left(corpus: Corpus) -> None:
    texts, keys, vectors = corpus
    background = background_of(keys, vectors, texts)
    some = slice(0, 50)
    every = describe_questions(FEATURES, background, keys, vectors, texts, Metric.EUCLIDEAN)
    few = describe_questions(FEATURES, background, keys[some], vectors[some], texts[some], Metric.EUCLIDEAN)
    left, right = np.arange(50), np.arange(1200, 1250)
    one, other = pair_features(FEATURES, few, left, every, right), pair_features(FEATURES, every, right, few, left)
    for name in FEATURES:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize("asked", [(), (CROWDING,), ("swapped",), ("length", "overlap"), (CROWDING, "length_ratio")])
def test_only_what_is_asked_for_is_computed(corpus: Corpus, asked: tuple[str, ...]) -> None:
    texts, keys, vectors = corpus
    given = texts if needs_texts(asked) else None
    described = describe_questions(asked, background_of(keys, vectors, given), keys, vectors, given, Metric.EUCLIDEAN)
    assert (described.crowding is not None, described.traits is not None) == (CROWDING in asked, needs_texts(asked))
    found = pair_features(asked, described, np.array([0]), described, np.array([1]))
    assert set(found) == set(asked)


@pytest.mark.parametrize(
    ("asked", "needed"), [((), False), ((CROWDING,), False), *(((trait,), True) for trait in TRAITS), (FEATURES, True)]
)
def test_texts_are_needed_for_what_is_read_off_them(asked: tuple[str, ...], needed: bool) -> None:
    assert needs_texts(asked) is needed


def test_the_background_is_a_sample_that_does_not_grow_with_the_corpus() -> None:
    texts = sorted((normalise(text) for _, text, _ in many_questions(REFERENCE_SIZE + 60)), key=text_key)
    keys, vectors = key_array(text_key(text) for text in texts), HashingEncoder(dimension=8).encode(texts)
    whole = background_of(keys, vectors, texts)
    first = slice(0, REFERENCE_SIZE)
    sample = background_of(keys[first], vectors[first], texts[first])
    np.testing.assert_array_equal(whole.reference.keys, sample.reference.keys)
    np.testing.assert_array_equal(whole.reference.vectors, sample.reference.vectors)
    assert whole.idf is not None
    assert sample.idf is not None
    np.testing.assert_array_equal(whole.idf.weight, sample.idf.weight)
