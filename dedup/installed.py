"""The models that the settings ask for, and thresholds by what they are wanted to achieve."""

from __future__ import annotations

from dataclasses import replace

from dedup.classifier import Classifier, load_classifier
from dedup.encoders import Encoder, load_encoder
from dedup.errors import ClassifierError
from dedup.reranking import Reranker, load_reranker
from dedup.settings import Settings
from dedup.thresholds import threshold_for_cost


def load_installed(settings: Settings, *, quick: bool = False) -> tuple[Encoder, Classifier]:
    """Load the encoder of the settings and its classifier, for the settings' prior where that is a number.

    With ``quick`` the encoder is one for a few texts, soonest after the start.

    Raises
    ------
    EncoderError
        If there is no such encoder.
    ClassifierError
        If it has no classifier for the settings' metric.
    """
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size, quick=quick)
    classifier = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    return encoder, classifier.at_prior(settings.prior) if isinstance(settings.prior, float) else classifier


def installed_reranker(settings: Settings, classifier: Classifier) -> Reranker | None:
    """Load the reranker of the settings for a classifier of theirs, at any prior; None where they ask for none.

    Raises
    ------
    EncoderError
        If there is no such reranker.
    ClassifierError
        If nothing was fitted for it and the installed classifier.
    """
    if not settings.rerank:
        return None
    own = load_classifier(settings.indexes, classifier.encoder, classifier.fingerprint, classifier.metric)
    return load_reranker(settings.reranker, settings.indexes, own)


def with_precision(settings: Settings, wanted: float) -> Settings:
    """Return the settings with the threshold from which pairs have the wanted precision.

    It was found by cross-validation on the labelled pairs that the classifier, or what judges uncertain pairs again,
    was calibrated on, and holds for pairs like them: at its own prior.

    Raises
    ------
    ClassifierError
        If no such threshold is known, or the settings ask for another prior than the one it is for.
    """
    _, classifier = load_installed(replace(settings, prior=None))
    reranker = installed_reranker(settings, classifier)
    calibrated = classifier if reranker is None else reranker.rescoring
    asked = classifier.prior if settings.prior is None else settings.prior
    if asked != calibrated.prior:
        raise ClassifierError(
            f"the thresholds by precision are for a prior of {calibrated.prior:g}, the settings ask for "
            f"{asked}; run `dedup calibrate PAIRS` with that --prior, or give --threshold"
        )
    found = [each for each in calibrated.fit.get("precision", ()) if each["wanted"] >= wanted]
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
