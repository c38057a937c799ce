"""What reviews say of the classifier: fitted on them, judged on what each fit has not seen, and put in place if wanted.

Reviewed pairs are of the corpus in service and were chosen by how they look, not by what they are. So their labels are
not weighted to a share of duplicates, as those of a file are: among them the probabilities should come true as they
stand. For the same reason no threshold by precision is learnt here; only pairs drawn at random tell
(`dedup.reviewing.estimates`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.calibration import MeasuredLabels, fit_on, held_out_probability
from dedup.classifier import Classifier, Feature, load_classifier
from dedup.errors import ClassifierError
from dedup.evaluation import score_pairs
from dedup.explanation import Explainer
from dedup.labelled import LabelledPairs, measure_pairs, pair_components
from dedup.progress import Progress
from dedup.questions import Float64
from dedup.settings import Settings
from dedup.store import Store

ENOUGH = 20
"""Labels from which on a classifier can be moved: with fewer it hardly would be."""

ENOUGH_OF_EACH = 5
"""Labels of the rarer kind that this takes."""

_REVIEWS = "reviews"


@dataclass(frozen=True, slots=True)
class Scores:
    """How good probabilities are on the reviewed pairs."""

    log_loss: float
    ece: float  # the mean gap between probability and truth, over equal bins
    average_precision: float


@dataclass(frozen=True, slots=True)
class Recalibration:
    """A classifier as the reviews move it, beside the one that is installed.

    ``after`` is of probabilities by classifiers that had not seen the components of questions they judged; ``before``
    is of the installed one, which may have, where it was recalibrated before: then it looks better than it is.
    """

    labels: int
    duplicates: int
    before: Scores
    after: Scores
    classifier: Classifier


def enough_labels(labels: int, duplicates: int) -> bool:
    """Whether so many labels, so many of them of duplicates, are enough to recalibrate."""
    return labels >= ENOUGH and min(duplicates, labels - duplicates) >= ENOUGH_OF_EACH


def recalibrate(store: Store, explainer: Explainer, settings: Settings, progress: Progress) -> Recalibration:
    """Fit the installed classifier to what reviewers agree on; nothing is written.

    Whatever earlier reviews had moved it to is forgotten first: they are among the labels.

    Raises
    ------
    ClassifierError
        Where there are too few labels, uncertain pairs are judged again by a reranker that was fitted for the installed
        classifier, or that classifier looks at more than the one in service.
    """
    if settings.rerank:
        raise ClassifierError(
            "a reranker judges uncertain pairs, and is fitted for the installed classifier; run without --rerank to "
            "recalibrate, or `dedup calibrate PAIRS --rerank` after `dedup calibrate PAIRS`"
        )
    labels = list(store.review_labels())
    texts = tuple((label.left_text or "", label.right_text or "") for label in labels)
    duplicate = np.array([label.duplicate for label in labels], dtype=bool)
    if not enough_labels(len(labels), int(duplicate.sum())):
        raise ClassifierError(
            f"reviewers agree on {len(labels)} pairs, {int(duplicate.sum())} of them the same; expected {ENOUGH}, and "
            f"{ENOUGH_OF_EACH} of either kind: review more"
        )
    encoder = explainer.encoder
    before = load_classifier(settings.indexes, encoder.name, encoder.fingerprint, encoder.metric)
    before = before.at_prior(explainer.classifier.prior)
    if missing := set(before.feature_names) - set(explainer.classifier.feature_names):
        raise ClassifierError(
            f"the installed classifier looks at {', '.join(sorted(missing))}, which the one in service does not; "
            "run `dedup reindex` first"
        )
    labelled = LabelledPairs(texts, duplicate, 0, 0)
    measured = measure_pairs(labelled, encoder, before.feature_names, settings, progress, explainer.background)
    weighed = MeasuredLabels(measured, duplicate, pair_components(labelled), _REVIEWS)
    # At their own share of duplicates labels have all the same weight.
    share = float(duplicate.mean())
    unmoved = _before_reviews(before)
    base = replace(unmoved, prior=share)
    moved = fit_on(weighed, encoder, base, share)
    # How far apart duplicates are is told by the labels of a file, not by pairs that were chosen for their distance.
    kept = {name: before.fit[name] for name in ("distances",) if name in before.fit}
    told = {name: value for name, value in moved.fit.items() if name != "distances"}
    classifier = replace(moved, prior=before.prior, fit={**told, **kept, "before_reviews": _weights(unmoved)})
    held_out = held_out_probability(weighed, encoder, base, share)
    judged = before.probability(measured.distance, measured.features)
    return Recalibration(
        len(labels), int(duplicate.sum()), _scores(judged, duplicate), _scores(held_out, duplicate), classifier
    )


def _scores(probability: Float64, duplicate: NDArray[np.bool_]) -> Scores:
    scores = score_pairs(probability, duplicate, float(duplicate.mean()), 0.5)
    return Scores(scores["log_loss"], scores["ece"], scores["average_precision"])


def _weights(classifier: Classifier) -> dict[str, Any]:
    """Return what reviews may move."""
    return {
        "prior": classifier.prior,
        "slope": classifier.slope,
        "intercept": classifier.intercept,
        "weights": {feature.name: feature.weight for feature in classifier.features},
    }


def _before_reviews(classifier: Classifier) -> Classifier:
    """Return a classifier as it was before any review moved it, at its own prior."""
    kept: Mapping[str, Any] | None = classifier.fit.get("before_reviews")
    if kept is None:
        return classifier
    features: tuple[Feature, ...] = tuple(
        replace(feature, weight=kept["weights"][feature.name]) for feature in classifier.features
    )
    then = replace(classifier, slope=kept["slope"], intercept=kept["intercept"], features=features, prior=kept["prior"])
    return then.at_prior(classifier.prior)
