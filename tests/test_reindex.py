"""After any history of nights, pairs and clusters are those of one run over the final corpus."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from corpora import fake_classifier, made_up_features, many_questions, write_csv
from fakes import HashingEncoder, SharedWords
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from dedup.classifier import save_classifier
from dedup.errors import BelowRecallFloor, DedupError, ExitCode, UnknownQuestion
from dedup.features.surroundings import FEWEST
from dedup.pipeline import ReindexResult, reindex, run
from dedup.progress import Silent
from dedup.questions import Metric, Question, question_key
from dedup.removal import Removal, ids_in_file, numbers_on_record
from dedup.settings import IndexKind, Settings
from dedup.soundness import examine
from dedup.store import RunKind, Store

TEXTS = [
    f"{asked} {verb} {thing}?"
    for asked in ("How do I", "how can i", "What is the way to")
    for verb in ("boil", "cook")
    for thing in ("an egg", "eggs", "rice")
] + ["HOW DO I BOIL AN EGG", "Which is the tallest tree?", "what is the tallest tree", "Can cats eat rice?"]

Rows = Mapping[str, str]
"""Texts by id."""


@dataclass(frozen=True)
class Found:
    """All that is in service, by own ids: which pairs, how near and how probable, and which clusters."""

    pairs: dict[frozenset[str], tuple[float, float]]
    clusters: dict[frozenset[str], tuple[str, float]]


def in_service(settings: Settings) -> Found:
    with Store.open(settings.db, create=False) as store:
        recorded = store.recorded()
        names = {number: found.id for number, found in store.questions(recorded.clusters.question.tolist()).items()}
    pairs, clusters = recorded.pairs, recorded.clusters
    members: dict[int, set[str]] = {}
    for question, cluster in zip(clusters.question.tolist(), clusters.cluster.tolist(), strict=True):
        members.setdefault(cluster, set()).add(names[question])
    return Found(
        {
            frozenset((names[left], names[right])): (distance, probability)
            for left, right, distance, probability in zip(
                *(each.tolist() for each in (pairs.left, pairs.right, pairs.distance, pairs.probability)), strict=True
            )
        },
        {
            frozenset(members[id_]): (names[canonical], weakest)
            for id_, canonical, weakest in zip(
                *(each.tolist() for each in (clusters.id, clusters.canonical, clusters.weakest)), strict=True
            )
        },
    )


def dump(folder: Path, rows: Rows) -> str:
    return write_csv(folder / "questions.csv", [(id_, text, 1) for id_, text in rows.items()])


def of_one_run(settings: Settings, rows: Rows, folder: Path) -> Found:
    """Return what one run over some rows finds, with nothing on record before."""
    own = folder / "once"
    shutil.rmtree(own, ignore_errors=True)
    shutil.copytree(settings.indexes / "classifiers", own / "indexes" / "classifiers")
    once = replace(settings, db=f"sqlite:///{own}/dedup.db", indexes=own / "indexes", reports=own / "reports")
    run([dump(folder, rows)], once)
    return in_service(once)


def random_night(random: random.Random, rows: Rows) -> tuple[dict[str, str], list[str]]:
    """Return the questions of one night's dump, new and edited ones and some as they were, and ids that go."""
    ids = sorted(rows)
    gone = random.sample(ids, random.randint(0, min(3, len(ids))))
    given = {str(random.randint(0, 40)): random.choice(TEXTS) for _ in range(random.randint(0, 6))}
    same = {id_: rows[id_] for id_ in random.sample(ids, min(2, len(ids)))}
    return {**same, **given}, gone


def live(settings: Settings, folder: Path, seed: int, nights: int) -> Rows:
    """Let some nights pass, and return the corpus after them."""
    chance = random.Random(seed)
    rows = {str(n): chance.choice(TEXTS) for n in range(12)}
    run([dump(folder, rows)], settings)
    for _ in range(nights):
        given, gone = random_night(chance, rows)
        by_file = chance.random() < 0.5
        rows = {**rows, **given}
        if by_file:
            rows = {id_: text for id_, text in rows.items() if id_ not in gone}
            reindex([dump(folder, given)] if given else [], settings, removal=Removal(gone))
        else:  # the whole corpus, every night
            rows = {id_: text for id_, text in rows.items() if id_ not in gone}
            reindex([dump(folder, rows)], settings, complete=True)
    return rows


