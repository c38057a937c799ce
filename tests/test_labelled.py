"""Labelled pairs: whose texts they take, what of them is left out and counted, and how far apart they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import many_questions
from fakes import HashingEncoder

from dedup.distance import pair_distances
from dedup.errors import DumpError, StoreError
from dedup.features import FEATURES, background_of, describe_questions, pair_features
from dedup.features.surroundings import FEWEST
from dedup.labelled import RECORDED, LabelledPairs, measure_pairs, pair_components, read_labelled_pairs
from dedup.progress import Silent
from dedup.questions import Label, Metric, Question
from dedup.settings import Settings
from dedup.store import RunKind, Store
from dedup.text import key_array, normalise, text_key

PAIRS = """\
question1,question2,is_duplicate
How do I boil an egg?,How do I boil eggs?,1
Can cats eat rice?,,1
What is a tree?,What is the tallest tree?,0
Who?,When?,maybe
"""

LINKS = """\
<postlinks>
<row PostId="3" RelatedPostId="1" LinkTypeId="3"/>
<row PostId="5" RelatedPostId="404" LinkTypeId="3"/>
<row PostId="6" RelatedPostId="1" LinkTypeId="1"/>
<row PostId="5" LinkTypeId="3"/>
<row PostId="405" RelatedPostId="406" LinkTypeId="3"/>
<row PostId="4" RelatedPostId="5" LinkTypeId="3"/>
</postlinks>
"""
RECORDED_TEXTS = {
    "1": "How do I boil an egg?",
    "3": "How do I boil eggs?",
    "4": "What is the tallest tree in the world?",
    "5": "Which is the tallest tree in the world?",
    "6": "Can cats eat rice?",
}


def record(settings: Settings, source: str = "default") -> None:
    with Store.open(settings.db) as store:
        run = store.start_run(RunKind.RUN, settings.metric, settings.threshold, {})
        store.record_questions(run, [Question(own_id, text, source) for own_id, text in RECORDED_TEXTS.items()])


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], str]:
    def write(name: str, content: str) -> str:
        file = tmp_path / name
        file.write_text(content)
        return str(file)

    return write


def test_a_pair_file_has_its_own_texts_and_its_faults_are_counted(written, settings: Settings) -> None:
    labelled = read_labelled_pairs([written("pairs.csv", PAIRS)], settings)
    assert labelled.texts == (
        ("How do I boil an egg?", "How do I boil eggs?"),
        ("What is a tree?", "What is the tallest tree?"),
    )
    assert labelled.duplicate.tolist() == [True, False]
    assert (labelled.rejected, labelled.without_text) == (2, 0)


def test_links_take_the_texts_of_recorded_questions_and_those_without_are_counted(written, settings: Settings) -> None:
    record(settings)
    labelled = read_labelled_pairs([written("PostLinks.xml", LINKS)], settings)
    assert labelled.texts == (
        ("How do I boil eggs?", "How do I boil an egg?"),
        ("What is the tallest tree in the world?", "Which is the tallest tree in the world?"),
    )
    assert labelled.duplicate.tolist() == [True, True]
    assert (labelled.rejected, labelled.without_text) == (1, 2)


def test_several_files_are_counted_together(written, settings: Settings) -> None:
    record(settings)
    files = [written("pairs.csv", PAIRS), written("PostLinks.xml", LINKS)]
    labelled = read_labelled_pairs(files, settings)
    assert labelled.duplicate.tolist() == [True, False, True, True]
    assert (len(labelled.texts), labelled.rejected, labelled.without_text) == (4, 3, 2)


def test_recorded_questions_are_looked_up_under_their_source(written, settings: Settings) -> None:
    record(settings, source="kitchen")
    file = written("PostLinks.xml", LINKS)
    assert len(read_labelled_pairs([file], replace(settings, source="kitchen")).texts) == 2
    with pytest.raises(DumpError, match=r"none of the 4 labels in .*PostLinks\.xml has the texts of its questions"):
        read_labelled_pairs([file], replace(settings, source="garden"))


def test_no_usable_label_says_how_many_rows_are_at_fault(written, settings: Settings) -> None:
    file = written("pairs.csv", "question1,question2,is_duplicate\nWhy?,,1\nWho?,When?,maybe\n")
    message = r"none of the 0 labels in .*pairs\.csv has the texts of its questions, and 2 rows are at fault; give a"
    with pytest.raises(DumpError, match=message):
        read_labelled_pairs([file], settings)


def test_links_where_nothing_is_recorded(written, settings: Settings) -> None:
    with pytest.raises(DumpError, match=r"the labels have ids only, and their texts cannot be looked up: "):
        read_labelled_pairs([written("PostLinks.xml", LINKS)], settings)


@pytest.mark.parametrize("metric", Metric)
def test_distances_are_those_of_the_normalised_texts_and_their_vectors_are_kept(
    written, settings: Settings, metric: Metric
) -> None:
    labelled = read_labelled_pairs([written("pairs.csv", PAIRS)], settings)
    encoder = HashingEncoder(metric=metric)
    measured = measure_pairs(labelled, encoder, (), settings, Silent())
    vectors = HashingEncoder().encode([normalise(text) for pair in labelled.texts for text in pair])
    places = np.arange(len(vectors))
    np.testing.assert_array_equal(measured.distance, pair_distances(vectors, places[0::2], places[1::2], metric))
    assert measured.features == {}
    assert len(encoder.encoded) == 4
    again = measure_pairs(labelled, encoder, (), settings, Silent())
    np.testing.assert_array_equal(again.distance, measured.distance)
    assert len(encoder.encoded) == 4


@pytest.mark.parametrize("metric", Metric)
def test_features_are_those_of_the_pairs_in_the_corpus_of_their_own_questions(
    settings: Settings, metric: Metric
) -> None:
    swapped = ["Can one hide 3 eggs and sell a lamp?", "Can one sell 3 eggs and hide a lamp?"]
    texts = [*swapped, *(text for _, text, _ in many_questions(FEWEST + 91))]
    pairs = (*zip(texts[0::2], texts[1::2], strict=True), (texts[3], texts[0]), (texts[0].upper(), texts[5]))
    labelled = LabelledPairs(pairs, np.arange(len(pairs)) % 2 == 0, 0, 0)
    encoder = HashingEncoder(metric=metric)
    measured = measure_pairs(labelled, encoder, FEATURES, settings, Silent())

    corpus = sorted((normalise(text) for text in texts), key=text_key)
    keys, vectors = key_array(text_key(text) for text in corpus), encoder.encode(corpus)
    background = background_of(keys, vectors, corpus)
    described = describe_questions(FEATURES, background, keys, vectors, corpus, metric)
    left, right = (np.array([corpus.index(normalise(pair[side])) for pair in pairs]) for side in (0, 1))
    expected = pair_features(FEATURES, described, left, described, right)
    assert set(measured.features) == set(expected) == set(FEATURES)
    for name, values in expected.items():
        np.testing.assert_allclose(measured.features[name], values, rtol=1e-6, err_msg=name)
        assert len(np.unique(values)) > 1, name
    np.testing.assert_array_equal(measured.distance, pair_distances(vectors, left, right, metric))


def test_surroundings_are_not_known_where_the_labels_are_of_few_questions(written, settings: Settings) -> None:
    labelled = read_labelled_pairs([written("pairs.csv", PAIRS)], settings)
    measured = measure_pairs(labelled, HashingEncoder(), ("crowding", "swapped"), settings, Silent())
    assert np.isnan(measured.features["crowding"]).all()
    assert measured.features["swapped"].tolist() == [0.0, 0.0]


def test_pairs_that_share_questions_directly_or_through_others_are_one_component(
    caplog: pytest.LogCaptureFixture,
) -> None:
    chained = [("Why?", "Who?"), ("a", "b"), ("WHO", "When?"), ("c", "d"), ("when", "Where?"), ("d", "e")]
    lone = [(f"left {n}", f"right {n}") for n in range(8)]
    texts = (*chained, *lone)
    component = pair_components(LabelledPairs(texts, np.ones(len(texts), dtype=bool), 0, 0))
    assert component[0] == component[2] == component[4]  # by their text keys
    assert component[3] == component[5]
    assert len(set(component.tolist())) == len(texts) - 3
    assert not caplog.records
    pair_components(LabelledPairs(tuple(chained), np.ones(6, dtype=bool), 0, 0))
    assert "50% of the labelled pairs hang together" in caplog.text


def test_recorded_stands_for_the_labels_in_the_database(written, settings: Settings) -> None:
    record(settings)
    with Store.open(settings.db) as store:
        run = store.start_run(RunKind.RUN, settings.metric, settings.threshold, {})
        store.record_labels(run, "PostLinks.xml", [Label("3", "1", True), Label("1", "404", True)])
        store.record_labels(run, "pairs.csv", [Label("a", "b", False, "forum", "Why?", "Who?")])
    labelled = read_labelled_pairs([RECORDED, written("pairs.csv", PAIRS)], settings)
    assert labelled.texts[:2] == ((RECORDED_TEXTS["1"], RECORDED_TEXTS["3"]), ("Why?", "Who?"))
    assert labelled.duplicate.tolist() == [True, False, True, False]
    assert (labelled.rejected, labelled.without_text) == (2, 1)


def test_recorded_where_nothing_is_recorded(settings: Settings) -> None:
    with pytest.raises(StoreError, match="nothing recorded yet"):
        read_labelled_pairs([RECORDED], settings)
