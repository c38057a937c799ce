"""How many of the pairs a join in cells finds: chosen on one sample of rows, measured on another."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from dedup.cores import spread
from dedup.distance import pair_distances
from dedup.join.candidates import Candidates
from dedup.join.cells import meet
from dedup.join.cutoff import Cutoff
from dedup.join.gathered import Found, Met, in_order, measured
from dedup.questions import Float32, Int64, Metric, Pairs
from dedup.reference import Near

_SAMPLES = (256, 1024, 4096)  # rows of each of the two samples: more where duplicates are few
_ENOUGH_PAIRS = 200  # from which a sample tells .995 from .99
_SEED = 20_000
_COMPARED = 1024  # rows that a sample is compared with at once: they stay in the processor's cache
VISITS = (2, 3, 4, 6, 8, 12, 16, 24, 32)
_MARGIN = 0.99  # of the smallest ratio of L1 to L2 seen in a sample


def exact_samples(embeddings: Float32, candidates: Candidates, metric: Metric, cutoff: Cutoff) -> tuple[Pairs, Pairs]:
    """Return all pairs under the cut-off of two disjoint samples of rows, found by comparing them with every row."""
    everything = np.arange(len(embeddings), dtype=np.int64)

    def pairs_of(sample: Int64) -> Pairs:
        found = compared_with(sample, everything, embeddings, candidates, metric, cutoff)
        return in_order(found, len(embeddings))

    return large_enough(len(embeddings), pairs_of)


def large_enough(rows: int, pairs_of: Callable[[Int64], Pairs]) -> tuple[Pairs, Pairs]:
    """Return the pairs of two disjoint samples of so many rows.

    Where duplicates are few, a small sample may hold none, and would call any recall perfect: it is made larger.

    Parameters
    ----------
    pairs_of
        Gives all pairs under the cut-off of some rows, each with whichever row.
    """
    shuffled = np.random.default_rng(_SEED).permutation(rows)
    for size in _SAMPLES:
        samples = shuffled[: 2 * size : 2], shuffled[1 : 2 * size : 2]
        tuning, held_out = (pairs_of(sample) for sample in samples)
        if min(len(tuning), len(held_out)) >= _ENOUGH_PAIRS or 2 * size >= rows:
            break
    return tuning, held_out


def compared_with(
    sample: Int64, others: Int64, embeddings: Float32, candidates: Candidates, metric: Metric, cutoff: Cutoff
) -> Iterator[Found]:
    """Compare a sample of rows with others; the sample may be among them."""
    sampled = np.zeros(len(embeddings), dtype=bool)
    sampled[sample] = True

    def compare(start: int) -> Found:
        some = others[start : start + _COMPARED]
        met = Met(sample, some, *candidates.within(sample, some))
        # A pair of two sampled rows is met from both sides: the smaller row keeps it.
        return measured(embeddings, metric, cutoff, [met.where((met.left < met.right) | ~sampled[met.right])])

    return spread(compare, range(0, len(others), _COMPARED))


def fewest_visits(near: Near, truth: Pairs, recall_floor: float) -> int:
    """Return the fewest visits whose recall on the tuning sample is half-way from the floor to 1; else the most.

    One more pair counts as missed: a handful of pairs, all found, shows little.
    """
    wanted, most = (1 + recall_floor) / 2 * (len(truth) + 1), int(near.row.shape[1])
    for visits in VISITS:
        if visits < most and meet(near, truth.left, truth.right, visits).sum() >= wanted:
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
