"""How many of the pairs a join in cells finds: chosen on one sample of rows, measured on another."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dedup.cores import spread
from dedup.distance import pair_distances
from dedup.join.candidates import Candidates
from dedup.join.cells import meet
from dedup.join.cutoff import Cutoff
from dedup.join.found import FoundPairs, Met, in_order, measured
from dedup.questions import Float32, Int64, Metric, Pairs

_SAMPLED = 256  # rows of a sample; more where duplicates are few
_MOST_SAMPLED = 4096
_ENOUGH_PAIRS = 500  # from which a sample tells .995 from .99, nearly: another one has its say
_MOST_SAMPLES = 6
_MOST_PAIRS = 1 << 16  # of a sample; a group of thousands of near-copies has millions, which tell no more
_SEED = 20_000
_COMPARED = 1024  # rows that a sample is compared with at once: they stay in the processor's cache
VISITS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
FURTHER = (32, 40, 48)
_SHOWN, _SHOWN_FURTHER = 0.5, 0.2  # how much of the way from the floor to 1 a sample has to show, with either of these
_MARGIN = 0.99  # of the smallest ratio of L1 to L2 seen in a sample


PairsOf: TypeAlias = Callable[[Int64], Pairs]
"""Gives all pairs under the cut-off of some rows, each with whichever row."""

CellsOf: TypeAlias = Callable[[Int64, int], NDArray[np.int16]]
"""Gives the cells of so many of the reference vectors nearest to some rows, (n_rows, k); see `dedup.join.cells`."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """How many cells each row visits, by the pairs of one sample, and the pairs of another to measure the join on."""

    visits: int
    tuning: Pairs
    held_out: Pairs


def tune(rows: int, pairs_of: PairsOf, cells_of: CellsOf, recall_floor: float) -> Tuned:
    """Choose the fewest visits with which a join of so many rows in cells finds enough pairs.

    Where a sample that had no part in the choice has too many pairs that never meet, the choice was by a lucky sample:
    that sample then takes part, and another one is drawn. As long as there are others.
    """
    samples = _samples(rows, pairs_of)
    tuning, held_out = next(samples), next(samples)
    while True:
        visits = fewest_visits(cells_of, tuning, recall_floor)
        met = meet(cells_of(held_out.left, visits), cells_of(held_out.right, visits), visits)
        if met.sum() >= recall_floor * len(held_out):
            return Tuned(visits, tuning, held_out)
        if (another := next(samples, None)) is None:
            return Tuned(visits, tuning, held_out)
        tuning, held_out = _together(tuning, held_out), another


def _samples(rows: int, pairs_of: PairsOf) -> Iterator[Pairs]:
    """Yield the pairs of disjoint samples of so many rows, two at the least.

    Where duplicates are few, a small sample may hold none, and would call any recall perfect: it is made larger.
    """
    shuffled = np.random.default_rng(_SEED).permutation(rows)
    size = min(_SAMPLED, rows // 2)
    first = pairs_of(shuffled[:size])
    while len(first) < _ENOUGH_PAIRS and size < min(_MOST_SAMPLED, rows // 2):
        more = shuffled[size : min(2 * size, rows // 2)]
        first = _together(first, pairs_of(more))
        size += len(more)
    yield _thinned(first)
    for start in range(size, min(rows, _MOST_SAMPLES * size), size):
        yield _thinned(pairs_of(shuffled[start : start + size]))


def _thinned(pairs: Pairs) -> Pairs:
    """Return every so many-th pair, where there are more than have to be looked at."""
    some = slice(None, None, max(1, -(-len(pairs) // _MOST_PAIRS)))
    return Pairs(pairs.left[some], pairs.right[some], pairs.distance[some])


def _together(one: Pairs, other: Pairs) -> Pairs:
    """Return the pairs of either sample, in no order; those that both have count twice."""
    return Pairs(
        np.concatenate([one.left, other.left]),
        np.concatenate([one.right, other.right]),
        np.concatenate([one.distance, other.distance]),
    )


def exact_pairs(embeddings: Float32, candidates: Candidates, metric: Metric, cutoff: Cutoff, sample: Int64) -> Pairs:
    """Return all pairs under the cut-off of a sample of rows, found by comparing it with every row."""
    everything = np.arange(len(embeddings), dtype=np.int64)
    return in_order(compared_with(sample, everything, embeddings, candidates, metric, cutoff), len(embeddings))


def compared_with(
    sample: Int64, others: Int64, embeddings: Float32, candidates: Candidates, metric: Metric, cutoff: Cutoff
) -> Iterator[FoundPairs]:
    """Compare a sample of rows with others; the sample may be among them."""
    sampled = np.zeros(len(embeddings), dtype=bool)
    sampled[sample] = True

    def compare(start: int) -> FoundPairs:
        some = others[start : start + _COMPARED]
        met = Met(sample, some, *candidates.within(sample, some))
        # A pair of two sampled rows is met from both sides: the smaller row keeps it.
        return measured(embeddings, metric, cutoff, [met.where((met.left < met.right) | ~sampled[met.right])])

    return spread(compare, range(0, len(others), _COMPARED))


def fewest_visits(cells_of: CellsOf, truth: Pairs, recall_floor: float) -> int:
    """Return the fewest of `VISITS` whose recall on the tuning sample is half-way from the floor to 1.

    One more pair counts as missed: a handful of pairs, all found, shows little. Where none will do, the fewest of
    `FURTHER` that is a fifth of the way, without that pair: eight visits more cost a quarter more of the time, which
    a small sample is no reason for. Else the most.
    """
    for tried, share, missed in ((VISITS, _SHOWN, 1), (FURTHER, _SHOWN_FURTHER, 0)):
        left, right = cells_of(truth.left, tried[-1]), cells_of(truth.right, tried[-1])
        wanted = (recall_floor + share * (1 - recall_floor)) * (len(truth) + missed)
        for visits in tried:
            if meet(left, right, visits).sum() >= wanted:
                return min(visits, int(left.shape[1]))
    return min(FURTHER[-1], int(left.shape[1]))


def references_needed(homes: NDArray[np.int16], cells: NDArray[np.int16], recall_floor: float) -> int | None:
    """Return around how many reference vectors one row of each pair has to visit, where the other stays at home.

    For enough pairs to meet, as with `VISITS` in `fewest_visits`; None where even all k are too few.

    Parameters
    ----------
    homes
        (n_pairs,) the cell of the one that stays.
    cells
        (n_pairs, k) those around the k reference vectors that are nearest to the other, as `cells_around` returns them.
    """
    at_home = cells == homes[:, None]
    needed = np.sort(np.where(at_home.any(axis=1), at_home.argmax(axis=1) + 1, cells.shape[1] + 1))
    wanted = math.ceil((recall_floor + _SHOWN * (1 - recall_floor)) * (len(homes) + 1))
    if wanted > len(homes) or needed[wanted - 1] > cells.shape[1]:
        return None
    return int(needed[wanted - 1])


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
