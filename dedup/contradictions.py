"""Decisions that cannot all be right: shown with what they are made of, so that a person can mend them.

Either reviewers disagree on a pair, or a rejected pair is held together by a chain of confirmed ones. Neither is
followed by a run; `dedup.decisions` says what is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import breadth_first_order

from dedup.decisions import constraints, decided
from dedup.questions import Int64
from dedup.store import QuestionRecord, Reviewed, ReviewRecord, Store, Verdict
from dedup.text import key_array


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two recorded questions about which people contradict each other.

    ``chain`` are the questions from the left to the right one, each confirmed to ask what the one before it asks, where
    these hold a rejected pair together; empty where reviewers disagree on the pair itself.
    """

    left: QuestionRecord
    right: QuestionRecord
    reviews: tuple[ReviewRecord, ...]  # of the pair
    chain: tuple[QuestionRecord, ...]


def contradictions(store: Store) -> list[Contradiction]:
    """Return every contradiction about recorded questions, in the order of the pairs' text keys."""
    reviewed = store.reviewed()
    keys = sorted({key for each in reviewed for key in (each.left_key, each.right_key)})
    question: dict[bytes, QuestionRecord] = {}
    for record in store.with_keys(keys):
        question.setdefault(record.text_key, record)
    known = [each for each in reviewed if each.left_key in question and each.right_key in question]
    chains = _chains([each for each in known if each.agreed is not None])
    return [
        Contradiction(
            question[each.left_key],
            question[each.right_key],
            each.reviews,
            tuple(question[key] for key in chains.get((each.left_key, each.right_key), ())),
        )
        for each in known
        if each.agreed is None or (each.left_key, each.right_key) in chains
    ]


def _chains(agreed: Sequence[Reviewed]) -> dict[tuple[bytes, bytes], list[bytes]]:
    """Return, for each rejected pair that confirmed ones hold together, the shortest chain of them, ends included."""
    keys = sorted({key for each in agreed for key in (each.left_key, each.right_key)})
    verdicts = [(each.left_key, each.right_key, each.agreed is Verdict.SAME) for each in agreed]
    constrained = constraints(decided(verdicts), key_array(keys))
    row = {key: at for at, key in enumerate(keys)}
    ends = [(row[left], row[right]) for left, right, same in verdicts if same]
    sides = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(ends)), (sides[0], sides[1])), shape=(len(keys), len(keys))).tocsr()
    found = {}
    for left, right in constrained.contradicted.tolist():
        _, before = breadth_first_order(graph, right, directed=False)
        found[keys[left], keys[right]] = [keys[at] for at in _path(before, left, right)]
    return found


def _path(before: Int64, start: int, end: int) -> list[int]:
    path = [start]
    while path[-1] != end:
        path.append(int(before[path[-1]]))
    return path
