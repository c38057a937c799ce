"""What the scores of a cross-encoder mean: against scikit-learn, at other priors, and for which classifier."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from corpora import fake_classifier, fake_rescoring
from fakes import HashingEncoder, SharedWords
from sklearn.linear_model import LogisticRegression

from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights
from dedup.questions import Metric
from dedup.reranking import Rescoring, fit_rescoring, load_rescoring, save_rescoring

CLASSIFIER = fake_classifier(Metric.EUCLIDEAN, HashingEncoder())
RESCORING = fake_rescoring(CLASSIFIER, SharedWords())


def odds(probability: np.ndarray) -> np.ndarray:
    return probability / (1 - probability)


def labelled(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what a classifier and a cross-encoder say of n pairs, and labels of which both know something."""
    random = np.random.default_rng(seed)
    classified, logit = random.uniform(0.2, 0.9, n), random.normal(0, 2, n)
    truth = 1 / (1 + np.exp(-(0.7 * np.log(odds(classified)) + 0.9 * logit - 0.4)))
    return classified, logit, random.random(n) < truth


def fitted(classified: np.ndarray, logit: np.ndarray, duplicate: np.ndarray, prior: float = 0.3) -> Rescoring:
    return fit_rescoring(
        classified,
        logit,
        duplicate,
        prior_weights(duplicate, prior),
        classifier=CLASSIFIER,
        reranker="words",
        reranker_fingerprint="5" * 64,
        prior=prior,
        pairs="pairs.tsv",
    )


@pytest.mark.parametrize("prior", [0.05, 0.369, 0.5])
def test_the_fit_is_scikit_learns_and_comes_true_as_often_as_it_says(prior: float) -> None:
    classified, logit, duplicate = labelled(4000)
    found = fitted(classified, logit, duplicate, prior)
    weight = prior_weights(duplicate, prior)
    columns = np.column_stack([np.log(odds(classified)), logit])
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(columns, duplicate, sample_weight=weight)
    assert (found.classifier_weight, found.reranker_weight) == pytest.approx(tuple(model.coef_[0]), rel=1e-4)
    assert found.intercept == pytest.approx(model.intercept_[0], abs=1e-4)
    probability = found.probability(classified, logit, prior=prior)
    np.testing.assert_allclose(probability, model.predict_proba(columns)[:, 1], atol=1e-5)
    assert (weight * probability).sum() == pytest.approx((weight * duplicate).sum(), rel=1e-4)
    assert found.fit == {"pairs": "pairs.tsv", "labelled": 4000, "duplicates": int(duplicate.sum())}


@pytest.mark.parametrize("prior", [0.01, 0.2, 0.8])
def test_another_prior_scales_the_odds_of_both_alike(prior: float) -> None:
    classified, logit, _ = labelled(50)
    ratio = odds(np.float64(prior)) / odds(np.float64(RESCORING.prior))
    moved = ratio * odds(classified) / (1 + ratio * odds(classified))
    before = RESCORING.probability(classified, logit, prior=RESCORING.prior)
    after = RESCORING.probability(moved, logit, prior=prior)
    np.testing.assert_allclose(odds(after) / odds(before), ratio, rtol=1e-9)


def test_at_its_own_prior_it_is_the_logistic_of_the_weighted_sum() -> None:
    classified, logit, _ = labelled(50)
    expected = odds(classified) ** 0.6 * np.exp(1.7 * logit - 0.3)
    np.testing.assert_allclose(odds(RESCORING.probability(classified, logit, prior=RESCORING.prior)), expected)


def test_the_band_has_its_ends() -> None:
    probability = np.array([0.0, 0.1999, 0.2, 0.5, 0.9, 0.9001, 1.0])
    assert RESCORING.uncertain(probability).tolist() == [False, False, True, True, True, False, False]


def test_what_is_certain_or_scores_without_measure_stays_a_probability() -> None:
    found = RESCORING.probability(np.array([0.0, 1.0, 0.5, 0.5]), np.array([0, 0, 1e6, -1e6]), prior=0.5)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = save_rescoring(RESCORING, tmp_path)
    assert file.parent.name == "classifiers"
    assert load_rescoring(tmp_path, CLASSIFIER, "words", "5" * 64) == RESCORING


def test_its_identity_differs_where_a_probability_could() -> None:
    same = replace(RESCORING, reranker="another name", fit={})
    assert same.identity == RESCORING.identity
    others = [
        replace(RESCORING, low=0.3),
        replace(RESCORING, reranker_weight=1.0),
        replace(RESCORING, prior=0.5),
        replace(RESCORING, classifier="0" * 16),
        replace(RESCORING, reranker_fingerprint="6" * 64),
    ]
    assert len({RESCORING.identity, *(other.identity for other in others)}) == 6


def test_without_one_the_command_that_fits_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ClassifierError, match=r"the scores of words mean for the encoder trigrams .*`dedup calibrate"
    ) as told:
        load_rescoring(tmp_path, CLASSIFIER, "words", "5" * 64)
    assert "PAIRS --rerank --encoder trigrams --metric euclidean --reranker words`" in str(told.value)


def test_another_classifier_or_another_cross_encoder_is_refused(tmp_path: Path) -> None:
    save_rescoring(RESCORING, tmp_path)
    other = replace(CLASSIFIER, slope=11.0)
    with pytest.raises(ClassifierError, match=rf"for the classifier {CLASSIFIER.identity} of trigrams, the in"):
        load_rescoring(tmp_path, other, "words", "5" * 64)
    with pytest.raises(ClassifierError, match=r"for the reranker words \(5555555555555555\), asked for was letters"):
        load_rescoring(tmp_path, CLASSIFIER, "letters", "6" * 64)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 7}, "expected format 1"),
        ({"reranker_weight": -1.0}, "the reranker's weight above 0"),
        ({"intercept": "high"}, "does not say how pairs are judged again"),
        ({"low": 0.95}, "the band and the prior must be"),
        ({"metric": "cosine"}, "cosine"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, change: dict[str, object], said: str) -> None:
    file = save_rescoring(RESCORING, tmp_path)
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    with pytest.raises(ClassifierError, match=said) as refused:
        load_rescoring(tmp_path, CLASSIFIER, "words", "5" * 64)
    assert file.name in str(refused.value)
    assert "\n" not in str(refused.value)


def test_too_few_labels_and_labels_that_are_swapped_are_refused() -> None:
    classified, logit, duplicate = labelled(400)
    few = np.concatenate([np.flatnonzero(duplicate)[:19], np.flatnonzero(~duplicate)])
    with pytest.raises(ClassifierError, match=r"from 0\.2 to 0\.9, 19 of them duplicates; 20 of each kind are needed"):
        fitted(classified[few], logit[few], duplicate[few])
    with pytest.raises(ClassifierError, match=r"duplicates do not score higher than the other pairs by words"):
        fitted(classified, logit, ~duplicate)
