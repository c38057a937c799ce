"""Fitting the classifier of an encoder on labelled pairs: anew, or from the shipped one where labels are few."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.adaptation import LogisticWeights, adapt
from dedup.classifier import Classifier, fit_classifier, require_both_classes, shipped_classifier, spread_of
from dedup.encoders import Encoder, load_encoder
from dedup.errors import ClassifierError
from dedup.features import CROWDING
from dedup.labelled import MeasuredPairs, measure_pairs, pair_components, read_labelled_pairs
from dedup.progress import Progress
from dedup.questions import Float64, Int64
from dedup.settings import Settings
from dedup.thresholds import spread_weights, threshold_for_precision

log = logging.getLogger(__name__)

CHOSEN_FEATURES = (CROWDING, "overlap", "swapped")
"""What a new classifier looks at beside the distance; docs/quality.md has the ablation."""

ENOUGH_FOR_FEATURES = 1000
"""With fewer labels a new classifier looks at the distance alone."""

PRECISIONS = (0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
"""For which a classifier carries the threshold that has them."""

_FOLDS = 5


@dataclass(frozen=True, slots=True)
class MeasuredLabels:
    """Labelled pairs as arrays; pairs of one ``component`` share questions, ``pairs`` says where they come from."""

    measured: MeasuredPairs
    duplicate: NDArray[np.bool_]
    component: Int64
    pairs: str

    def part(self, rows: Int64) -> MeasuredLabels:
        """Return some of the pairs."""
        features = {name: values[rows] for name, values in self.measured.features.items()}
        measured = MeasuredPairs(self.measured.distance[rows], features)
        return MeasuredLabels(measured, self.duplicate[rows], self.component[rows], self.pairs)


def calibrate(files: Sequence[str], settings: Settings, *, prior: float, anew: bool, progress: Progress) -> Classifier:
    """Fit the classifier of the settings' encoder and metric on files of labelled pairs.

    Where one is shipped for them, it is adapted: it moves as far as the labels say, from a little with twenty to the
    fit that knows nothing of it with thousands (`dedup.adaptation`). ``anew`` forgets it. The thresholds for
    `PRECISIONS` are found by cross-validation: each pair judged by a classifier that has seen none of its questions.

    Raises
    ------
    ClassifierError
        If the labels are of one class only, or cannot be fitted.
    """
    labelled = read_labelled_pairs(files, settings)
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    shipped = None if anew else shipped_classifier(encoder.fingerprint, encoder.metric)
    features = features_for(len(labelled.duplicate)) if shipped is None else shipped.feature_names
    labels = MeasuredLabels(
        measure_pairs(labelled, encoder, features, settings, progress),
        labelled.duplicate,
        pair_components(labelled),
        ", ".join(Path(file).name for file in files),
    )
    classifier = fit_on(labels, encoder, shipped, prior)
    thresholds = _precision_thresholds(labels, encoder, shipped, prior)
    return replace(classifier, encoder=encoder.name, fit={**classifier.fit, "precision": thresholds})


def features_for(labels: int) -> tuple[str, ...]:
    """Return what a classifier that is fitted anew on so many labelled pairs looks at beside the distance."""
    return CHOSEN_FEATURES if labels >= ENOUGH_FOR_FEATURES else ()


def cross_validated(
    measured: MeasuredPairs,
    duplicate: NDArray[np.bool_],
    component: Int64,
    encoder: Encoder,
    *,
    prior: float,
    pairs: str,
) -> Float64:
    """Return the probability of each pair by a classifier fitted anew on the other components of questions.

    Raises
    ------
    ClassifierError
        If the pairs hang together in fewer than five components, or a fold's labels cannot be fitted.
    """
    return held_out_probability(MeasuredLabels(measured, duplicate, component, pairs), encoder, None, prior)


def fit_on(labels: MeasuredLabels, encoder: Encoder, shipped: Classifier | None, prior: float) -> Classifier:
    """Return the shipped classifier as the labels move it, or one that is fitted anew where none is shipped.

    Raises ClassifierError where the labels are of one class only, or cannot be fitted.
    """
    if shipped is not None:
        return _adapted(shipped.at_prior(prior), labels)
    return fit_classifier(
        labels.measured.distance,
        labels.duplicate,
        labels.measured.features,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        metric=encoder.metric,
        prior=prior,
        pairs=labels.pairs,
    )


def _adapted(shipped: Classifier, labels: MeasuredLabels) -> Classifier:
    """Move the shipped classifier, at the prior asked for, as far as the labels say."""
    positives = require_both_classes(labels.duplicate, shipped.prior, labels.pairs)
    spread = 1 / shipped.slope  # of the distance: one unit of log-odds
    middle = shipped.max_distance(0.5)
    units = np.array([max(each.high - each.low, 1e-6) / 4 for each in shipped.features])
    columns = [(labels.measured.distance.astype(np.float64) - middle) / spread]
    for each, unit in zip(shipped.features, units, strict=True):
        unweighted = replace(each, weight=1.0)
        columns.append(unweighted.log_odds(labels.measured.features[each.name]) / unit)
    weights = np.array([-1.0, *(each.weight * unit for each, unit in zip(shipped.features, units, strict=True))])
    before = LogisticWeights(("distance", *shipped.feature_names), weights, 0.0)
    adapted = adapt(before, np.column_stack(columns), labels.duplicate, prior=shipped.prior, component=labels.component)
    slope = -float(adapted.weights.weights[0]) / spread
    if slope <= 0:
        raise ClassifierError(
            f"in {labels.pairs} duplicates are not nearer than the other pairs; "
            "check that the labels are not swapped (1 means duplicate)"
        )
    features = tuple(
        replace(each, weight=float(weight / unit))
        for each, weight, unit in zip(shipped.features, adapted.weights.weights[1:], units, strict=True)
    )
    fit = {
        "pairs": labels.pairs,
        "labelled": len(labels.duplicate),
        "duplicates": positives,
        "adapted_from": shipped.identity,
        "freedom": adapted.freedom,
        "distances": spread_of(labels.measured.distance, labels.duplicate),
    }
    intercept = -adapted.weights.intercept - slope * middle
    return replace(shipped, slope=slope, intercept=intercept, features=features, fit=fit)


def held_out_probability(labels: MeasuredLabels, encoder: Encoder, shipped: Classifier | None, prior: float) -> Float64:
    """Return the probability of each pair by a classifier that was fitted on the other components of questions.

    Raises ClassifierError where there are fewer than five components, or a fold's labels cannot be fitted.
    """
    probability = np.empty(len(labels.duplicate))
    for fitted, judged in folds(labels.component, labels.pairs):
        classifier = fit_on(labels.part(fitted), encoder, shipped, prior)
        held_out = labels.part(judged).measured
        probability[judged] = classifier.probability(held_out.distance, held_out.features)
    return probability


def folds(component: Int64, pairs: str) -> Iterator[tuple[Int64, Int64]]:
    """Yield the rows to fit on and the rows to judge, five times, each row judged once; no component is in both.

    Raises
    ------
    ClassifierError
        If there are fewer than five components.
    """
    from sklearn.model_selection import GroupKFold

    components = len(np.unique(component))
    if components < _FOLDS:
        raise ClassifierError(
            f"the labelled pairs of {pairs} share questions so that they fall into {components} parts; "
            f"{_FOLDS} are needed to fit a classifier on some and judge it on others: give more labels"
        )
    yield from GroupKFold(_FOLDS).split(component, groups=component)


def _precision_thresholds(
    labels: MeasuredLabels, encoder: Encoder, shipped: Classifier | None, prior: float
) -> list[Mapping[str, Any]]:
    """Return the thresholds by cross-validation, none where there are too few components for it."""
    try:
        probability = held_out_probability(labels, encoder, shipped, prior)
    except ClassifierError as error:
        log.warning("no thresholds by precision: %s", error)
        return []
    return thresholds_by_precision(probability, labels.duplicate, labels.component, prior)


def thresholds_by_precision(
    probability: Float64, duplicate: NDArray[np.bool_], component: Int64, prior: float
) -> list[Mapping[str, Any]]:
    """Return, for each of `PRECISIONS` that can be had, the threshold, its interval and its recall.

    Parameters
    ----------
    probability, duplicate, component
        (n_pairs,): of labelled pairs, each judged without its own label; the labels; which pairs share questions.
    """
    weight = spread_weights(duplicate, component, prior)
    found: list[Mapping[str, Any]] = []
    for wanted in PRECISIONS:
        try:
            at = threshold_for_precision(probability, duplicate, weight, wanted)
        except ClassifierError:
            break  # a higher one cannot be had either
        found.append(
            {
                "wanted": wanted,
                "threshold": at.threshold,
                "precision": at.precision,
                "low": at.low,
                "high": at.high,
                "recall": at.recall,
            }
        )
    return found
