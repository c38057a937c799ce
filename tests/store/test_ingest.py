import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select

from dedup.errors import StoreError
from dedup.questions import MAX_NAME_BYTES, Label, Metric, Question, question_key
from dedup.store import RecordedBatch, RunKind, Store
from dedup.store.models import LabelRow
from dedup.text import normalise, text_key


def start(store: Store) -> int:
    return store.start_run(RunKind.RUN, Metric.MANHATTAN, 0.5, {})


def only(store: Store, id_: str, source: str = "default"):
    (record,) = store.questions([question_key(source, id_)]).values()
    return record


FULL = Question(
    id="17",
    text="How do I\n\tsort a list? 😀",
    source="stack.example",
    created=datetime(2020, 2, 29, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    score=-3,
    views=2**40,
    tags=("python", "c++", "ünïcode"),
)


def test_a_question_comes_back_as_it_went_in(store: Store) -> None:
    run = start(store)
    assert store.record_questions(run, [FULL]) == RecordedBatch(1, 0, 0, ())
    record = only(store, "17", "stack.example")
    assert (record.id, record.text, record.source, record.score, record.views) == (
        FULL.id,
        FULL.text,
        FULL.source,
        FULL.score,
        FULL.views,
    )
    assert record.created == FULL.created
    assert record.created.tzinfo is UTC
    assert record.tags == FULL.tags
    assert record.text_key == text_key(normalise(FULL.text))
    assert (record.number, record.first_run_id, record.last_run_id) == (question_key(FULL.source, "17"), run, run)
    assert record.cluster_id is None


def test_what_a_dump_does_not_say_is_none(store: Store) -> None:
    store.record_questions(start(store), [Question("1", "why")])
    record = only(store, "1")
    assert (record.created, record.score, record.views, record.tags) == (None, None, None, ())


def test_an_empty_batch_is_nothing(store: Store) -> None:
    assert store.record_questions(start(store), []) == RecordedBatch(0, 0, 0, ())


def test_the_same_batch_again_changes_nothing(store: Store) -> None:
    batch = [Question(str(n), f"question {n}") for n in range(100)]
    run = start(store)
    assert store.record_questions(run, batch) == RecordedBatch(100, 0, 0, ())
    assert store.record_questions(run, batch) == RecordedBatch(0, 0, 100, ())
    before = store.corpus()
    later = start(store)
    assert store.record_questions(later, batch) == RecordedBatch(0, 0, 100, ())
    after = store.corpus()
    assert (before.ids.tolist(), before.rank.tolist()) == (after.ids.tolist(), after.rank.tolist())
    assert (only(store, "5").first_run_id, only(store, "5").last_run_id) == (run, later)


def test_a_later_run_updates_the_text_and_counts_it_and_the_rest_silently(store: Store) -> None:
    first = start(store)
    old = [Question("1", "Why", views=1), Question("2", "How"), Question("3", "When", score=4)]
    store.record_questions(first, old)
    second = start(store)
    new = [Question("1", "Why", views=9), Question("2", "Wherefore"), Question("3", "When?")]
    assert store.record_questions(second, new) == RecordedBatch(0, 2, 1, ())
    assert only(store, "1").views == 9
    assert (only(store, "2").text, only(store, "2").text_key) == ("Wherefore", text_key(normalise("Wherefore")))
    assert (only(store, "3").text, only(store, "3").score) == ("When?", None)
    assert (only(store, "2").first_run_id, only(store, "2").last_run_id) == (first, second)


def test_an_id_seen_twice_in_a_run_with_another_text_is_a_conflict_and_the_first_stays(store: Store) -> None:
    run = start(store)
    again, other = Question("1", "  WHY? "), Question("1", "Why not", views=7)
    assert store.record_questions(run, [Question("1", "Why"), again, other]) == RecordedBatch(1, 0, 1, (other,))
    assert store.record_questions(run, [other, again, Question("2", "How")]) == RecordedBatch(1, 0, 1, (other,))
    assert (only(store, "1").text, only(store, "1").views) == (
        "  WHY? ",
        None,
    )  # of equal texts the first by code point
    later = start(store)  # the next run has not seen it yet
    known = Question("1", "Why")
    assert store.record_questions(later, [other, known]) == RecordedBatch(0, 1, 0, (known,))
    assert only(store, "1").text == "Why not"


REPETITIONS = [
    Question("1", "Why?", created=datetime(2020, 1, 2, tzinfo=UTC), score=-5, views=None, tags=("x", "b")),
    Question("1", "why", created=datetime(2020, 1, 1, tzinfo=UTC), score=None, views=0, tags=()),
    Question("1", "Why", created=None, score=-9, views=7, tags=("a", "x")),
    Question("1", "WHY ?!", created=datetime(2021, 1, 1, tzinfo=UTC), score=None, views=3, tags=("b",)),
    Question("2", "\N{GRINNING FACE}", tags=("z", "a")),  # equal in both rows: the tags stay as they are
    Question("2", "\N{GRINNING FACE}", tags=("z", "a")),
    Question("3", "\N{FULLWIDTH LATIN SMALL LETTER A}", views=1),
    Question("3", "a"),
]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 3, 8])
def test_rows_with_one_id_are_recorded_alike_in_whatever_order_they_come(store: Store, seed: int, size: int) -> None:
    first = start(store)  # what an earlier run knew makes no difference
    store.record_questions(first, [Question("1", "WHY", score=99, views=99, tags=("old",))])
    run = start(store)
    rows = list(REPETITIONS)
    random.Random(seed).shuffle(rows)
    for at in range(0, len(rows), size):
        assert store.record_questions(run, rows[at : at + size]).conflicts == ()
    one, two, three = only(store, "1"), only(store, "2"), only(store, "3")
    assert (one.text, one.created, one.score, one.views) == ("WHY ?!", datetime(2020, 1, 1, tzinfo=UTC), -5, 7)
    assert (one.tags, one.first_run_id, one.last_run_id) == (("a", "b", "x"), first, run)
    assert (two.text, two.tags) == ("\N{GRINNING FACE}", ("z", "a"))
    assert (three.text, three.views, three.score, three.created, three.tags) == ("a", 1, None, None, ())


