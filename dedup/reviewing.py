"""What is most worth asking a person, and what the answers say about all pairs.

Most pairs that are asked about are those of which the classifier is least sure. Every fourth is drawn at random: only
from these can be estimated how good the pairs are as a whole, for the others were chosen for being hard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from dedup.store import PairRecord, QuestionRecord, Reviewed, Store, Stratum, Verdict

REVIEWERS = 2
"""How many people look at each pair."""

_RANDOM_EACH = 4  # one pair in so many is drawn at random
_WINDOW = 4_000  # recorded pairs from which the next ones are chosen; their order is that of hashes
_Z = 1.959963984540054  # of a 95% interval


@dataclass(frozen=True, slots=True)
class Asked:
    """A pair that a person is asked about."""

    left: QuestionRecord
    right: QuestionRecord
    distance: float
    probability: float
    stratum: Stratum


@dataclass(frozen=True, slots=True)
class Share:
    """A share of n pairs, with its 95% interval (Wilson, 1927); NaN where n is 0."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True)
class Estimates:
    """What the reviews of randomly drawn pairs say of all recorded pairs, at a threshold."""

    precision: Share  # of the pairs at or above it, how many are the same
    recall: Share  # of the recorded pairs that are the same, how many are at or above it
    disagreements: int  # pairs of any stratum on which reviewers disagree; they count for neither
    agreement: Share  # of the pairs of any stratum with two reviewers or more, on how many all agree
    judged: int  # pairs of any stratum with a verdict


def next_pairs(
    store: Store, reviewer: str, count: int, *, threshold: float, random: np.random.Generator
) -> list[Asked]:
    """Choose the pairs to ask a reviewer about: first those that one other has judged, then new ones.

    A pair that the reviewer has judged or skipped, or that enough others have judged, does not come again. So where a
    good part of all pairs has been judged, uncertain ones are rarer among those drawn at random than they should be.
    """
    seen = store.pairs_seen_by(reviewer)
    judged = {
        (review.left, review.right): (review.stratum, len(each.reviews))
        for each in store.reviewed()
        for review in each.reviews[:1]
    }
    begun = [pair for pair, (_, reviews) in judged.items() if reviews < REVIEWERS and pair not in seen]
    drawn = _window(store, random)
    new = [pair for pair in drawn if (pair.left, pair.right) not in seen and (pair.left, pair.right) not in judged]
    known = {(pair.left, pair.right): pair for pair in drawn}
    found = [(known.get(ends) or _recorded(store, *ends), judged[ends][0]) for ends in begun[:count]]
    chosen = [(pair, stratum) for pair, stratum in found if pair is not None]
    wanted = count - len(chosen)
    # The random ones are drawn first, from all: what is left to them by a choice would not be a random sample.
    places = random.permutation(len(new))[: wanted // _RANDOM_EACH].tolist()
    rest = [new[at] for at in sorted(set(range(len(new))) - set(places))]
    rest.sort(key=lambda pair: abs(pair.probability - threshold))
    uncertain = [(pair, Stratum.UNCERTAIN) for pair in rest[: wanted - len(places)]]
    for at, place in enumerate(places):
        uncertain.insert((at + 1) * _RANDOM_EACH - 1, (new[place], Stratum.RANDOM))
    chosen += uncertain
    questions = store.questions([number for pair, _ in chosen for number in (pair.left, pair.right)])
    return [
        Asked(questions[pair.left], questions[pair.right], pair.distance, pair.probability, stratum)
        for pair, stratum in chosen
        if pair.left in questions and pair.right in questions
    ]


def estimates(reviewed: Sequence[Reviewed], threshold: float) -> Estimates:
    """Estimate precision and recall from the randomly drawn pairs on which all reviewers agree.

    Recall is among the recorded pairs: what no run has found is not among those that are drawn.
    """
    drawn = [
        (each.reviews[0].probability, each.agreed is Verdict.SAME)
        for each in reviewed
        if each.agreed is not None and each.reviews[0].stratum is Stratum.RANDOM
    ]
    known = [(probability >= threshold, same) for probability, same in drawn if probability is not None]
    return Estimates(
        precision=share([same for above, same in known if above]),
        recall=share([above for above, same in known if same]),
        disagreements=sum(each.agreed is None for each in reviewed),
        agreement=share([each.agreed is not None for each in reviewed if len(each.reviews) >= REVIEWERS]),
        judged=len(reviewed),
    )


def share(hits: Sequence[bool]) -> Share:
    """Return the share of hits, with its interval.

    Source: Wilson (1927), "Probable Inference, the Law of Succession, and Statistical Inference".
    """
    n = len(hits)
    if not n:
        return Share(float("nan"), float("nan"), float("nan"), 0)
    p, z2 = sum(hits) / n, _Z * _Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z * sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Share(p, max(0.0, middle - half), min(1.0, middle + half), n)


def _window(store: Store, random: np.random.Generator) -> Sequence[PairRecord]:
    """Return recorded pairs from a random place on: their numbers are hashes, so their order says nothing of them."""
    found = list(store.pairs_from(int(random.integers(2**63)), _WINDOW))
    if len(found) < _WINDOW:
        before = store.pairs_from(0, _WINDOW - len(found))
        there = {(pair.left, pair.right) for pair in found}
        found += [pair for pair in before if (pair.left, pair.right) not in there]
    return [pair for pair in found if (pair.distance, pair.probability) != (0.0, 1.0)]  # exact copies ask the same


def _recorded(store: Store, left: int, right: int) -> PairRecord | None:
    return next((pair for pair in store.pairs_from(left, _WINDOW) if (pair.left, pair.right) == (left, right)), None)
