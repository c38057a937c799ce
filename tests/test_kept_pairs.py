"""What differs from the pairs that a run kept is what has to be written, whatever became of questions since."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import write_csv
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.collapse import Texts, as_question_pairs, collapse
from dedup.continuity import changed_duplicates
from dedup.generations import roll_back
from dedup.kept import load_known_pairs
from dedup.kept_pairs import KnownPairs, load_pairs, pair_changes, save_pairs
from dedup.pipeline import reindex, run
from dedup.questions import Float64, Int64, Pairs
from dedup.settings import Settings
from dedup.store import Recorded, RecordedPairs, Store, StoredClusters
from dedup.text import key_array

ROWS = [
    (str(n), text, 1) for n, text in enumerate(("boil an egg?", "boil eggs?", "boil an egg slowly", "boil the egg?"))
]
NONE = np.empty(0, dtype=np.int64)
NO_CLUSTERS = StoredClusters(NONE, NONE, np.empty(0), NONE, NONE, NONE, np.empty(0))


class Night:
    """Questions, by their numbers, with a text each, and what was found among the texts."""

    def __init__(self, chance: np.random.Generator, texts: dict[int, int]) -> None:
        ids = np.array(sorted(texts, key=lambda number: (texts[number], number)), dtype=np.int64)
        keys = key_array(texts[number].to_bytes(16, "big") for number in ids.tolist())
        self.ids: Int64 = ids
        self.texts: Texts = collapse(ids, keys)
        rows = len(self.texts.keys)
        left, right = np.triu_indices(rows, 1)
        kept = chance.random(len(left)) < 0.4
        left, right = left[kept].astype(np.int64), right[kept].astype(np.int64)
        self.pairs = Pairs(left, right, ((left + right) / 8).astype(np.float32))
        self.probability: Float64 = chance.choice([0.3, 0.5, 0.7, 0.9], len(left))

    def recorded(self) -> RecordedPairs:
        return as_question_pairs(self.texts, self.ids, self.pairs, self.probability)


def by_ends(pairs: RecordedPairs) -> dict[tuple[int, int], tuple[float, float]]:
    columns = (each.tolist() for each in (pairs.left, pairs.right, pairs.distance, pairs.probability))
    return {(left, right): (far, sure) for left, right, far, sure in zip(*columns, strict=True)}


@repeatable
@given(seed=st.integers(0, 2**20))
def test_writing_what_differs_gives_what_is_found_now(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    chance = np.random.default_rng(seed)
    numbers = range(1, 16)
    then = Night(chance, {number: int(chance.integers(1, 12)) for number in numbers if chance.random() < 0.8} or {1: 1})
    now_texts = {number: int(chance.integers(1, 12)) for number in numbers if chance.random() < 0.2}
    kept = zip(then.ids.tolist(), then.texts.row.tolist(), strict=True)
    same = {number: int.from_bytes(then.texts.keys[row], "big") for number, row in kept if chance.random() < 0.8}
    now = Night(chance, {**same, **now_texts} or {1: 1})
    folder = tmp_path_factory.mktemp("kept")
    save_pairs(folder, "g", then.texts, then.ids, then.pairs, then.probability)
    known = load_pairs(folder, "g")
    assert known is not None
    clustered = np.sort(then.ids[chance.random(len(then.ids)) < 0.8])  # the others were deleted, some came back since
    changes = pair_changes(
        known,
        now.texts,
        now.ids,
        now.pairs,
        now.probability,
        thresholds=(0.5, 0.6),
        clustered=clustered,
    )
    before, expected = by_ends(then.recorded()), by_ends(now.recorded())
    on_record = {ends: found for ends, found in before.items() if {*ends} <= set(clustered.tolist())}
    going, written = by_ends(changes.before), by_ends(changes.after)
    assert going.items() <= on_record.items()
    assert {**{ends: found for ends, found in on_record.items() if ends not in going}, **written} == expected
    every, some = (
        changed_duplicates(Recorded(1, 0.5, earlier, NO_CLUSTERS, 1), later, 0.6)
        for earlier, later in ((then.recorded(), now.recorded()), (changes.earlier, changes.after))
    )
    for column in ("left", "right", "duplicate"):
        np.testing.assert_array_equal(getattr(some, column), getattr(every, column))


def test_where_nothing_changed_no_pair_of_different_texts_differs(tmp_path: Path) -> None:
    night = Night(np.random.default_rng(1), {number: number % 7 + 1 for number in range(1, 15)})
    save_pairs(tmp_path, "g", night.texts, night.ids, night.pairs, night.probability)
    known = load_pairs(tmp_path, "g")
    assert isinstance(known, KnownPairs)
    found = pair_changes(
        known,
        night.texts,
        night.ids,
        night.pairs,
        night.probability,
        thresholds=(0.5, 0.5),
        clustered=np.sort(night.ids),
    )
    for each in (found.earlier, found.before, found.after):
        assert (each.distance == 0).all()


@pytest.fixture
def own(settings: Settings, database_url: str, tmp_path: Path) -> Settings:
    own = replace(settings, db=database_url, candidate_floor=0.0001)
    run([write_csv(tmp_path / "questions.csv", ROWS)], own)
    return own


def test_it_is_what_is_on_record(own: Settings) -> None:
    with Store.open(own.db) as store:
        known, recorded = load_known_pairs(own.indexes, store), store.recorded().pairs
    assert known is not None
    ends = np.sort(known.representative[known.ends], axis=0)
    order = np.lexsort(ends[::-1])
    np.testing.assert_array_equal(ends[:, order], [recorded.left, recorded.right])
    np.testing.assert_array_equal(known.probability[order], recorded.probability)
    np.testing.assert_array_equal(known.distance[order], recorded.distance)


def test_after_a_rollback_it_is_not_used(own: Settings, tmp_path: Path) -> None:
    reindex([write_csv(tmp_path / "more.csv", [("9", "boil my egg?", 1)])], own)
    with Store.open(own.db) as store:
        assert load_known_pairs(own.indexes, store) is not None
        roll_back(own)
        assert load_known_pairs(own.indexes, store) is None
