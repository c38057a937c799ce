from datetime import UTC, datetime, timedelta
from functools import cmp_to_key

from hypothesis import given
from hypothesis import strategies as st

from dedup.questions import Question, question_key
from dedup.store.ranking import RankedColumns, canonical_rank

# Few values, so that ties are common and every later criterion is reached.
names = st.one_of(
    st.integers(0, 30).map(str),
    st.integers(0, 10).map("{:03d}".format),  # equal as numbers to shorter ones
    st.integers(10**17, 10**17 + 3).map(str),
    st.integers(10**18 - 2, 10**18 + 3).map(str),
    st.integers(2**63 - 1, 2**63 + 2).map(str),
    st.integers(10**40, 10**40 + 2).map("0{}".format),
    st.sampled_from(["", "a", "b", "B", "t10", "t9", "-1", "1.5", "²", "٣", " 7", "ä", "😀"]),
)
times = st.none() | st.integers(-2, 2).map(lambda n: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=n))
counts = st.none() | st.sampled_from([-(2**62), -1, 0, 1, 2**62])
questions = st.lists(
    st.builds(
        Question,
        id=names,
        text=st.just("?"),
        source=st.sampled_from(["a", "b", "Z"]),
        created=times,
        score=counts,
        views=counts,
    ),
    unique_by=lambda question: (question.source, question.id),
    max_size=40,
)


def _is_number(name: str) -> bool:
    return name != "" and all(character in "0123456789" for character in name)


def _compare(a: Question, b: Question) -> int:
    """Say which question goes first, in the words of the rule."""
    if a.views != b.views:
        return _higher_first(a.views, b.views)
    if a.score != b.score:
        return _higher_first(a.score, b.score)
    if a.created != b.created:
        if a.created is None or b.created is None:
            return 1 if a.created is None else -1
        return -1 if a.created < b.created else 1
    if _is_number(a.id) != _is_number(b.id):
        return -1 if _is_number(a.id) else 1
    x, y = (int(a.id), int(b.id)) if _is_number(a.id) else (a.id, b.id)
    if x != y:
        return -1 if x < y else 1
    if a.source != b.source:
        return -1 if a.source < b.source else 1
    return -1 if question_key(a.source, a.id) < question_key(b.source, b.id) else 1


def _higher_first(a: int | None, b: int | None) -> int:
    if a is None or b is None:
        return 1 if a is None else -1
    return -1 if a > b else 1


@given(questions)
def test_rank_is_the_position_that_the_rule_in_words_gives(batch: list[Question]) -> None:
    columns = RankedColumns()
    for question in batch:
        number = question_key(question.source, question.id)
        columns.append(number, question.source, question.id, question.created, question.score, question.views)
    rank = canonical_rank(columns)
    assert sorted(rank.tolist()) == list(range(len(batch)))
    ranked = [question for _, question in sorted(zip(rank.tolist(), batch, strict=True), key=lambda pair: pair[0])]
    assert ranked == sorted(batch, key=cmp_to_key(_compare))


@given(questions, st.randoms(use_true_random=False))
def test_rank_does_not_depend_on_the_order_of_the_rows(batch: list[Question], random) -> None:
    def ranked(rows: list[Question]) -> dict[tuple[str, str], int]:
        columns = RankedColumns()
        for row in rows:
            columns.append(question_key(row.source, row.id), row.source, row.id, row.created, row.score, row.views)
        return {(row.source, row.id): rank for row, rank in zip(rows, canonical_rank(columns).tolist(), strict=True)}

    shuffled = list(batch)
    random.shuffle(shuffled)
    assert ranked(shuffled) == ranked(batch)
