"""Labelled pairs: whose texts they take, what of them is left out and counted, and how far apart they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fakes import HashingEncoder

from dedup.distance import pair_distances
from dedup.dumps import DumpOptions
from dedup.errors import DumpError
from dedup.labelled import labelled_distances, read_labelled_pairs
from dedup.progress import Silent
from dedup.questions import Metric, Question
from dedup.settings import Settings
from dedup.store import RunKind, Store
from dedup.text import normalise

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
RECORDED = {
    "1": "How do I boil an egg?",
    "3": "How do I boil eggs?",
    "4": "What is the tallest tree in the world?",
    "5": "Which is the tallest tree in the world?",
    "6": "Can cats eat rice?",
}


def record(settings: Settings, source: str = "default") -> None:
    with Store.open(settings.db) as store:
        run = store.start_run(RunKind.RUN, settings.metric, settings.threshold, {})
        store.record_questions(run, [Question(own_id, text, source) for own_id, text in RECORDED.items()])


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], str]:
    def write(name: str, content: str) -> str:
        file = tmp_path / name
        file.write_text(content)
        return str(file)

    return write


def test_a_pair_file_has_its_own_texts_and_its_faults_are_counted(written, settings: Settings) -> None:
    labelled = read_labelled_pairs([written("pairs.csv", PAIRS)], settings, DumpOptions())
    assert labelled.texts == (
        ("How do I boil an egg?", "How do I boil eggs?"),
        ("What is a tree?", "What is the tallest tree?"),
    )
    assert labelled.duplicate.tolist() == [True, False]
    assert (labelled.rejected, labelled.without_text) == (2, 0)


def test_links_take_the_texts_of_recorded_questions_and_those_without_are_counted(written, settings: Settings) -> None:
    record(settings)
    labelled = read_labelled_pairs([written("PostLinks.xml", LINKS)], settings, DumpOptions())
    assert labelled.texts == (
        ("How do I boil eggs?", "How do I boil an egg?"),
        ("What is the tallest tree in the world?", "Which is the tallest tree in the world?"),
    )
    assert labelled.duplicate.tolist() == [True, True]
    assert (labelled.rejected, labelled.without_text) == (1, 2)


def test_several_files_are_counted_together(written, settings: Settings) -> None:
    record(settings)
    files = [written("pairs.csv", PAIRS), written("PostLinks.xml", LINKS)]
    labelled = read_labelled_pairs(files, settings, DumpOptions())
    assert labelled.duplicate.tolist() == [True, False, True, True]
    assert (len(labelled.texts), labelled.rejected, labelled.without_text) == (4, 3, 2)


def test_recorded_questions_are_looked_up_under_their_source(written, settings: Settings) -> None:
    record(settings, source="kitchen")
    file = written("PostLinks.xml", LINKS)
    assert len(read_labelled_pairs([file], settings, DumpOptions(source="kitchen")).texts) == 2
    with pytest.raises(DumpError, match=r"none of the 4 labels in .*PostLinks\.xml has the texts of its questions"):
        read_labelled_pairs([file], settings, DumpOptions(source="garden"))


def test_no_usable_label_says_how_many_rows_are_at_fault(written, settings: Settings) -> None:
    file = written("pairs.csv", "question1,question2,is_duplicate\nWhy?,,1\nWho?,When?,maybe\n")
    message = r"none of the 0 labels in .*pairs\.csv has the texts of its questions, and 2 rows are at fault; give a"
    with pytest.raises(DumpError, match=message):
        read_labelled_pairs([file], settings, DumpOptions())


def test_links_where_nothing_is_recorded(written, settings: Settings) -> None:
    with pytest.raises(DumpError, match=r"the labels have ids only, and their texts cannot be looked up: "):
        read_labelled_pairs([written("PostLinks.xml", LINKS)], settings, DumpOptions())


@pytest.mark.parametrize("metric", Metric)
def test_distances_are_those_of_the_normalised_texts_and_their_vectors_are_kept(
    written, settings: Settings, metric: Metric
) -> None:
    labelled = read_labelled_pairs([written("pairs.csv", PAIRS)], settings, DumpOptions())
    encoder = HashingEncoder(metric=metric)
    distances = labelled_distances(labelled, encoder, settings, Silent())
    vectors = HashingEncoder().encode([normalise(text) for pair in labelled.texts for text in pair])
    places = np.arange(len(vectors))
    np.testing.assert_array_equal(distances, pair_distances(vectors, places[0::2], places[1::2], metric))
    assert len(encoder.encoded) == 4
    np.testing.assert_array_equal(labelled_distances(labelled, encoder, settings, Silent()), distances)
    assert len(encoder.encoded) == 4