@pytest.mark.parametrize("metric", list(Metric))
@examples(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(seed=st.integers(0, 2**20), nights=st.integers(1, 4))
def test_after_any_history_it_equals_one_run(settings: Settings, metric: Metric, seed: int, nights: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(settings.indexes / "classifiers", folder / "indexes" / "classifiers")
        own = replace(
            settings,
            db=f"sqlite:///{folder / 'dedup.db'}",
            indexes=folder / "indexes",
            reports=folder / "reports",
            metric=metric,
        )
        rows = live(own, folder, seed, nights)
        assert in_service(own) == of_one_run(own, rows, folder)


@pytest.mark.parametrize("seed", range(2))
def test_on_either_database_it_equals_one_run(settings: Settings, database_url: str, seed: int, tmp_path: Path) -> None:
    own = replace(settings, db=database_url)
    rows = live(own, tmp_path, seed, 4)
    assert in_service(own) == of_one_run(own, rows, tmp_path)


FEW = {"candidate_floor": 0.7, "threshold": 0.8}  # of many questions that are alike, so that pairs stay thousands


@pytest.mark.parametrize("metric", list(Metric))
def test_where_surroundings_shift_it_equals_one_run_and_compares_little(
    settings: Settings, trigrams: HashingEncoder, metric: Metric, tmp_path: Path
) -> None:
    """New questions make it more crowded around old ones: probabilities and cut-offs move."""
    save_classifier(fake_classifier(metric, trigrams, made_up_features(metric)), settings.indexes)
    own = replace(settings, metric=metric, **FEW)
    every = {id_: text for id_, text, _ in many_questions(FEWEST + 90)}
    first = dict(list(every.items())[:-30])
    run([dump(tmp_path, first)], own)
    del every["7"], every["8"]
    result = reindex([dump(tmp_path, every)], own, complete=True)
    assert in_service(own) == of_one_run(own, every, tmp_path)
    assert (result.summary.added, result.summary.deleted, result.summary.encoded) == (30, 2, 30)
    assert 30 <= result.summary.compared < len(every) / 3


def test_where_the_join_is_approximate_its_recall_is_said(settings: Settings, tmp_path: Path) -> None:
    own = replace(settings, index=IndexKind.PQ, recall_floor=0.9, **FEW)
    every = {id_: text for id_, text, _ in many_questions(600)}
    run([dump(tmp_path, dict(list(every.items())[:560]))], own)
    result = reindex([dump(tmp_path, every)], own)
    exact = of_one_run(replace(own, index=IndexKind.FLAT), every, tmp_path)
    found = in_service(own)
    assert set(found.pairs) <= set(exact.pairs)
    assert result.summary.recall >= 0.9
    assert len(found.pairs) / len(exact.pairs) == pytest.approx(result.summary.recall, abs=0.05)


def nothing_changes(settings: Settings, act: Callable[[], ReindexResult]) -> ReindexResult:
    before = in_service(settings), sorted(settings.indexes.rglob("[!.]*"))
    result = act()
    assert (in_service(settings), sorted(settings.indexes.rglob("[!.]*"))) == before
    return result


def test_the_same_dump_twice_changes_nothing_and_says_so(
    settings: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    rows = {str(n): text for n, text in enumerate(TEXTS)}
    run([dump(tmp_path, dict(list(rows.items())[:9]))], settings)
    first = reindex([dump(tmp_path, rows)], settings)
    assert (first.summary.nothing_to_do, first.summary.added) == (False, len(rows) - 9)
    trigrams.encoded.clear()
    again = nothing_changes(settings, lambda: reindex([dump(tmp_path, rows)], settings))
    assert again.summary.nothing_to_do
    assert (again.summary.added, again.summary.compared, again.summary.encoded) == (0, 0, 0)
    assert trigrams.encoded == []
    assert nothing_changes(settings, lambda: reindex([], settings)).summary.nothing_to_do


def test_only_what_is_new_is_encoded_and_compared(settings: Settings, trigrams: HashingEncoder, tmp_path: Path) -> None:
    run([dump(tmp_path, {str(n): text for n, text in enumerate(TEXTS[:15])})], settings)
    trigrams.encoded.clear()
    result = reindex([dump(tmp_path, {"90": "How do I boil a stone?", "91": TEXTS[3]})], settings)
    assert trigrams.encoded == ["how do i boil a stone"]
    assert (result.summary.compared, result.summary.added, result.summary.compacted) == (1, 2, False)


def test_the_first_reindex_of_all_is_a_run(settings: Settings, tmp_path: Path) -> None:
    rows = {str(n): text for n, text in enumerate(TEXTS)}
    result = reindex([dump(tmp_path, rows)], settings)
    assert in_service(settings) == of_one_run(settings, rows, tmp_path)
    assert (result.summary.new_duplicates, result.summary.compacted) == (0, False)


def test_questions_recorded_meanwhile_are_taken_up_without_comparing_the_rest_again(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service adds questions one by one while the nightly job works."""
    rows = {str(n): text for n, text in enumerate(TEXTS[:10])}
    late = iter(["How do I cook a stone?", "Can dogs eat rice?"])
    recorded = Store.recorded

    def recorded_late(store: Store) -> object:
        found = recorded(store)
        if (text := next(late, None)) is not None:
            with Store.open(settings.db) as other:
                other_run = other.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
                other.record_questions(other_run, [Question(f"late {text[:5]}", text)])
                rows[f"late {text[:5]}"] = text
        return found

    monkeypatch.setattr(Store, "recorded", recorded_late)
    result = reindex([dump(tmp_path, rows)], settings)
    monkeypatch.undo()
    with Store.open(settings.db, create=False) as store:
        assert store.in_service().current
        assert len(store.corpus()) == 12
    assert result.summary.compared == 1  # of the last attempt
    assert len(list(settings.indexes.glob("generation-*"))) == 1


def test_below_the_recall_floor_the_last_generation_stays(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run([dump(tmp_path, {str(n): text for n, text in enumerate(TEXTS[:10])})], settings)
    before = in_service(settings)

    def forgetful(*arguments: object, **named: object) -> object:
        rows, compacted = index(*arguments, **named)
        rows.index.recall = 0.5
        return rows, compacted

    from dedup.indexing import index_corpus as index

    monkeypatch.setattr("dedup.update.index_corpus", forgetful)
    with pytest.raises(BelowRecallFloor, match=r"recall floor is 0\.99; what was in service stays") as caught:
        reindex([dump(tmp_path, {"50": "Something else?"})], settings)
    assert caught.value.exit_code is ExitCode.BELOW_RECALL_FLOOR
    assert in_service(settings) == before


def test_the_last_question_can_be_deleted_and_that_is_said(settings: Settings, tmp_path: Path) -> None:
    run([dump(tmp_path, {"1": TEXTS[0]})], settings)
    with pytest.raises(DedupError, match="no question is left on record"):
        reindex([], settings, removal=Removal(["1"]))
    result = reindex([dump(tmp_path, {"2": TEXTS[1]})], settings)
    assert in_service(settings).clusters == {frozenset({"2"}): ("2", 1.0)}
    assert result.summary.questions == 1


def test_uncertain_pairs_that_are_known_are_not_judged_again(
    settings: Settings, words: SharedWords, tmp_path: Path
) -> None:
    own = replace(settings, rerank=True)
    rows = {str(n): text for n, text in enumerate(TEXTS[:12])}
    run([dump(tmp_path, rows)], own)
    assert words.scored
    words.scored.clear()
    rows["90"] = "How do I boil a stone?"
    reindex([dump(tmp_path, rows)], own)
    assert words.scored
    assert all("stone" in left + right for left, right in words.scored)
    assert in_service(own) == of_one_run(own, rows, tmp_path)


def test_ids_that_go_are_found_in_their_source(settings: Settings) -> None:
    with Store.open(settings.db) as store:
        run_id = store.start_run(RunKind.RUN, Metric.EUCLIDEAN, 0.5, {})
        store.record_questions(run_id, [Question("1", "a b", "one"), Question("1", "c d", "two"), Question("2", "e")])
        assert numbers_on_record(store, Removal(["2", "9"])) == [question_key("default", "2")]
        assert numbers_on_record(store, Removal(["1"], "two")) == [question_key("two", "1")]
        with pytest.raises(UnknownQuestion, match="the id '1' is in the sources one, two; say which with --source"):
            numbers_on_record(store, Removal(["1"]))
        with pytest.raises(UnknownQuestion, match="1 of 2 ids belong to no recorded question: '9'; nothing was"):
            numbers_on_record(store, Removal(["2", "9"], strict=True))


@pytest.mark.parametrize(("text", "ids"), [("id\n1\n\n 2 \r\n", ["1", "2"]), ("\ufeff7", ["7"]), ("", [])])
def test_a_file_of_ids_has_one_a_line(text: str, ids: Sequence[str], tmp_path: Path) -> None:
    file = tmp_path / "gone.txt"
    file.write_bytes(text.encode())
    assert ids_in_file(file) == ids


def test_the_doctor_finds_nothing_after_nights_of_changes(settings: Settings, tmp_path: Path) -> None:
    """Rows that are dead are no damage, and neither is a text that came back."""
    rows = {str(n): text for n, text in enumerate(TEXTS[:12])}
    own = replace(settings, compact_share=10.0)
    run([dump(tmp_path, rows)], own)
    reindex([], own, removal=Removal(["3", "4"]))
    reindex([dump(tmp_path, {"3": rows["3"], "90": "How do I boil a stone?"})], own)
    with Store.open(own.db, create=False) as store:
        assert store.in_service().run.counts["dead"] == 1
    assert examine(own, Silent()).damages == ()
