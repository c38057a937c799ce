"""Which pairs of questions a split or a merge by hand is a verdict on.

Verdicts are on texts, so one copy of each stands for all. A split rejects every pair across it: any that is left out
could join the parts again. A merge confirms the canonical question of the one cluster with every text of both: where it
were confirmed with the other canonical question alone, what is near to one of the two only would be left behind, for in
a cluster that grows by probability no two questions may be strangers (`dedup.clustering`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import product

from dedup.service.problems import Problem
from dedup.store import ClusterRecord, QuestionRecord

MOST_PAIRS = 20_000
"""On which a verdict is recorded at once."""


def splitting(cluster: ClusterRecord, apart: Collection[int]) -> list[tuple[int, int]]:
    """Return the pairs across a split that sets some questions, by their numbers, apart from all others.

    Raises
    ------
    Problem
        Where one of them is not in the cluster, all or none are, copies of one text are on both sides, or the pairs are
        more than `MOST_PAIRS`.
    """
    questions = [member.question for member in cluster.members]
    if strangers := set(apart) - {question.number for question in questions}:
        raise Problem(409, "moved", f"{len(strangers)} of the questions are in another cluster by now; look again")
    chosen = _texts(question for question in questions if question.number in apart)
    others = _texts(question for question in questions if question.number not in apart)
    if not chosen or not others:
        raise Problem(422, "invalid", "choose some of the questions, and leave some: both parts need one")
    if chosen.keys() & others.keys():
        raise Problem(422, "invalid", "copies of one text ask the same; choose all copies of a text, or none")
    return _at_most(product(chosen.values(), others.values()), len(chosen) * len(others))


def merging(cluster: ClusterRecord, other: ClusterRecord) -> list[tuple[int, int]]:
    """Return the pairs that hold two clusters together; Problem where they are one, or too large."""
    if cluster.summary.id == other.summary.id:
        raise Problem(422, "invalid", "these are one cluster; give the number of another one")
    texts = _texts(member.question for each in (cluster, other) for member in each.members)
    canonical = cluster.summary.canonical
    rest = [number for key, number in texts.items() if key != canonical.text_key]
    return _at_most(((canonical.number, number) for number in rest), len(rest))


def _texts(questions: Iterable[QuestionRecord]) -> dict[bytes, int]:
    """Return the number of one question of each text, by its key."""
    return {question.text_key: question.number for question in questions}


def _at_most(pairs: Iterable[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    if count > MOST_PAIRS:
        raise Problem(
            422, "invalid", f"this is a verdict on {count:,} pairs, at most {MOST_PAIRS:,} are recorded at once"
        )
    return list(pairs)
