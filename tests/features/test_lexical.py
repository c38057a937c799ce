"""Traits of pairs against a slow reading of their definitions, and the properties that a classifier relies on."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable
from sklearn.feature_extraction.text import TfidfVectorizer

from dedup.features import lexical
from dedup.features.lexical import TRAITS, describe, fit_idf, pair_traits
from dedup.features.words import QuestionWord, is_stop_word, singular, tokens_of
from dedup.text import normalise

TEXTS = (
    "How do I boil an egg?",
    "How do I boil five eggs?",
    "how do I boil 5 eggs",
    "How don't I boil an egg?",
    "Why do I boil an egg?",
    "What is the fastest train from Paris to London?",
    "What is the fastest train from London to Paris?",
    "Can cats eat rice?",
    "Can cats eat rice without salt, and how many grains of it may a small cat eat in a day?",
    "What is it?",
    "Who are you?",
    "?!",
    "日本の首都は何ですか",
    "Is C++ faster than C#?",
    "Is C# faster than C++?",
)

WORDS = ("what", "how", "not", "5", "five", "paris", "london", "eggs", "is", "the", "c++", "?")


def traits_of(left: str, right: str, corpus: Sequence[str] = TEXTS) -> dict[str, float]:
    described = describe([normalise(text) for text in (left, right)])
    idf = fit_idf(describe([normalise(text) for text in corpus]))
    found = pair_traits(TRAITS, described, np.array([0]), described, np.array([1]), idf)
    return {name: float(values[0]) for name, values in found.items()}


def content(text: str) -> set[str]:
    tokens = tokens_of(text)
    kept = [token for token in tokens if not is_stop_word(token)] or tokens
    return {"5" if token == "five" else singular(token) for token in kept}


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("top 5 phones", "top five phones", 0),
        ("top 5 phones", "top 10 phones", 1),
        ("top 5 phones", "top phones", 1),
        ("a year in rome", "one year in rome", 0),
        ("is x^2 > 3", "is x² > three", 0),
        ("3 cats and 4 dogs", "4 cats and 3 dogs", 0),
        ("3 cats and 3 dogs", "3 cats and dogs", 1),
    ],
)
def test_different_numbers(left: str, right: str, expected: int) -> None:
    assert traits_of(left, right)["different_numbers"] == expected


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        ("why do girls approach guys", "why don't girls approach guys", 1),
        ("why won’t it start", "why does it not start", 0),
        ("tea with sugar", "tea without sugar", 1),
        ("is it a non-veg dish", "is it a veg dish", 1),
    ],
)
def test_one_negated(left: str, right: str, expected: int) -> None:
    assert traits_of(left, right)["one_negated"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("what is it", QuestionWord.WHAT),
        ("in india, who is it", QuestionWord.WHO),
        ("is it true what they say", QuestionWord.IS),
        ("how many cats and how much rice", QuestionWord.HOW_MANY),
        ("how much rice", QuestionWord.HOW_MUCH),
        ("how do many cats eat", QuestionWord.HOW),
        ("rice is what", QuestionWord.WHAT),
        ("rice is good", QuestionWord.NONE),
        ("rice, how", QuestionWord.HOW),
        ("", QuestionWord.NONE),
    ],
)
def test_the_question_word_is_the_first_that_asks(text: str, expected: QuestionWord) -> None:
    asks = describe(["many ways", text, "many much", "how"]).asks
    assert asks.tolist() == [QuestionWord.NONE, expected, QuestionWord.NONE, QuestionWord.HOW]


def test_swapped_words_are_noticed_where_everything_else_is_the_same() -> None:
    there, back = "the fastest train from Paris to London", "the fastest train from London to Paris"
    assert (traits_of(there, back)["swapped"], traits_of(there, back)["overlap"]) == (1, 1)
    assert traits_of(there, there)["swapped"] == 0
    assert traits_of("is c++ faster than c#", "is c# faster than c++")["swapped"] == 1
    assert traits_of("paris to london", "london to rome")["swapped"] == 0
    assert traits_of("paris paris london", "paris london london")["swapped"] == 0
    assert traits_of("is paris in london", "what is paris london")["swapped"] == 0


def test_weights_are_those_of_scikit_learn() -> None:
    texts = [normalise(text) for text in TEXTS]
    idf = fit_idf(describe(texts))
    oracle = TfidfVectorizer(analyzer=lambda text: sorted(content(text))).fit(texts)
    for word, column in oracle.vocabulary_.items():
        assert idf.weight[describe([word]).content.columns] == pytest.approx(oracle.idf_[column], rel=1e-12)
    assert idf.weight.max() == idf.largest == pytest.approx(math.log(1 + len(texts)) + 1)


def test_overlap_and_missing_words_against_their_definitions() -> None:
    texts = [normalise(text) for text in TEXTS]
    described = describe(texts)
    idf = fit_idf(described)
    weight = {word: float(idf.weight[describe([word]).content.columns[0]]) for text in texts for word in content(text)}
    left, right = (side.ravel() for side in np.indices((len(texts), len(texts))))
    found = pair_traits(TRAITS, described, left, described, right, idf)
    for at, (one, other) in enumerate(zip(left, right, strict=True)):
        either, both = content(texts[one]) | content(texts[other]), content(texts[one]) & content(texts[other])
        expected = sum(weight[word] for word in both) / sum(weight[word] for word in either)
        assert found["overlap"][at] == pytest.approx(expected, abs=1 / 128 + 1e-12)
        missing = max((weight[word] for word in either - both), default=0.0) / idf.largest
        assert found["rare_word_missing"][at] == pytest.approx(missing, abs=1 / 128 + 1e-12)
        shorter, longer = sorted((len(tokens_of(texts[one])), len(tokens_of(texts[other]))))
        assert found["length"][at] == pytest.approx(math.log(shorter))
        assert found["length_ratio"][at] == pytest.approx(min(math.log(longer / shorter), 2))


@repeatable
@given(
    st.lists(
        st.one_of(
            st.text(max_size=30),
            st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_traits_are_bounded_and_the_same_from_either_side_and_0_between_equal_texts(texts: list[str]) -> None:
    described = describe([normalise(text) for text in texts])
    idf = fit_idf(described)
    left, right = (side.ravel() for side in np.indices((len(texts), len(texts))))
    there, back = (
        pair_traits(TRAITS, described, left, described, right, idf),
        pair_traits(TRAITS, described, right, described, left, idf),
    )
    assert tuple(there) == TRAITS
    most = {"length_ratio": 2.0, "length": math.log(64)}
    for name, values in there.items():
        np.testing.assert_array_equal(values, back[name])
        assert values.dtype == np.float64
        assert ((values >= 0) & (values <= most.get(name, 1.0))).all()
        if name not in ("overlap", "length"):
            assert not values[left == right].any()
    filled = described.tokens[left] > 0
    assert (there["overlap"][(left == right) & filled] == 1).all()


def test_a_few_other_texts_to_weigh_words_by_leave_almost_every_overlap_as_it_is() -> None:
    """Else every night would write all pairs anew."""
    draw = np.random.default_rng(3)
    words = np.array([f"w{number}" for number in range(400)])
    often = 1 / np.arange(1, 401)
    texts = [" ".join(draw.choice(words, size=8, replace=False, p=often / often.sum())) for _ in range(2_000)]
    described = describe(texts)
    before, after = fit_idf(described.take(np.arange(1_980))), fit_idf(described.take(np.arange(20, 2_000)))
    assert (before.weight != after.weight).sum() > 50
    left, right = draw.integers(0, 2_000, size=(2, 5_000))
    (then,), (now,) = (
        pair_traits(["overlap"], described, left, described, right, idf).values() for idf in (before, after)
    )
    assert (then != now).mean() < 0.06
    assert np.abs(then - now).max() <= 1 / 64


def test_a_pair_does_not_depend_on_the_texts_described_or_the_pairs_asked_with_it(monkeypatch) -> None:
    texts = [normalise(text) for text in TEXTS]
    idf = fit_idf(describe(texts))
    together = describe(texts)
    left, right = (side.ravel() for side in np.indices((len(texts), len(texts))))
    at_once = pair_traits(TRAITS, together, left, together, right, idf)
    monkeypatch.setattr("dedup.features.lexical._CHUNK", 7)
    backwards = describe(texts[::-1])
    in_chunks = pair_traits(TRAITS, together, left, backwards, len(texts) - 1 - right, idf)
    for name, values in at_once.items():
        np.testing.assert_array_equal(values, in_chunks[name])


def test_hashes_are_the_same_in_every_process() -> None:
    """What is described today is compared with what is described tomorrow; Python's own hash differs every time."""
    described = describe(["how do i boil 5 eggs"])
    assert described.content.columns.tolist() == [76718, 514370, 758036]
    assert described.numbers.tolist() == [10039658952310757792]
    assert described.bag.tolist() == [3462579501471216755]
    assert described.sequence.tolist() == [10525919516514975942]