def test_the_largest_and_the_smallest_counts_are_kept_and_ranked_before_unknown_ones(store: Store) -> None:
    lowest, highest = -(2**63) + 1, 2**63 - 1
    batch = [
        Question("1", "unknown"),
        Question("2", "few", views=lowest, score=lowest),
        Question("3", "fewer known", views=lowest),
        Question("4", "many", views=highest, score=highest),
    ]
    assert store.record_questions(start(store), batch).added == 4
    assert [(only(store, n).views, only(store, n).score) for n in "24"] == [(lowest, lowest), (highest, highest)]
    corpus = store.corpus()
    best_first = [store.questions([number])[number].id for number in corpus.ids[corpus.rank.argsort()].tolist()]
    assert best_first == ["4", "2", "3", "1"]


def test_the_same_id_in_two_sources_is_two_questions(store: Store) -> None:
    batch = [Question("1", "Why", source="a"), Question("1", "How", source="b")]
    assert store.record_questions(start(store), batch) == RecordedBatch(2, 0, 0, ())
    assert (only(store, "1", "a").text, only(store, "1", "b").text) == ("Why", "How")


def test_a_number_taken_by_another_question_is_refused_and_both_are_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dedup.store.ingest.question_key", lambda *name: 7)
    expected = "question 'b' of source 's' and question 'a' of source 's' have the same number 7"
    run = start(store)
    with pytest.raises(StoreError, match=expected):
        store.record_questions(run, [Question("a", "x", "s"), Question("b", "x", "s")])
    assert len(store.corpus()) == 0
    store.record_questions(run, [Question("a", "x", "s")])
    with pytest.raises(StoreError, match=expected):
        store.record_questions(start(store), [Question("b", "x", "s")])


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (Question("1", "a\0b"), "question '1' of source 'default' has a NUL character"),
        (Question("1\0", "a"), "has a NUL character"),
        (Question("1", "a", tags=("x", "\0")), "has a NUL character"),
        (Question("1", "half \ud83d of it"), "question '1' of source 'default' has half a surrogate pair"),
        (Question("1\udcff", "a"), r"question '1\\udcff' .* has half a surrogate pair"),
        (Question("1", "a", source="\udcff"), "has half a surrogate pair"),
        (Question("é" * (MAX_NAME_BYTES // 2 + 1), "a"), "has a name of 602 bytes; expected at most 600"),
        (Question("1", "a", views=2**63), "has a score or views of more than 63 bits"),
        (Question("1", "a", score=-(2**63)), "has a score or views of more than 63 bits"),
    ],
)
def test_what_no_database_can_hold_is_refused_by_name(store: Store, question: Question, reason: str) -> None:
    run = start(store)
    with pytest.raises(StoreError, match=reason) as refusal:
        store.record_questions(run, [Question("fine", "fine"), question])
    assert len(str(refusal.value)) < 400
    assert "\n" not in str(refusal.value)
    str(refusal.value).encode()  # can be printed
    assert len(store.corpus()) == 0


def test_the_longest_names_fit(store: Store) -> None:
    run = start(store)
    name = "\N{GRINNING FACE}" * (MAX_NAME_BYTES // 4)
    assert store.record_questions(run, [Question(name, "a", source=name)]).added == 1
    assert store.record_labels(run, name, [Label(name, name, True, source=name)]) == 1


def test_keys_that_end_in_nul_bytes_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = {"a": b"k" + bytes(15), "b": bytes(16), "c": b"\\x" + b"\n" * 13 + b"\0"}
    monkeypatch.setattr("dedup.store.ingest.text_key", keys.__getitem__)
    store.record_questions(start(store), [Question(text, text) for text in keys])
    assert {record.text: record.text_key for record in store.questions(store.corpus().ids.tolist()).values()} == keys
    assert dict(pair for chunk in store.texts(store.corpus().keys) for pair in zip(*chunk, strict=True)) == {
        key: text for text, key in keys.items()
    }


def test_a_batch_larger_than_one_statement_takes(store: Store) -> None:
    batch = [Question(str(n), f"question {n}") for n in range(12_000)]
    run = start(store)
    assert store.record_questions(run, batch).added == 12_000
    assert store.record_questions(run, batch[::-1]) == RecordedBatch(0, 0, 12_000, ())


def test_two_writers_with_overlapping_batches_both_finish(database_url: str) -> None:
    with Store.open(database_url) as store:
        runs = [start(store), start(store)]
    batches = [[Question(str(n), f"question {n}") for n in range(3_000)][::step] for step in (1, -1)]

    def write(run: int, batch: list[Question]) -> list[RecordedBatch]:
        with Store.open(database_url) as own:
            return [own.record_questions(run, batch[at : at + 300]) for at in range(0, len(batch), 300)]

    with ThreadPoolExecutor(2) as pool:
        results = [done for part in pool.map(write, runs, batches) for done in part]
    with Store.open(database_url) as store:
        records = store.questions(store.corpus().ids.tolist())
    assert {record.text for record in records.values()} == {question.text for question in batches[0]}
    assert sum(done.added for done in results) == 3_000  # each question was new to exactly one of them
    assert sum(done.unchanged for done in results) == 3_000
    assert all({record.first_run_id, record.last_run_id} == set(runs) for record in records.values())


def labels(store: Store) -> list[tuple]:
    names = LabelRow.left_external_id, LabelRow.right_external_id
    columns = *names, LabelRow.duplicate, LabelRow.left_text, LabelRow.right_text
    with store._database.reading() as connection:
        statement = select(*columns, LabelRow.origin, LabelRow.run_id).order_by(LabelRow.id)
        return [tuple(row) for row in connection.execute(statement)]


def test_labels_are_new_once_for_each_file(store: Store) -> None:
    run = start(store)
    batch = [Label("1", "2", True), Label("2", "3", False, left_text="x", right_text="y")]
    assert store.record_labels(run, "a.xml", batch) == 2
    assert store.record_labels(start(store), "a.xml", batch) == 0
    assert store.record_labels(run, "b.xml", batch[:1]) == 1
    assert store.record_labels(run, "b.xml", []) == 0
    assert labels(store) == [
        ("1", "2", True, None, None, "a.xml", run),
        ("2", "3", False, "x", "y", "a.xml", run),
        ("1", "2", True, None, None, "b.xml", run),
    ]


def test_what_a_file_says_last_of_two_questions_counts(store: Store) -> None:
    first, second = start(store), start(store)
    assert store.record_labels(first, "a.xml", [Label("1", "2", True), Label("1", "2", False)]) == 1
    assert labels(store) == [("1", "2", False, None, None, "a.xml", first)]
    assert store.record_labels(second, "a.xml", [Label("1", "2", True)]) == 0
    assert labels(store) == [("1", "2", True, None, None, "a.xml", second)]


def test_a_label_is_one_whichever_question_is_named_first(store: Store) -> None:
    run = start(store)
    there, back = Label("10", "9", True, left_text="ten", right_text="nine"), Label("9", "10", True)
    assert store.record_labels(run, "a.csv", [there, back, there]) == 1
    assert store.record_labels(run, "a.csv", [Label("é", "z", False, left_text="e"), Label("9", "9", True)]) == 2
    expected = [
        ("10", "9", True, "ten", "nine", "a.csv", run),  # by their characters, on both databases
        ("9", "9", True, None, None, "a.csv", run),
        ("z", "é", False, None, "e", "a.csv", run),
    ]
    assert labels(store) == expected
    later = start(store)
    assert store.record_labels(later, "a.csv", [Label("9", "10", False, left_text="nine", right_text="ten")]) == 0
    assert labels(store)[0] == ("10", "9", False, "ten", "nine", "a.csv", later)
    assert labels(store)[1:] == expected[1:]


def test_no_labels_are_nothing_whatever_the_file_is_called(store: Store) -> None:
    assert store.record_labels(999, "x" * 5_000, []) == 0


def test_a_file_whose_name_is_no_unicode_is_named_with_escapes(store: Store) -> None:
    run = start(store)
    assert store.record_labels(run, "a\udcff.csv", [Label("1", "2", True)]) == 1
    assert store.record_labels(run, "a\udcff.csv", [Label("1", "2", True)]) == 0
    assert labels(store) == [("1", "2", True, None, None, "a\\udcff.csv", run)]


def test_labels_that_no_database_can_hold_are_refused(store: Store) -> None:
    run = start(store)
    with pytest.raises(StoreError, match=r"the label of '1' and '2' in a\.csv has a NUL character"):
        store.record_labels(run, "a.csv", [Label("1", "2", True, left_text="\0")])
    with pytest.raises(
        StoreError, match=r"the label of '1' and '2\\udcff' in b\\udcff\.csv has half a surrogate"
    ) as refusal:
        store.record_labels(run, "b\udcff.csv", [Label("1", "2\udcff", True)])
    str(refusal.value).encode()  # can be printed
    assert labels(store) == []
