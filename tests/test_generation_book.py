"""Generations are listed, verified, pruned and put back; what is answered stays consistent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from corpora import KITCHEN
from damages import cut_short

from dedup.encoders import VECTORS, VectorStore
from dedup.errors import ArtifactDamaged, NoGeneration
from dedup.generations import list_generations, prune, roll_back, verify_generations
from dedup.in_service import settings_in_service
from dedup.index import generation_names
from dedup.pipeline import RunResult
from dedup.queries import Searcher
from dedup.questions import Metric
from dedup.settings import SETTING_NAMES, Resolved, Settings
from dedup.store import RunKind, RunState, Store
from dedup.text import key_array, text_key

RunCsv = Callable[..., RunResult]
EGG = "how do I boil my eggs"
LATER = [("30", "How do I boil my eggs?", 1), ("31", "How do you boil an egg?", 2)]


@pytest.fixture
def shared(settings: Settings, database_url: str) -> Settings:
    return replace(settings, db=database_url, keep_generations=10)


def found(settings: Settings) -> list[str]:
    """The ids of the questions nearest to one about eggs, as a query with no flags finds them."""
    resolved = Resolved(settings, dict.fromkeys(SETTING_NAMES, "default"))
    with Store.open(settings.db) as store:
        answer = Searcher.load(store, settings_in_service(store, resolved)).query(EGG, 3, 0.5)
    return [match.question.id for match in answer.matches]


def runs(settings: Settings, run_csv: RunCsv, *corpora: Sequence[Any]) -> list[str]:
    kept = {"db": settings.db, "keep_generations": settings.keep_generations}
    return [run_csv(rows, **kept).summary.generation for rows in corpora]


def test_generations_are_listed_newest_first_with_the_one_in_service(shared: Settings, run_csv: RunCsv) -> None:
    first, second = runs(shared, run_csv, KITCHEN, KITCHEN + LATER)
    (shared.indexes / "generation-20200101T000000Z-of-others").mkdir()
    with Store.open(shared.db) as store:
        listed = list_generations(store, shared.indexes)
    names = [second, first, "generation-20200101T000000Z-of-others"]
    assert [each.name for each in listed] == names
    assert [each.in_service for each in listed] == [True, False, False]
    assert [each.run_id for each in listed] == [2, 1, None]
    assert [each.vectors for each in listed] == [7, 5, None]
    assert listed[0].bytes == sum(file.stat().st_size for file in (shared.indexes / second).iterdir())
    assert 0 <= listed[0].age_seconds <= listed[1].age_seconds


def test_going_back_answers_from_the_index_before_until_the_next_run(shared: Settings, run_csv: RunCsv) -> None:
    first, second = runs(shared, run_csv, KITCHEN, KITCHEN + LATER)
    after = found(shared)
    assert after[0] == "30"
    done = roll_back(shared)
    assert (done.generation, done.instead_of, done.results_of_run, done.run_id) == (first, second, 2, 3)
    assert "30" not in found(shared)
    assert found(shared)[0] == "3"
    with Store.open(shared.db) as store:
        service = store.in_service()
        assert (service.run.kind, service.run.state, service.generation.name) == (
            RunKind.ROLLBACK,
            RunState.DONE,
            first,
        )
        assert not service.current, "so that nobody takes it for the last word"
        assert len({member.cluster_id for member in store.iter_clusters() if member.id in ("1", "30", "31")}) == 1
    again = run_csv(KITCHEN + LATER, db=shared.db, keep_generations=10)
    assert not again.reused
    assert found(shared) == after


def test_a_rollback_of_a_rollback_names_the_run_whose_results_are_there(shared: Settings, run_csv: RunCsv) -> None:
    first, second, third = runs(shared, run_csv, KITCHEN[:3], KITCHEN, KITCHEN + LATER)
    assert roll_back(shared).generation == second
    back = roll_back(shared)
    assert (back.generation, back.results_of_run) == (first, 3)
    assert roll_back(shared, third).results_of_run == 3
    assert found(shared)[0] == "30"


def test_going_back_to_another_metric_takes_its_classifier_along(shared: Settings, run_csv: RunCsv) -> None:
    kept = {"db": shared.db, "keep_generations": 10}
    run_csv(KITCHEN, metric=Metric.MANHATTAN, **kept)
    before = found(shared)
    run_csv(KITCHEN, metric=Metric.EUCLIDEAN, **kept)
    roll_back(shared)
    assert found(shared) == before
    with Store.open(shared.db) as store:
        assert (store.in_service().run.metric, store.in_service().generation.metric) == (Metric.MANHATTAN,) * 2


def test_a_damaged_generation_is_not_put_back(shared: Settings, run_csv: RunCsv) -> None:
    first, second = runs(shared, run_csv, KITCHEN, KITCHEN + LATER)
    cut_short(shared.indexes / first / "keys.npy")
    with pytest.raises(ArtifactDamaged, match=r"keys\.npy has .* what is in service stays"):
        roll_back(shared)
    with Store.open(shared.db) as store:
        assert store.in_service().generation.name == second
        assert store.last_run().state is RunState.FAILED
    assert found(shared)[0] == "30"


def test_there_has_to_be_something_to_go_back_to(shared: Settings, run_csv: RunCsv) -> None:
    (only,) = runs(shared, run_csv, KITCHEN)
    with pytest.raises(NoGeneration, match=f"no generation before {only}"):
        roll_back(shared)
    with pytest.raises(NoGeneration, match=f"{only} is in service"):
        roll_back(shared, only)
    with pytest.raises(NoGeneration, match="generation-none is not in"):
        roll_back(shared, "generation-none")


def test_verifying_one_names_its_damage_and_that_of_its_vectors(settings: Settings, run_csv: RunCsv) -> None:
    first, second = runs(replace(settings, keep_generations=9), run_csv, KITCHEN, KITCHEN + LATER)
    with Store.open(settings.db) as store:
        assert verify_generations(store, settings.indexes, [first, second]) == []
        cut_short(settings.indexes / second / "index.faiss")
        assert verify_generations(store, settings.indexes, [first]) == []
        (damage,) = verify_generations(store, settings.indexes, [first, second])
        assert f"{second}/index.faiss has " in damage.said
        cut_short(next(settings.indexes.glob("vectors/*/segment-000000-*/vectors.npy")))
        assert any("vectors.npy has " in damage.said for damage in verify_generations(store, settings.indexes, [first]))
        with pytest.raises(NoGeneration):
            verify_generations(store, settings.indexes, ["generation-none"])


def test_pruning_keeps_what_is_in_service_and_the_newest_beside_it(shared: Settings, run_csv: RunCsv) -> None:
    names = runs(shared, run_csv, KITCHEN[:2], KITCHEN[:4], KITCHEN, KITCHEN + LATER)
    roll_back(shared, names[1])
    assert prune(shared, 2).generations == (names[2], names[0])
    assert set(generation_names(shared.indexes)) == {names[1], names[3]}
    assert prune(shared, 2).generations == ()
    assert prune(shared, 1).generations == (names[3],)
    assert found(shared)


def test_vectors_go_when_neither_a_generation_nor_a_question_needs_them(settings: Settings, run_csv: RunCsv) -> None:
    run_csv(KITCHEN)
    vectors = VectorStore(settings.indexes / VECTORS, "ab" * 32)
    for words in (["nobody asked this"], ["nor that", "can cats eat rice"]):  # the last one is a recorded text
        vectors.append(key_array(text_key(text) for text in words), _rows(len(words)))
    (removed,) = prune(settings, 1).segments
    assert removed.startswith(f"{'ab' * 16}/segment-000000-")
    assert len(VectorStore(settings.indexes / VECTORS, "ab" * 32)) == 2
    run_csv(KITCHEN)


def test_vectors_of_another_databases_generation_stay(settings: Settings, run_csv: RunCsv, tmp_path: Path) -> None:
    run_csv([("1", "Is this of another site?", 1)], db=f"sqlite:///{tmp_path / 'other.db'}")
    run_csv(KITCHEN)
    assert prune(settings, 1).segments == ()
    assert prune(settings, 1).generations == ()
    assert len(generation_names(settings.indexes)) == 2


def test_a_generation_that_cannot_be_read_keeps_all_vectors(settings: Settings, run_csv: RunCsv) -> None:
    first, _ = runs(replace(settings, keep_generations=9), run_csv, [("1", "Gone by now?", 1)], KITCHEN)
    cut_short(settings.indexes / first / "manifest.json")
    assert prune(settings, 2).segments == ()


def _rows(count: int) -> Any:
    import numpy as np

    return np.eye(count, 8, dtype=np.float32)