@pytest.mark.parametrize("texts", [[], [""], ["", "what"]])
def test_nothing_is_described_and_compared_without_complaint(texts: list[str]) -> None:
    described = describe(texts)
    nothing = np.empty(0, dtype=np.int64)
    idf = fit_idf(described)
    assert len(described) == len(texts)
    assert all(len(values) == 0 for values in pair_traits(TRAITS, described, nothing, described, nothing, idf).values())
    assert idf.largest == pytest.approx(math.log(1 + len(texts)) + 1)


def test_texts_described_in_parts_are_described_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["what is a 5 mm bolt", "", "how do i not learn", "a bolt a bolt", "why", "learn 2 things"]
    whole = describe(texts)
    monkeypatch.setattr(lexical, "_TEXTS", 2)
    parts = describe(texts)
    for name in ("numbers", "negated", "asks", "tokens", "bag", "sequence"):
        assert getattr(parts, name).tolist() == getattr(whole, name).tolist()
    assert parts.content.columns.tolist() == whole.content.columns.tolist()
    assert parts.content.starts.tolist() == whole.content.starts.tolist()


@pytest.mark.parametrize("name", TRAITS)
def test_what_is_not_asked_for_is_not_needed_for_what_is(name: str) -> None:
    texts = [normalise(text) for text in TEXTS]
    left, right = (side.ravel() for side in np.indices((len(texts), len(texts))))
    whole, part = describe(texts), describe(texts, [name])
    idf = fit_idf(whole)
    expected = pair_traits([name], whole, left, whole, right, idf)[name]
    np.testing.assert_array_equal(pair_traits([name], part, left, part, right, idf)[name], expected)
