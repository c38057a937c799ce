"""What a run kept of its pairs stands in for what is on record only where it says the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import write_csv
from sqlalchemy import delete

from dedup.generations import roll_back
from dedup.kept import load_recorded_pairs
from dedup.pipeline import reindex, run
from dedup.questions import question_key
from dedup.settings import Settings
from dedup.store import Recorded, RecordedPairs, Store
from dedup.store.models import PairRow

ROWS = [
    (str(n), text, 1) for n, text in enumerate(("boil an egg?", "boil eggs?", "boil an egg slowly", "boil the egg?"))
]


@pytest.fixture
def own(settings: Settings, database_url: str, tmp_path: Path) -> Settings:
    own = replace(settings, db=database_url, candidate_floor=0.0001)
    run([write_csv(tmp_path / "questions.csv", ROWS)], own)
    return own


@pytest.fixture
def store(own: Settings) -> Iterator[Store]:
    with Store.open(own.db) as store:
        yield store


def marked(own: Settings, store: Store) -> RecordedPairs:
    """Return what was kept, with other probabilities: to be recognised by."""
    kept = load_recorded_pairs(own.indexes, store)
    assert kept is not None
    return replace(kept, probability=np.full(len(kept.left), 0.125))


def ends(recorded: Recorded) -> list[tuple[int, int]]:
    return list(zip(recorded.pairs.left.tolist(), recorded.pairs.right.tolist(), strict=True))


def test_it_is_what_is_on_record(own: Settings, store: Store) -> None:
    kept, recorded = load_recorded_pairs(own.indexes, store), store.recorded()
    assert kept is not None
    assert len(kept.left) == 6
    for column in ("left", "right", "distance", "probability"):
        np.testing.assert_array_equal(getattr(kept, column), getattr(recorded.pairs, column))
    assert (store.recorded(marked(own, store)).pairs.probability == 0.125).all()


def test_questions_that_left_take_their_pairs_with_them(own: Settings, store: Store) -> None:
    kept = marked(own, store)
    store.delete_questions([question_key("default", "2")])
    recorded = store.recorded(kept)
    assert ends(recorded) == ends(store.recorded())
    assert len(recorded.pairs.left) == 3
    assert (recorded.pairs.probability == 0.125).all()


def test_where_other_pairs_are_on_record_those_count(own: Settings, store: Store) -> None:
    kept = marked(own, store)
    with store._database.writing() as connection:
        connection.execute(
            delete(PairRow).where(PairRow.left_id == int(kept.left[0]), PairRow.right_id == int(kept.right[0]))
        )
    assert (store.recorded(kept).pairs.probability != 0.125).all()


def test_after_a_rollback_it_is_not_used(own: Settings, store: Store, tmp_path: Path) -> None:
    reindex([write_csv(tmp_path / "more.csv", [("9", "boil my egg?", 1)])], own)
    assert load_recorded_pairs(own.indexes, store) is not None
    roll_back(own)
    assert load_recorded_pairs(own.indexes, store) is None
