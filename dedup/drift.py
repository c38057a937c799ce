"""Whether a run's figures are like those of the runs before: a jump may be a broken dump, or another kind of question.

Three figures: the share of questions that are duplicates, how the candidate pairs' distances are spread, and the share
of duplicates among them that the probabilities are stated for. Each is compared with the last runs'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from dedup.questions import Float64

RUNS = 7
"""How many runs before are looked at: a week of nights."""

_SHARE_STEP = 0.02  # of all questions, and of the share before: less is how a corpus grows
_SHARE_RATIO = 0.25
_PRIOR_RATIO = 0.5  # estimated, so less steady
_MOVED = 0.1  # of the pairs; the Kolmogorov-Smirnov distance of two samples that large is never chance, if below:
_SIGNIFICANT = 1.95  # its critical value at 0.1%, times sqrt((n + m) / (n m)); Smirnov (1948)


@dataclass(frozen=True, slots=True)
class Figures:
    """What of a run is compared."""

    duplicate_share: float  # of all questions, those that a cluster has beside its canonical one
    histogram: tuple[int, ...]  # candidate pairs by distance, in equal bins from 0 ...
    reach: float  # ... to here
    prior: float | None  # None: not recorded


@dataclass(frozen=True, slots=True)
class Jump:
    """One figure that is not like those before."""

    figure: str
    before: float  # the median of the runs before
    now: float

    def __str__(self) -> str:
        return f"{self.figure}: {self.now:.4g}, in the runs before {self.before:.4g}"


def jumps(now: Figures, before: Sequence[Figures]) -> list[Jump]:
    """Return the figures of a run that are not like those of the runs before it, of which the last come first.

    Of the histograms the last one alone is compared with: that a corpus slowly becomes another is no jump.
    """
    recent = before[:RUNS]
    if not recent:
        return []
    found = []
    share = median(each.duplicate_share for each in recent)
    if abs(now.duplicate_share - share) > max(_SHARE_STEP, _SHARE_RATIO * share):
        found.append(Jump("share of duplicates", share, now.duplicate_share))
    moved = distance_between(now, recent[0])
    if moved > max(_MOVED, _critical(sum(now.histogram), sum(recent[0].histogram))):
        reach = min(now.reach, recent[0].reach)
        found.append(Jump("median distance of candidate pairs", _median(recent[0], reach), _median(now, reach)))
    priors = [each.prior for each in recent if each.prior is not None]
    if now.prior is not None and priors and not _alike(now.prior, median(priors)):
        found.append(Jump("share of duplicates among candidate pairs", median(priors), now.prior))
    return found


def distance_between(one: Figures, other: Figures) -> float:
    """Return the Kolmogorov-Smirnov distance of two histograms, from 0 to 1: the largest gap of their shares.

    Up to the smaller reach, where both are known; within a bin pairs are taken to be spread evenly. 0 where one has no
    pair.
    """
    reach = min(one.reach, other.reach)
    at = np.linspace(0.0, reach, 1 + 4 * max(len(one.histogram), len(other.histogram), 1))
    first, second = _shares(one, at), _shares(other, at)
    if not (first[-1] and second[-1]):
        return 0.0
    return float(np.abs(first / first[-1] - second / second[-1]).max())


def _shares(figures: Figures, at: Float64) -> Float64:
    """Return how many pairs are within each distance, (len(at),)."""
    if not figures.histogram:
        return np.zeros(len(at))
    edges = np.linspace(0.0, figures.reach, len(figures.histogram) + 1)
    within: Float64 = np.interp(at, edges, np.concatenate([[0], np.cumsum(figures.histogram)]))
    return within


def _median(figures: Figures, reach: float) -> float:
    """Return the distance that half of the pairs within ``reach`` are within."""
    at = np.linspace(0.0, reach, 1001)
    within = _shares(figures, at)
    return float(at[np.searchsorted(within, within[-1] / 2)])


def _critical(n: int, m: int) -> float:
    return _SIGNIFICANT * ((n + m) / (n * m)) ** 0.5 if n and m else 1.0


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= _PRIOR_RATIO * max(one, other)
