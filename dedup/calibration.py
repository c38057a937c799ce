"""Fitting the classifier of an encoder on labelled pairs, and judging it on others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dedup.classifier import Classifier, fit_classifier, load_classifier
from dedup.dumps import DumpOptions
from dedup.encoders import load_encoder
from dedup.evaluation import Evaluation, evaluate_pairs
from dedup.labelled import labelled_distances, read_labelled_pairs
from dedup.progress import Progress
from dedup.settings import Settings


def calibrate(
    files: Sequence[str], settings: Settings, options: DumpOptions, *, prior: float, progress: Progress
) -> Classifier:
    """Fit the classifier of the settings' encoder and metric on files of labelled pairs.

    Raises
    ------
    ClassifierError
        If the labels are of one class only, or cannot be fitted.
    """
    labelled = read_labelled_pairs(files, settings, options)
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
    files: Sequence[str], settings: Settings, options: DumpOptions, *, prior: float, progress: Progress
) -> tuple[Evaluation, Classifier]:
    """Judge the installed classifier, unchanged, at the settings' threshold, on files of labelled pairs.

    Raises
    ------
    EvaluationError
        If the labels are of one class only.
    """
    labelled = read_labelled_pairs(files, settings, options)
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    classifier = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    probability = classifier.probability(labelled_distances(labelled, encoder, settings, progress))
    return evaluate_pairs(probability, labelled.duplicate, prior=prior, threshold=settings.threshold), classifier
