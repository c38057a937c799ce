"""The example questions are what examples/README.md says they are, and their labels do not contradict each other."""

import csv
import re
import unicodedata
from collections import Counter
from datetime import UTC, datetime
from itertools import combinations, pairwise
from pathlib import Path

import networkx as nx
import pytest

from dedup.text import normalise, text_key

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
OTHER_LANGUAGES = {"deutsch", "français", "español", "中文", "हिन्दी", "العربية"}


def rows_of(name: str) -> list[dict[str, str]]:
    with (EXAMPLES / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def questions() -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in rows_of("questions.csv")}


@pytest.fixture(scope="module")
def labels() -> list[dict[str, str]]:
    return rows_of("labels.csv")


@pytest.fixture(scope="module")
def groups(questions, labels) -> list[set[str]]:
    """Return what follows from the duplicate labels by transitivity; a question with no duplicate is a group of one."""
    graph = nx.Graph()
    graph.add_nodes_from(questions)
    graph.add_edges_from((row["id1"], row["id2"]) for row in labels if row["is_duplicate"] == "1")
    return list(nx.connected_components(graph))


@pytest.fixture(scope="module")
def group_of(groups) -> dict[str, int]:
    return {member: number for number, group in enumerate(groups) for member in group}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", normalise(text)))


def word_overlap(left: str, right: str) -> float:
    """Jaccard's coefficient of the two questions' words."""
    return len(words(left) & words(right)) / len(words(left) | words(right))


def test_ids_count_from_one_without_a_gap_or_a_repeat():
    ids = [row["id"] for row in rows_of("questions.csv")]
    assert ids == [str(number) for number in range(1, len(ids) + 1)]


def test_both_files_have_the_documented_columns_in_every_row(questions, labels):
    assert all(list(row) == ["id", "question", "created", "score", "views", "tags"] for row in questions.values())
    assert all(list(row) == ["id1", "id2", "question1", "question2", "is_duplicate"] for row in labels)
    assert all(value is not None for row in [*questions.values(), *labels] for value in row.values())


def test_created_is_a_past_time_in_utc_and_no_question_speaks_of_a_later_year(questions):
    for row in questions.values():
        created = datetime.fromisoformat(row["created"])
        assert created.utcoffset() == UTC.utcoffset(None)
        assert created < datetime(2025, 7, 1, tzinfo=UTC)
        assert all(int(year) <= created.year for year in re.findall(r"\b20\d\d\b", row["question"])), row["question"]


def test_score_and_views_are_whole_numbers_or_left_empty_in_a_few_rows(questions):
    for column, least in (("score", -10), ("views", 0)):
        stated = [int(row[column]) for row in questions.values() if row[column]]
        assert min(stated) >= least
        assert 3 <= len(questions) - len(stated) <= 15


def test_labels_name_existing_questions_and_repeat_their_text(questions, labels):
    for row in labels:
        assert row["question1"] == questions[row["id1"]]["question"]
        assert row["question2"] == questions[row["id2"]]["question"]
        assert row["is_duplicate"] in {"0", "1"}


def test_no_pair_is_labelled_twice_or_with_itself(labels):
    pairs = [frozenset((row["id1"], row["id2"])) for row in labels]
    assert all(len(pair) == 2 for pair in pairs)
    assert len(set(pairs)) == len(pairs)


def test_no_pair_labelled_different_lies_within_a_group(group_of, labels):
    for row in labels:
        assert (group_of[row["id1"]] == group_of[row["id2"]]) == (row["is_duplicate"] == "1"), row


def test_every_pair_within_a_group_is_labelled_a_duplicate(groups, labels):
    labelled = {frozenset((row["id1"], row["id2"])) for row in labels if row["is_duplicate"] == "1"}
    assert labelled == {frozenset(pair) for group in groups for pair in combinations(group, 2)}


def test_questions_with_one_text_key_share_a_group(group_of, questions):
    seen: dict[bytes, int] = {}
    for row in questions.values():
        group = group_of[row["id"]]
        assert seen.setdefault(text_key(normalise(row["question"])), group) == group, row["question"]


