"""How many of the pairs a join in cells finds: chosen on one sample of rows, measured on another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.cores import spread
from dedup.distance import pair_distances
from dedup.join.candidates import Candidates
from dedup.join.cells import meet
from dedup.join.cutoff import Cutoff
from dedup.join.gathered import Found, Met, in_order, measured
from dedup.questions import Float32, Int64, Metric, Pairs

_SAMPLED = 256  # rows of a sample; more where duplicates are few
_MOST_SAMPLED = 4096
_ENOUGH_PAIRS = 500  # from which a sample tells .995 from .99, nearly: another one has its say
_MOST_SAMPLES = 6
_SEED = 20_000
_COMPARED = 1024  # rows that a sample is compared with at once: they stay in the processor's cache
VISITS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
_MARGIN = 0.99  # of the smallest ratio of L1 to L2 seen in a sample


@dataclass(frozen=True, slots=True)
class Tuned:
    """How many cells each row visits, by the pairs of one sample, and the pairs of another to measure the join on."""

    visits: int
    tuning: Pairs
    held_out: Pairs


def tune(
    embeddings: Float32,
    candidates: Candidates,
    cells: NDArray[np.int16],
    metric: Metric,
    cutoff: Cutoff,
    recall_floor: float,
) -> Tuned:
    """Choose the fewest visits with which a join in cells finds enough pairs.

    Where a sample that had no part in the choice has too many pairs that never meet, the choice was by a lucky sample:
    that sample then takes part, and another one is drawn. As long as there are others.
    """
    samples = _samples(embeddings, candidates, metric, cutoff)
    tuning, held_out = next(samples), next(samples)
    while True:
        visits = fewest_visits(cells, tuning, recall_floor)
        if meet(cells, held_out.left, held_out.right, visits).sum() >= recall_floor * len(held_out):
            return Tuned(visits, tuning, held_out)
        if (another := next(samples, None)) is None:
            return Tuned(visits, tuning, held_out)
        tuning, held_out = _together(tuning, held_out), another


def _samples(embeddings: Float32, candidates: Candidates, metric: Metric, cutoff: Cutoff) -> Iterator[Pairs]:
    """Yield all pairs under the cut-off of disjoint samples of rows, two at the least; compared with every row.

    Where duplicates are few, a small sample may hold none, and would call any recall perfect: it is made larger.
    """
    rows = len(embeddings)
    shuffled = np.random.default_rng(_SEED).permutation(rows)
    size = min(_SAMPLED, rows // 2)
    first = _pairs_of(shuffled[:size], embeddings, candidates, metric, cutoff)
    while len(first) < _ENOUGH_PAIRS and size < min(_MOST_SAMPLED, rows // 2):
        more = shuffled[size : min(2 * size, rows // 2)]
        first = _together(first, _pairs_of(more, embeddings, candidates, metric, cutoff))
        size += len(more)
    yield first
    for start in range(size, min(rows, _MOST_SAMPLES * size), size):
        yield _pairs_of(shuffled[start : start + size], embeddings, candidates, metric, cutoff)


def _together(one: Pairs, other: Pairs) -> Pairs:
    """Return the pairs of either sample, in no order; those that both have count twice."""
    return Pairs(
        np.concatenate([one.left, other.left]),
        np.concatenate([one.right, other.right]),
        np.concatenate([one.distance, other.distance]),
    )


def _pairs_of(sample: Int64, embeddings: Float32, candidates: Candidates, metric: Metric, cutoff: Cutoff) -> Pairs:
    everything = np.arange(len(embeddings), dtype=np.int64)
    sampled = np.zeros(len(embeddings), dtype=bool)
    sampled[sample] = True

    def compare(start: int) -> Found:
        others = everything[start : start + _COMPARED]
        met = Met(sample, others, *candidates.within(sample, others))
        # A pair of two sampled rows is met from both sides: the smaller row keeps it.
        return measured(embeddings, metric, cutoff, [met.where((met.left < met.right) | ~sampled[met.right])])

    return in_order(spread(compare, range(0, len(embeddings), _COMPARED)), len(embeddings))


def fewest_visits(cells: NDArray[np.int16], truth: Pairs, recall_floor: float) -> int:
    """Return the fewest visits whose recall on the tuning sample is half-way from the floor to 1; else the most.

    One more pair counts as missed: a handful of pairs, all found, shows little.
    """
    wanted, most = (1 + recall_floor) / 2 * (len(truth) + 1), int(cells.shape[1])
    for visits in VISITS:
        if visits < most and meet(cells, truth.left, truth.right, visits).sum() >= wanted:
            return visits
    return most


def smallest_ratio(embeddings: Float32, truth: Pairs) -> float:
    """Return the smallest ratio of L1 to L2 that pairs within the cut-off have, with a margin; ``truth`` is in L1.

    Among the vectors of texts the ratio hardly varies: the differences of two are about normally distributed, which
    makes it sqrt(2 d / pi). It is between 1 and sqrt(d) for any.
    """
    euclidean = pair_distances(embeddings, truth.left, truth.right, Metric.EUCLIDEAN)
    apart = euclidean > 0
    typical = np.sqrt(2 * embeddings.shape[1] / np.pi)
    return max(1.0, _MARGIN * float((truth.distance[apart] / euclidean[apart]).min(initial=typical)))


def found_share(pairs: Pairs, truth: Pairs) -> float:
    """Return the share of the true pairs that were found; 1 where there are none."""
    if len(truth) == 0:
        return 1.0
    first, last = (np.searchsorted(pairs.left, truth.left, side).tolist() for side in ("left", "right"))
    partners = (pairs.right[start:end] for start, end in zip(first, last, strict=True))
    return float(np.mean([_holds(some, right) for some, right in zip(partners, truth.right.tolist(), strict=True)]))


def _holds(ascending: Int64, wanted: int) -> bool:
    place = int(np.searchsorted(ascending, wanted))
    return place < len(ascending) and int(ascending[place]) == wanted
