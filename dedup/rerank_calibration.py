"""Fitting what a cross-encoder's scores mean for the uncertain pairs of the installed classifier."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from dedup.calibration import folds, thresholds_by_precision
from dedup.classifier import load_classifier, require_both_classes
from dedup.encoders import load_encoder
from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights
from dedup.labelled import measure_pairs, normalised_pairs, pair_components, read_labelled_pairs
from dedup.progress import Progress
from dedup.questions import Int64
from dedup.reranking import BAND, Rescoring, fit_rescoring, load_cross_encoder
from dedup.settings import Settings

log = logging.getLogger(__name__)


def calibrate_reranking(files: Sequence[str], settings: Settings, *, prior: float, progress: Progress) -> Rescoring:
    """Fit how uncertain pairs are judged again, on files of labelled pairs, for the installed classifier as it is.

    The pairs should be others than the cross-encoder was trained on: of those it is too sure. The thresholds by
    precision are for all pairs, those in the band judged by a fit that has seen none of their questions.

    Raises
    ------
    EncoderError
        If there is no such cross-encoder.
    ClassifierError
        If there is no classifier, or too few labels of a kind in the band.
    """
    labelled = read_labelled_pairs(files, settings)
    pairs = ", ".join(Path(file).name for file in files)
    require_both_classes(labelled.duplicate, prior, pairs)
    scorer = load_cross_encoder(settings.reranker)
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    installed = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    classifier = installed.at_prior(prior)
    measured = measure_pairs(labelled, encoder, classifier.feature_names, settings, progress)
    classified = classifier.probability(measured.distance, measured.features)
    uncertain = np.flatnonzero((classified >= BAND[0]) & (classified <= BAND[1]))
    with progress.stage("rerank", "pairs", total=len(uncertain)) as advance:
        logit = scorer.score(normalised_pairs(labelled, uncertain), advance)
    duplicate, weight = labelled.duplicate[uncertain], prior_weights(labelled.duplicate, prior)[uncertain]

    def fit(rows: Int64) -> Rescoring:
        return fit_rescoring(
            classified[uncertain[rows]],
            logit[rows],
            duplicate[rows],
            weight[rows],
            classifier=installed,
            reranker=scorer.name,
            reranker_fingerprint=scorer.fingerprint,
            prior=prior,
            pairs=pairs,
        )

    fitted = fit(np.arange(len(uncertain)))
    judged = classified.copy()
    thresholds: list[Mapping[str, Any]] = []
    component = pair_components(labelled)
    try:
        for some, others in folds(component[uncertain], pairs):
            judged[uncertain[others]] = fit(some).probability(classified[uncertain[others]], logit[others], prior=prior)
        thresholds = thresholds_by_precision(judged, labelled.duplicate, component, prior)
    except ClassifierError as error:
        log.warning("no thresholds by precision: %s", error)
    return replace(fitted, fit={**fitted.fit, "precision": thresholds})
