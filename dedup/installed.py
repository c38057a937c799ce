"""The encoder and the classifier that the settings ask for, and thresholds by what they are wanted to achieve."""

from __future__ import annotations

from dataclasses import replace

from dedup.classifier import Classifier, load_classifier
from dedup.encoders import Encoder, load_encoder
from dedup.errors import ClassifierError
from dedup.settings import Settings
from dedup.thresholds import threshold_for_cost


def load_installed(settings: Settings) -> tuple[Encoder, Classifier]:
    """Load the encoder of the settings and its classifier, for the settings' prior where that is a number.

    Raises
    ------
    EncoderError
        If there is no such encoder.
    ClassifierError
        If it has no classifier for the settings' metric.
    """
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    classifier = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    return encoder, classifier.at_prior(settings.prior) if isinstance(settings.prior, float) else classifier


def with_precision(settings: Settings, wanted: float) -> Settings:
    """Return the settings with the threshold from which pairs have the wanted precision.

    It was found by cross-validation on the labelled pairs that the classifier was calibrated on, and holds for pairs
    like them: at the classifier's own prior.

    Raises
    ------
    ClassifierError
        If the classifier carries no such threshold, or the settings ask for another prior than its own.
    """
    _, classifier = load_installed(replace(settings, prior=None))
    if settings.prior not in (None, classifier.prior):
        raise ClassifierError(
            f"the thresholds by precision are for a prior of {classifier.prior:g}, the settings ask for "
            f"{settings.prior}; run `dedup calibrate PAIRS` with that --prior, or give --threshold"
        )
    found = [each for each in classifier.fit.get("precision", ()) if each["wanted"] >= wanted]
    if not found:
        raise ClassifierError(
            f"the classifier of {classifier.encoder} carries no threshold for a precision of {wanted:g}; lower it, or "
            "give --threshold"
        )
    return _at(settings, float(found[0]["threshold"]))


def with_cost_ratio(settings: Settings, ratio: float) -> Settings:
    """Return the settings with the threshold that costs least where a wrong duplicate costs ``ratio`` missed ones."""
    return _at(settings, threshold_for_cost(ratio, 1.0))


def _at(settings: Settings, threshold: float) -> Settings:
    return replace(
        settings,
        threshold=threshold,
        candidate_floor=min(settings.candidate_floor, threshold),
        cluster_floor=min(settings.cluster_floor, threshold),
    )
