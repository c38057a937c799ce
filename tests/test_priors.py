"""The share of duplicates among unlabelled pairs: found again where it is known, refused where nothing is seen."""

import numpy as np
import pytest

from dedup.errors import ClassifierError
from dedup.priors import estimate_share, prior_under

CUTOFF = 0.6


def pairs(seed: int, n: int, share: float, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw distances up to the cut-off, and which of them are duplicates'."""
    random = np.random.default_rng(seed)
    duplicate = random.random(n) < share
    near = random.beta(4, 3, 4 * n) * 0.9
    rising = CUTOFF * (1 + np.log(random.uniform(np.exp(-rate), 1.0, n)) / rate)
    return np.where(duplicate, near[near <= CUTOFF][:n], rising), duplicate


def percentiles(seed: int) -> np.ndarray:
    """Return those of labelled duplicates of any distance."""
    return np.quantile(np.random.default_rng(seed).beta(4, 3, 100_000) * 0.9, np.linspace(0, 1, 101))


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4, 0.9])
@pytest.mark.parametrize("rate", [6.0, 12.0])
def test_a_known_share_is_found_again(share: float, rate: float) -> None:
    """Within a few points: the slower the others' number rises, the more they look like duplicates."""
    distance, duplicate = pairs(1, 50_000, share, rate)
    assert estimate_share(distance, percentiles(2), CUTOFF) == pytest.approx(duplicate.mean(), abs=0.06)


def test_pairs_beyond_the_cut_off_change_nothing() -> None:
    distance, _ = pairs(3, 5000, 0.3, 8.0)
    more = np.concatenate([distance, np.full(1000, CUTOFF + 0.1)])
    assert estimate_share(more, percentiles(4), CUTOFF) == estimate_share(distance, percentiles(4), CUTOFF)


def test_the_unit_of_the_distance_does_not_matter() -> None:
    distance, _ = pairs(5, 5000, 0.3, 8.0)
    scaled = estimate_share(16 * distance, 16 * percentiles(6), 16 * CUTOFF)
    assert scaled == pytest.approx(estimate_share(distance, percentiles(6), CUTOFF), abs=0.002)


@pytest.mark.parametrize(("distance", "cutoff"), [([], 0.6), ([0.5], 0.4), ([0.1], -1.0)])
def test_nothing_within_the_cut_off_is_refused(distance: list[float], cutoff: float) -> None:
    with pytest.raises(ClassifierError, match="estimated; give --prior a number"):
        estimate_share(distance, percentiles(7), cutoff)


def test_without_a_cutoff_the_prior_under_it_is_the_prior() -> None:
    distance, duplicate = pairs(8, 1000, 0.3, 8.0)
    assert prior_under(distance, duplicate, np.inf, prior=0.369) == pytest.approx(0.369)


def test_under_a_cutoff_the_labels_count_that_lie_under_it() -> None:
    distance, duplicate = np.array([0.1, 0.2, 0.3, 0.4]), np.array([True, True, False, False])
    assert prior_under(distance, duplicate, 0.35, prior=0.5) == pytest.approx(2 / 3)


def test_a_cutoff_with_one_class_under_it_is_refused() -> None:
    with pytest.raises(ClassifierError, match="give more labels, or a larger cut-off"):
        prior_under([0.1, 0.9], np.array([True, False]), 0.5, prior=0.369)


@pytest.mark.parametrize("prior", [0.0, 1.0, np.nan])
def test_a_prior_that_cannot_be_is_refused(prior: float) -> None:
    with pytest.raises(ClassifierError, match="expected a share of duplicates above 0 and below 1"):
        prior_under([0.1, 0.9], np.array([True, False]), 1.0, prior=prior)
