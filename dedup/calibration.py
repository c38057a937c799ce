"""Fitting the classifier of an encoder on labelled pairs, and judging it on others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from dedup.classifier import Classifier, fit_classifier, load_classifier
from dedup.encoders import load_encoder
from dedup.evaluation import Evaluation, evaluate_pairs
from dedup.ingest import dump_options
from dedup.labelled import LabelledPairs, labelled_distances, read_labelled_pairs
from dedup.progress import Progress
from dedup.settings import Settings

log = logging.getLogger(__name__)


def calibrate(files: Sequence[str], settings: Settings, *, prior: float, progress: Progress) -> Classifier:
    """Fit the classifier of the settings' encoder and metric on files of labelled pairs.

    Raises
    ------
    ClassifierError
        If the labels are of one class only, or cannot be fitted.
    """
    labelled = _read(files, settings)
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    return fit_classifier(
        labelled_distances(labelled, encoder, settings, progress),
        labelled.duplicate,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        metric=encoder.metric,
        prior=prior,
        pairs=", ".join(Path(file).name for file in files),
    )


def evaluate(
    files: Sequence[str], settings: Settings, *, prior: float, progress: Progress
) -> tuple[Evaluation, Classifier]:
    """Judge the installed classifier, unchanged, at the settings' threshold, on files of labelled pairs.

    Raises
    ------
    EvaluationError
        If the labels are of one class only.
    """
    labelled = _read(files, settings)
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    classifier = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    probability = classifier.probability(labelled_distances(labelled, encoder, settings, progress))
    return evaluate_pairs(probability, labelled.duplicate, prior=prior, threshold=settings.threshold), classifier


def _read(files: Sequence[str], settings: Settings) -> LabelledPairs:
    labelled = read_labelled_pairs(files, settings, dump_options(settings))
    if labelled.rejected or labelled.without_text:
        log.warning(
            "left out: %d label rows at fault, %d labels of questions that are not recorded",
            labelled.rejected,
            labelled.without_text,
        )
    return labelled
