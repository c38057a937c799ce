from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import Connection

from dedup.errors import StoreError
from dedup.questions import Label, Metric, Question, question_key
from dedup.store import RunKind, Store
from dedup.store.revision import corpus_revision
from dedup.text import key_array, key_bytes, normalise, text_key

TEXTS = ["Why?", "why", "How do I sort a list?", "how do I  sort a LIST", "When", "&lt;b&gt; tag?", "<b> tag"]


@pytest.fixture
def batch() -> list[Question]:
    rng = np.random.default_rng(3)
    return [
        Question(str(n), TEXTS[int(rng.integers(len(TEXTS)))] + str(n % 7), views=int(rng.integers(50)))
        for n in range(300)
    ]


@pytest.fixture
def filled(store: Store, batch: list[Question]) -> Store:
    run = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    store.record_questions(run, batch)
    return store


def test_the_corpus_is_sorted_by_key_then_number_and_ranked(filled: Store, batch: list[Question]) -> None:
    rows = {question_key(q.source, q.id): q for q in batch}
    key_of = {number: text_key(normalise(question.text)) for number, question in rows.items()}
    corpus = filled.corpus()
    ids = sorted(rows, key=lambda number: (key_of[number], number))
    assert corpus.ids.tolist() == ids
    assert key_bytes(corpus.keys) == [key_of[number] for number in ids]
    best_first = sorted(ids, key=lambda number: (-rows[number].views, int(rows[number].id)))
    assert corpus.ids[np.argsort(corpus.rank)].tolist() == best_first
    assert len(corpus) == len(batch)
    assert (corpus.ids.dtype, corpus.keys.dtype, corpus.rank.dtype) == (np.int64, "S16", np.int64)


def test_the_revision_goes_up_with_every_change_of_a_question_and_with_nothing_else(store: Store) -> None:
    first = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    batch = [Question("1", "Why", tags=("x",)), Question("2", "How")]
    revisions = [store.corpus().revision]
    store.record_questions(first, batch)
    revisions.append(store.corpus().revision)
    for changed in (
        replace(batch[0], text="why"),
        replace(batch[0], views=0),
        replace(batch[0], score=0),
        replace(batch[0], created=datetime(2020, 1, 1, tzinfo=UTC)),
        replace(batch[0], tags=()),
        replace(batch[0], text="Wherefore"),
        Question("3", "New"),
    ):
        store.record_questions(store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {}), [changed])
        revisions.append(store.corpus().revision)
    assert revisions == sorted(set(revisions))

    later = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
    store.record_questions(later, [Question("3", "New")])  # now of this run, otherwise as it was
    store.record_questions(later, [Question("3", "Another"), Question("3", "New")])  # a conflict and a repetition
    store.record_questions(later, [])
    store.record_labels(later, "labels.csv", [Label("1", "2", True)])
    with pytest.raises(StoreError, match="NUL"):
        store.record_questions(later, [Question("4", "Who"), Question("5", "\0")])
    with pytest.raises(StoreError, match="refused"):
        store.record_questions(later + 1, [Question("4", "Who")])  # no such run: the transaction is rolled back
    assert store.corpus().revision == revisions[-1]


def test_the_revision_is_that_of_the_rows_though_a_writer_comes_between(
    filled: Store, batch: list[Question], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_before_a_writer(connection: Connection) -> int:
        revision = corpus_revision(connection)
        with Store.open(database_url) as other:
            run = other.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
            other.record_questions(run, [Question("new", "written meanwhile")])
        return revision

    monkeypatch.setattr("dedup.store.corpus.corpus_revision", read_before_a_writer)
    corpus = filled.corpus()
    monkeypatch.undo()
    assert len(corpus) == len(batch)
    after = filled.corpus()
    assert (len(after), after.revision > corpus.revision) == (len(batch) + 1, True)


def test_an_empty_corpus(store: Store) -> None:
    corpus = store.corpus()
    assert (len(corpus), corpus.keys.dtype, corpus.rank.dtype) == (0, "S16", np.int64)
    assert list(store.texts(corpus.keys)) == []


def test_texts_are_the_normalised_texts_of_the_distinct_keys(
    filled: Store, batch: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.store.corpus._TEXTS", 7)
    expected = {text_key(normalise(question.text)): normalise(question.text) for question in batch}
    chunks = list(filled.texts(filled.corpus().keys))
    assert max(len(keys) for keys, _ in chunks) == 7
    pairs = [pair for chunk in chunks for pair in zip(*chunk, strict=True)]
    assert pairs == sorted(expected.items())
    assert all(text_key(text) == key for key, text in pairs)


def test_texts_of_a_few_keys(filled: Store) -> None:
    asked = key_array(sorted(text_key(text) for text in ("why3", "when6")))
    expected = {text_key(text): text for text in ("why3", "when6")}
    ((keys, texts),) = filled.texts(asked)
    assert dict(zip(keys, texts, strict=True)) == expected


def test_known_texts_leave_out_the_keys_that_nothing_has(
    filled: Store, batch: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.store.corpus._TEXTS", 7)
    expected = {text_key(normalise(question.text)): normalise(question.text) for question in batch}
    strangers = [bytes([n]) * 16 for n in range(20)]
    asked = key_array([*expected, *strangers, *expected])  # in any order, some twice
    assert filled.known_texts(asked) == expected
    assert filled.known_texts(key_array(strangers)) == {}
    assert filled.known_texts(key_array([])) == {}


def test_a_key_that_nothing_has_is_an_error(filled: Store) -> None:
    with pytest.raises(StoreError, match="1 of 1 text keys have no recorded question any more"):
        list(filled.texts(key_array([b"x" * 16])))
