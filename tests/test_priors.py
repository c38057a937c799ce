"""Known priors are found again, and corrected probabilities are those of the other prior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.errors import ClassifierError
from dedup.priors import correct_prior, estimate_prior, prior_under

shares = st.floats(0.001, 0.999)
SEPARATION = 1.5  # between the classes' means, in standard deviations


def drawn(seed: int, n: int, prior: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a feature that is normal in each class, and the labels."""
    random = np.random.default_rng(seed)
    duplicate = random.random(n) < prior
    return random.normal(np.where(duplicate, SEPARATION, 0.0)), duplicate


def posterior(feature: np.ndarray, prior: float) -> np.ndarray:
    """Return the true probability of a duplicate, from the densities."""
    odds = prior / (1 - prior) * np.exp(SEPARATION * feature - SEPARATION**2 / 2)
    return odds / (1 + odds)


def expectation_maximisation(probability: np.ndarray, fitted_prior: float) -> float:
    """Climb as Saerens, Latinne & Decaestecker write it, until nothing moves."""
    prior = fitted_prior
    for _ in range(100_000):
        before, prior = prior, float(correct_prior(probability, fitted_prior, prior).mean())
        if abs(prior - before) < 1e-13:
            break
    return prior


@pytest.mark.parametrize("fitted", [0.1, 0.369, 0.5])
@pytest.mark.parametrize("true", [0.03, 0.369, 0.8])
def test_a_known_prior_is_found_again(fitted: float, true: float) -> None:
    feature, _ = drawn(1, 100_000, true)
    estimate = estimate_prior(posterior(feature, fitted), fitted)
    assert estimate.prior == pytest.approx(true, abs=0.01)
    assert abs(estimate.prior - true) < 4 * estimate.standard_error


@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_is_where_expectation_maximisation_ends(seed: int) -> None:
    feature, _ = drawn(seed, 500, 0.2)
    probability = posterior(feature, 0.4)
    assert estimate_prior(probability, 0.4).prior == pytest.approx(expectation_maximisation(probability, 0.4), abs=1e-7)


def test_the_standard_error_is_how_far_estimates_stray() -> None:
    estimates = [estimate_prior(posterior(drawn(seed, 1000, 0.3)[0], 0.5), 0.5) for seed in range(200)]
    strayed = np.std([estimate.prior for estimate in estimates])
    assert np.mean([estimate.standard_error for estimate in estimates]) == pytest.approx(strayed, rel=0.15)


def test_calibrated_probabilities_keep_their_prior() -> None:
    feature, duplicate = drawn(3, 200_000, 0.369)
    probability = posterior(feature, 0.369)
    assert estimate_prior(probability, 0.369).prior == pytest.approx(duplicate.mean(), abs=0.005)


@pytest.mark.parametrize(("probability", "expected"), [(0.0, 1e-6), (1.0, 1 - 1e-6), (0.01, 1e-6), (0.9, 1 - 1e-6)])
def test_one_answer_for_all_gives_an_extreme_prior(probability: float, expected: float) -> None:
    assert estimate_prior(np.full(10, probability), 0.4).prior == expected


def test_probabilities_that_tell_nothing_leave_the_prior_where_it_was() -> None:
    estimate = estimate_prior(np.full(10, 0.4), 0.4)
    assert (estimate.prior, estimate.standard_error) == (0.4, np.inf)


def test_corrected_probabilities_are_those_of_the_new_prior() -> None:
    feature = np.linspace(-5, 7, 101)
    corrected = correct_prior(posterior(feature, 0.369), 0.369, 0.05)
    np.testing.assert_allclose(corrected, posterior(feature, 0.05), rtol=1e-12)


@repeatable
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), shares, shares)
def test_a_correction_is_bounded_monotone_and_undone_by_its_inverse(probability, fitted, new) -> None:
    probability = np.sort(np.array(probability))
    corrected = correct_prior(probability, fitted, new)
    assert ((corrected >= 0) & (corrected <= 1)).all()
    assert (np.diff(corrected) >= -1e-15).all()
    assert ((corrected >= probability * (1 - 1e-12)) | (new < fitted)).all()
    np.testing.assert_allclose(correct_prior(corrected, new, fitted), probability, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(correct_prior(probability, fitted, fitted), probability, rtol=1e-12)


def test_under_a_cutoff_the_prior_of_the_labels_under_it_is_what_was_fitted() -> None:
    """The pairs asked about are near ones only; taking the fitted prior for theirs gives a wrong estimate."""
    feature, duplicate = drawn(4, 200_000, 0.5)
    asked, truth = drawn(5, 200_000, 0.1)
    cutoff = 0.0  # the distance is -feature
    near = -asked <= cutoff
    probability = posterior(asked[near], 0.369)
    true = float(truth[near].mean())
    under = prior_under(-feature, duplicate, cutoff, prior=0.369)
    assert estimate_prior(probability, under).prior == pytest.approx(true, abs=0.01)
    assert abs(estimate_prior(probability, 0.369).prior - true) > 0.05
    corrected = correct_prior(probability, under, true)
    np.testing.assert_allclose(corrected, posterior(asked[near], 0.1), atol=0.01)


def test_without_a_cutoff_it_is_the_prior() -> None:
    feature, duplicate = drawn(6, 1000, 0.8)
    assert prior_under(-feature, duplicate, np.inf, prior=0.369) == pytest.approx(0.369)


def test_a_cutoff_with_one_class_under_it_is_refused() -> None:
    duplicate = np.array([True, True, False])
    with pytest.raises(ClassifierError, match=r"of the 2 labelled pairs within a distance of 0\.5, 2 are duplicates; "):
        prior_under(np.array([0.1, 0.2, 0.9]), duplicate, 0.5, prior=0.3)


@pytest.mark.parametrize("prior", [0.0, 1.0, -1.0, np.nan])
def test_a_prior_that_cannot_be_is_refused(prior: float) -> None:
    some = np.array([0.2, 0.7])
    for attempt in (
        lambda: estimate_prior(some, prior),
        lambda: correct_prior(some, prior, 0.5),
        lambda: correct_prior(some, 0.5, prior),
        lambda: prior_under(some, some > 0.5, 1.0, prior=prior),
    ):
        with pytest.raises(ClassifierError, match="expected a share of duplicates above 0 and below 1"):
            attempt()


def test_no_pair_says_nothing_of_the_prior() -> None:
    with pytest.raises(ClassifierError, match="no pair to estimate the share of duplicates from"):
        estimate_prior(np.empty(0), 0.4)
