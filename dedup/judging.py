"""Judging the installed classifier, and two encoders side by side, on labelled pairs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dedup.calibration import cross_validated, features_for
from dedup.classifier import Classifier, load_classifier
from dedup.encoders import Encoder, load_encoder
from dedup.errors import NoClassifier
from dedup.evaluation import Comparison, Evaluation, compare_pairs, evaluate_pairs
from dedup.installed import installed_reranker
from dedup.labelled import LabelledPairs, measure_pairs, normalised_pairs, pair_components, read_labelled_pairs
from dedup.progress import Progress
from dedup.questions import Float32, Float64, Int64, Metric
from dedup.reranking import Rescoring
from dedup.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """Labelled pairs, and what the installed classifier says of each."""

    labelled: LabelledPairs
    component: Int64  # (n_pairs,) pairs that share questions have one number
    distance: Float32  # (n_pairs,)
    probability: Float64  # (n_pairs,)
    classifier: Classifier
    rescoring: Rescoring | None  # None: every pair has the classifier's probability
    reranked: int  # pairs judged again
    evaluation: Evaluation


@dataclass(frozen=True, slots=True)
class Compared:
    """An encoder on one side of a comparison."""

    encoder: str
    metric: Metric
    classifier: str | None  # the identity of the installed one; None: fitted by cross-validation
    probability: Float64  # (n_pairs,)


def evaluate(files: Sequence[str], settings: Settings, *, prior: float, progress: Progress) -> Judged:
    """Judge the installed classifier at the settings' threshold on files of labelled pairs.

    Its weights and the threshold are used as they are; its probabilities are those for the prior asked for, which the
    labelled pairs are weighted to as well (`Classifier.at_prior`). Where the settings ask for it, pairs of which it is
    not sure are judged again.

    Raises
    ------
    EvaluationError
        If the labels are of one class only.
    """
    labelled = read_labelled_pairs(files, settings)
    component = pair_components(labelled)
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    installed = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    classifier = installed.at_prior(prior)
    measured = measure_pairs(labelled, encoder, classifier.feature_names, settings, progress)
    probability = classifier.probability(measured.distance, measured.features)
    reranker = installed_reranker(settings, installed)
    reranked = 0
    if reranker is not None:
        uncertain = np.flatnonzero(reranker.uncertain(probability))
        texts = normalised_pairs(labelled, uncertain)
        probability[uncertain] = reranker.judge(probability[uncertain], texts, prior=prior, progress=progress)
        reranked = len(uncertain)
    evaluation = evaluate_pairs(
        probability, labelled.duplicate, component=component, prior=prior, threshold=settings.threshold
    )
    rescoring = None if reranker is None else reranker.rescoring
    return Judged(labelled, component, measured.distance, probability, installed, rescoring, reranked, evaluation)


def compare(
    a: str, b: str, files: Sequence[str], settings: Settings, *, metric_b: Metric, prior: float, progress: Progress
) -> tuple[Comparison, Compared, Compared]:
    """Judge two encoders on the same files of labelled pairs: ``a`` in the settings' metric, ``b`` in ``metric_b``.

    Each with its installed classifier; one that has none with classifiers fitted on these pairs by 5-fold
    cross-validation, no question in two folds, so that no pair is judged by a classifier that has seen it.

    Raises
    ------
    EvaluationError
        If the labels are of one class only.
    ClassifierError
        If an encoder has no classifier and the labels do not suffice for five.
    """
    labelled = read_labelled_pairs(files, settings)
    component = pair_components(labelled)
    sides = tuple(
        _compared(
            labelled,
            component,
            load_encoder(name, metric, batch_size=settings.batch_size),
            settings,
            pairs=", ".join(Path(file).name for file in files),
            prior=prior,
            progress=progress,
        )
        for name, metric in ((a, settings.metric), (b, metric_b))
    )
    comparison = compare_pairs(
        sides[0].probability,
        sides[1].probability,
        labelled.duplicate,
        component=component,
        prior=prior,
        threshold=settings.threshold,
    )
    return comparison, sides[0], sides[1]


def _compared(
    labelled: LabelledPairs,
    component: Int64,
    encoder: Encoder,
    settings: Settings,
    *,
    pairs: str,
    prior: float,
    progress: Progress,
) -> Compared:
    try:
        installed = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    except NoClassifier as error:
        log.warning("%s; judged by one that is fitted on these pairs by cross-validation", error)
        features = features_for(len(labelled.duplicate))
        measured = measure_pairs(labelled, encoder, features, settings, progress)
        probability = cross_validated(measured, labelled.duplicate, component, encoder, prior=prior, pairs=pairs)
        return Compared(encoder.name, encoder.metric, None, probability)
    measured = measure_pairs(labelled, encoder, installed.feature_names, settings, progress)
    probability = installed.at_prior(prior).probability(measured.distance, measured.features)
    return Compared(encoder.name, encoder.metric, installed.identity, probability)
