"""Few labels move the shipped weights where they must, many replace them, none leaves them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from dedup.adaptation import FREEDOMS, LogisticWeights, adapt
from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights

NAMES = ("distance", "crowding", "overlap", "different_numbers", "one_negated", "length")
SHIPPED = LogisticWeights(NAMES, np.array([-3.0, 1.0, 0.8, -0.5, -0.3, 0.2]), -0.5)
# All weaker by a third, another share of duplicates, and some that mean something else there.
ELSEWHERE = LogisticWeights(NAMES, 0.67 * SHIPPED.weights + np.array([0, 0.8, 0.6, 0, -0.5, 0.4]), -1.5)


def labels(seed: int, n: int, truth: LogisticWeights) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    features = random.normal(size=(n, len(NAMES)))
    return features, random.random(n) < expit(truth.log_odds(features))


def log_loss(weights: LogisticWeights, features: np.ndarray, duplicate: np.ndarray) -> float:
    odds = weights.log_odds(features)
    return float(np.logaddexp(0, np.where(duplicate, -odds, odds)).mean())


def from_scratch(features: np.ndarray, duplicate: np.ndarray, **options) -> LogisticWeights:
    fitted = LogisticRegression(max_iter=1000, **options).fit(features, duplicate)
    return LogisticWeights(NAMES, fitted.coef_[0], float(fitted.intercept_[0]))


def adapted(features: np.ndarray, duplicate: np.ndarray, **options) -> LogisticWeights:
    return adapt(SHIPPED, features, duplicate, prior=float(duplicate.mean()), **options).weights


def test_fifty_labels_of_another_site_beat_the_shipped_weights_and_a_fit_from_scratch() -> None:
    judged = labels(1000, 20_000, ELSEWHERE)
    there, scratch = [], []
    for seed in range(20):
        features, duplicate = labels(seed, 50, ELSEWHERE)
        there.append(log_loss(adapted(features, duplicate), *judged))
        scratch.append(log_loss(from_scratch(features, duplicate, C=np.inf), *judged))
    assert np.mean(there) < log_loss(SHIPPED, *judged) - 0.05
    assert np.mean(there) < np.mean(scratch) - 0.02


def test_where_nothing_changed_labels_do_little_harm() -> None:
    judged = labels(1000, 20_000, SHIPPED)
    harm = [log_loss(adapted(*labels(seed, 50, SHIPPED)), *judged) for seed in range(20)]
    assert np.mean(harm) < log_loss(SHIPPED, *judged) + 0.03


@pytest.mark.parametrize("prior", [0.2, 0.5])
def test_many_labels_give_the_fit_that_knows_nothing_of_the_shipped_weights(prior: float) -> None:
    features, duplicate = labels(3, 20_000, ELSEWHERE)
    found = adapt(SHIPPED, features, duplicate, prior=prior)
    oracle = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    oracle.fit(features, duplicate, sample_weight=prior_weights(duplicate, prior))
    np.testing.assert_allclose(found.weights.weights, oracle.coef_[0], atol=0.02)
    assert found.weights.intercept == pytest.approx(float(oracle.intercept_[0]), abs=0.02)
    assert found.freedom > 0


def test_the_posterior_is_at_its_peak() -> None:
    """The gradient, by differences, of the penalised likelihood in another set of coordinates."""
    features, duplicate = labels(4, 60, ELSEWHERE)
    found = adapt(SHIPPED, features, duplicate, prior=0.3)
    weight = prior_weights(duplicate, 0.3)
    along = np.outer(SHIPPED.weights, SHIPPED.weights) * 0.5**2
    precision = np.linalg.pinv(along + found.freedom**2 * np.eye(len(NAMES)))

    def loss(intercept: float, weights: np.ndarray) -> float:
        odds = features @ weights + intercept
        moved = weights - SHIPPED.weights
        away = ((intercept - SHIPPED.intercept) / 1.5) ** 2 + moved @ precision @ moved
        return float(weight @ np.logaddexp(0, np.where(duplicate, -odds, odds)) + away / 2)

    there = loss(found.weights.intercept, found.weights.weights)
    steps = np.eye(len(NAMES)) if found.freedom else SHIPPED.weights[None, :]
    for step in 1e-3 * np.concatenate([steps, -steps]):
        assert loss(found.weights.intercept, found.weights.weights + step) > there
    for step in (1e-3, -1e-3):
        assert loss(found.weights.intercept + step, found.weights.weights) > there


def test_labels_that_say_nothing_leave_what_was_shipped() -> None:
    """Both labels on the same features, at the odds that are shipped for them."""
    features = np.zeros((40, len(NAMES)))
    found = adapt(SHIPPED, features, np.arange(40) % 4 == 0, prior=float(expit(SHIPPED.intercept)))
    np.testing.assert_allclose(found.weights.weights, SHIPPED.weights, atol=1e-6)
    assert found.weights.intercept == pytest.approx(SHIPPED.intercept, abs=1e-6)
    assert found.freedom == 0


def test_the_fewest_labels_there_can_be_move_little() -> None:
    found = adapt(SHIPPED, np.zeros((2, len(NAMES))), np.array([True, False]), prior=0.37).weights
    np.testing.assert_array_equal(found.weights, SHIPPED.weights)
    assert found.intercept == pytest.approx(SHIPPED.intercept, abs=0.05)


def test_labels_that_separate_without_a_mistake_do_not_run_away() -> None:
    features = np.random.default_rng(5).normal(size=(30, len(NAMES)))
    found = adapt(SHIPPED, features, features[:, 0] < 0, prior=0.369)
    assert np.abs(found.weights.weights).max() < 10


def test_the_order_of_the_labels_does_not_matter() -> None:
    features, duplicate = labels(6, 120, ELSEWHERE)
    component = np.arange(120) // 3
    order = np.random.default_rng(7).permutation(120)
    for options, shuffled in (({}, {}), ({"component": component}, {"component": 1000 - component[order]})):
        there = adapt(SHIPPED, features, duplicate, prior=0.3, **options)
        again = adapt(SHIPPED, features[order], duplicate[order], prior=0.3, **shuffled)
        assert there.freedom == again.freedom
        np.testing.assert_allclose(there.weights.weights, again.weights.weights, atol=1e-5)
        assert there.log_loss == pytest.approx(again.log_loss, abs=1e-6)


def test_copies_of_a_label_in_one_component_do_not_buy_freedom() -> None:
    """Held out one by one, each would be foretold by its own copies."""
    features, duplicate = labels(8, 30, SHIPPED)
    copies = np.repeat(np.arange(30), 8)
    alone = adapt(SHIPPED, features[copies], duplicate[copies], prior=0.3)
    together = adapt(SHIPPED, features[copies], duplicate[copies], prior=0.3, component=copies)
    assert alone.freedom == max(FREEDOMS)
    assert together.freedom < alone.freedom
    judged = labels(1000, 20_000, SHIPPED)
    assert log_loss(together.weights, *judged) < log_loss(alone.weights, *judged)


@pytest.mark.parametrize("positives", [0, 4])
def test_labels_of_one_kind_are_refused(positives: int) -> None:
    with pytest.raises(ClassifierError, match=rf"{positives} of the 4 labelled pairs are duplicates; give labels of"):
        adapt(SHIPPED, np.zeros((4, len(NAMES))), np.arange(4) < positives, prior=0.3)


def test_other_features_are_refused() -> None:
    with pytest.raises(ClassifierError, match=r"shape \(4, 2\), the classifier has 6: distance, crowding, "):
        adapt(SHIPPED, np.zeros((4, 2)), np.arange(4) < 2, prior=0.3)