def test_there_are_enough_exact_copies_and_most_are_typed_another_way(questions):
    texts = [row["question"] for row in questions.values()]
    assert len(texts) - len({text_key(normalise(text)) for text in texts}) >= 15
    assert 2 <= len(texts) - len(set(texts)) <= 5


@pytest.mark.parametrize(
    "disguise",
    ["&#39;", "&amp;", "  ", "\n", "\u00a0", "\u200b", "\u3000", "ﬁ", "²", "\u0301"],
    ids=ascii,
)
def test_a_copy_in_each_disguise_has_a_plain_twin(questions, disguise):
    texts = [row["question"] for row in questions.values()]
    keys = Counter(text_key(normalise(text)) for text in texts)
    disguised = [text for text in texts if disguise in text]
    assert disguised
    assert all(keys[text_key(normalise(text))] >= 2 for text in disguised)


def test_there_are_enough_groups_of_paraphrases_of_two_to_six(groups):
    sizes = Counter(len(group) for group in groups)
    assert set(sizes) <= {1, 2, 3, 4, 5, 6}
    assert sum(count for size, count in sizes.items() if size > 1) >= 70
    assert sum(count for size, count in sizes.items() if size >= 4) >= 10


def test_enough_groups_hold_a_paraphrase_that_shares_few_words(labels):
    far = [
        row for row in labels if row["is_duplicate"] == "1" and word_overlap(row["question1"], row["question2"]) < 0.25
    ]
    assert len(far) >= 40


def test_there_are_enough_near_misses_that_share_most_words(labels):
    near = [
        row for row in labels if row["is_duplicate"] == "0" and word_overlap(row["question1"], row["question2"]) >= 0.5
    ]
    assert len(near) >= 50


def test_some_near_misses_are_the_same_words_in_another_order(labels):
    swapped = [
        row for row in labels if row["is_duplicate"] == "0" and words(row["question1"]) == words(row["question2"])
    ]
    assert len(swapped) >= 5


def test_there_are_enough_questions_without_a_duplicate(groups):
    assert sum(len(group) == 1 for group in groups) >= 60


def test_about_as_many_pairs_are_labelled_different_as_duplicate(labels):
    count = Counter(row["is_duplicate"] for row in labels)
    assert count["1"] >= 200
    assert 2 / 3 <= count["0"] / count["1"] <= 3 / 2


def test_other_languages_are_there_and_paraphrased_among_themselves(groups, questions):
    first_tag = {row["id"]: row["tags"].split(", ")[0] for row in questions.values()}
    language_of = {member: tag for member, tag in first_tag.items() if tag in OTHER_LANGUAGES}
    assert len(language_of) >= 12
    paraphrased = [{language_of.get(member) for member in group} for group in groups if len(group) > 1]
    assert all({language} in paraphrased for language in OTHER_LANGUAGES)


def test_questions_in_other_scripts_are_tagged_with_their_language(questions):
    for row in questions.values():
        scripts = {unicodedata.name(sign).split()[0] for sign in row["question"] if unicodedata.category(sign) == "Lo"}
        assert not scripts & {"CJK", "DEVANAGARI", "ARABIC"} or row["tags"].split(", ")[0] in OTHER_LANGUAGES


def test_the_rows_of_a_group_do_not_stand_together(group_of):
    in_file_order = [group_of[row["id"]] for row in rows_of("questions.csv")]
    assert all(above != below for above, below in pairwise(in_file_order))


def test_one_question_of_each_group_has_the_most_views(groups, questions):
    for group in groups:
        views = sorted(int(questions[member]["views"] or -1) for member in group)
        assert len(group) == 1 or views[-1] > views[-2], group


@pytest.mark.parametrize("sign", [",", '"', "'", "\n", ";"], ids=ascii)
def test_the_text_has_the_signs_that_csv_must_quote(questions, sign):
    assert any(sign in row["question"] for row in questions.values())
