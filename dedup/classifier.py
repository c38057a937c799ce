"""From a distance, and a few more features, to the probability that two questions are duplicates.

A logistic regression, kept as JSON.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.artifacts import replacing
from dedup.errors import ClassifierError, NoClassifier
from dedup.evaluation import prior_weights
from dedup.features import FEATURES
from dedup.priors import prior_under
from dedup.questions import NATURAL_PRIOR, Float64, Metric

FORMAT = 3
FOLDER = "classifiers"
"""Where classifiers are, under the folder of the indexes and in the package."""
_RANGE = (0.01, 0.99)  # quantiles of a feature's values among the fitted pairs, beyond which it says nothing more


@dataclass(frozen=True, slots=True)
class Feature:
    """One more thing than the distance that the probability depends on; its name is one of `dedup.features`.

    ``weight`` is in log-odds for each unit that the feature is above ``typical``. A value outside ``low`` to ``high``,
    where nearly all fitted pairs were, counts as the nearer of the two; one that is not known (NaN) as typical.
    """

    name: str
    weight: float
    typical: float
    low: float
    high: float

    def log_odds(self, value: np.typing.ArrayLike) -> Float64:
        """Return what values of the feature add to the log-odds of a duplicate; same shape."""
        known = np.nan_to_num(np.asarray(value, dtype=np.float64), nan=self.typical)
        added: Float64 = self.weight * (np.clip(known, self.low, self.high) - self.typical)
        return added

    @property
    def most(self) -> float:
        """The most that the feature can add to the log-odds."""
        return float(max(self.log_odds(self.low), self.log_odds(self.high)))


@dataclass(frozen=True)
class Classifier:
    """A logistic regression on the distance and a few more features, for one encoder and one metric.

    ``slope`` and ``intercept`` are those of a pair whose features are all typical. ``prior`` is the share of duplicates
    that its probabilities are for. ``fit`` says how it was found: how many pairs, of which files, the library.
    """

    encoder: str  # the encoder's name, for people
    fingerprint: str
    metric: Metric
    slope: float  # > 0: farther apart is less probable
    intercept: float
    features: tuple[Feature, ...]
    prior: float
    fit: Mapping[str, Any]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What it has to know of a pair beside the distance."""
        return tuple(feature.name for feature in self.features)

    def probability(
        self, distance: np.typing.ArrayLike, features: Mapping[str, np.typing.ArrayLike] | None = None
    ) -> Float64:
        """P(duplicate | distance, features) = 1 / (1 + exp(slope * distance + intercept - what the features add)).

        Same shape as ``distance``. Without ``features`` every one of them is typical.

        Source: Platt (2000), "Probabilities for SV Machines", section 2.
        """
        odds_against = self.slope * np.asarray(distance, dtype=np.float64) + self.intercept
        if features is not None:
            odds_against = odds_against - sum(each.log_odds(features[each.name]) for each in self.features)
        probability: Float64 = np.exp(-np.logaddexp(0.0, odds_against))  # exp(odds_against) alone would overflow
        return probability

    def max_distance(self, probability: float) -> float:
        """Return the largest distance at which a pair of typical features still has ``probability``.

        Negative where not even equal vectors have it.
        """
        return float((np.log1p(-probability) - np.log(probability) - self.intercept) / self.slope)

    def reach(self, probability: float) -> float:
        """Return the distance beyond which no pair has ``probability``, whatever its features."""
        return self.max_distance(probability) + sum(feature.most for feature in self.features) / self.slope

    def at_prior(self, prior: float) -> Classifier:
        """Return the classifier whose probabilities are for another share of duplicates: the odds, scaled.

        Source: Elkan (2001), "The foundations of cost-sensitive learning", theorem 2.
        """
        more = (np.log(prior) - np.log1p(-prior)) - (np.log(self.prior) - np.log1p(-self.prior))
        return replace(self, intercept=self.intercept - float(more), prior=prior)

    def prior_within(self, cutoff: float) -> float:
        """Return the share of duplicates among the pairs it was fitted on, as far as they lie within a distance."""
        spread = self.fit.get("distances")
        if spread is None:
            return self.prior
        near, far = np.array(spread["duplicates"]), np.array(spread["others"])
        label = np.repeat([True, False], [len(near), len(far)])
        return prior_under(np.concatenate([near, far]), label, cutoff, prior=self.prior)

    @cached_property
    def identity(self) -> str:
        """16 hexadecimal digits that differ wherever a probability could."""
        named = f"{FORMAT} {self.fingerprint} {self.metric} {self.slope!r} {self.intercept!r} {self.features!r}"
        return hashlib.sha256(named.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the classifier as what its file holds."""
        return {"format": FORMAT, **asdict(self)}


def fit_classifier(
    distance: np.typing.ArrayLike,
    duplicate: np.typing.ArrayLike,
    features: Mapping[str, Float64] | None = None,
    *,
    encoder: str,
    fingerprint: str,
    metric: Metric,
    prior: float = NATURAL_PRIOR,
    pairs: str,
) -> Classifier:
    """Fit the logistic regression on labelled pairs, weighted so that duplicates have the share ``prior``.

    Parameters
    ----------
    distance
        (n_pairs,), in ``metric``.
    duplicate
        (n_pairs,) of bool: the labels.
    features
        (n_pairs,) each, by name; NaN where not known. One that does not vary is left out.
    prior
        Which share of the pairs that will be asked about are duplicates.
    pairs
        Where the labels come from, for the record.

    Raises
    ------
    ClassifierError
        If the labels are of one class only, can be separated without a mistake, or duplicates are not nearer.
    """
    from sklearn import __version__ as sklearn_version

    near = np.asarray(distance, dtype=np.float64)
    label = np.asarray(duplicate, dtype=bool)
    positives = require_both_classes(label, prior, pairs)
    shapes = [shape for name, values in (features or {}).items() if (shape := _shape(name, values)).high > shape.low]
    columns = np.column_stack([near, *(shape.log_odds((features or {})[shape.name]) for shape in shapes)])
    weights, constant = fit_logistic(columns, label, prior_weights(label, prior), pairs)
    slope, intercept = -float(weights[0]), -constant
    if slope <= 0:
        raise ClassifierError(
            f"in {pairs} duplicates are not nearer than the other pairs ({metric} distance of {encoder}); "
            "check that the labels are not swapped (1 means duplicate)"
        )
    fit = {
        "pairs": pairs,
        "labelled": len(label),
        "duplicates": positives,
        "library": f"scikit-learn {sklearn_version}",
        "distances": spread_of(near, label),
    }
    fitted = tuple(replace(shape, weight=float(weight)) for shape, weight in zip(shapes, weights[1:], strict=True))
    return Classifier(encoder, fingerprint, metric, slope, intercept, fitted, prior, fit)


def spread_of(distance: NDArray[np.floating[Any]], label: NDArray[np.bool_]) -> dict[str, list[float]]:
    """Return the percentiles, from the 0th to the 100th, of the distances of duplicates and of other pairs."""
    shares = np.linspace(0, 1, 101)
    return {
        name: [round(float(value), 5) for value in np.quantile(distance[kind], shares)]
        for name, kind in (("duplicates", label), ("others", ~label))
    }


def require_both_classes(label: NDArray[np.bool_], prior: float, pairs: str) -> int:
    """Return how many of the labels are duplicates, where there are some of both kinds and the prior is a share.

    Raises
    ------
    ClassifierError
        Otherwise.
    """
    if not 0 < prior < 1:
        raise ClassifierError(f"the prior is {prior:g}; expected a share of duplicates above 0 and below 1")
    positives = int(label.sum())
    if positives in (0, len(label)):
        raise ClassifierError(
            f"{pairs} has {positives} duplicates among {len(label)} labelled pairs; give labels of both kinds"
        )
    return positives


def _shape(name: str, values: Float64) -> Feature:
    """Return a feature of weight 1 with the middle and the range of its values."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Feature(name, 1.0, 0.0, 0.0, 0.0)
    if set(np.unique(known).tolist()) <= {0.0, 1.0}:
        return Feature(name, 1.0, 0.0, float(known.min()), float(known.max()))
    low, high = np.quantile(known, _RANGE)
    return Feature(name, 1.0, float(np.median(known)), float(low), float(high))


def fit_logistic(columns: Float64, label: NDArray[np.bool_], weight: Float64, pairs: str) -> tuple[Float64, float]:
    """Return the weights of the columns, (n_columns,), and the constant that make the weighted labels most likely.

    Raises
    ------
    ClassifierError
        If the labels can be separated without a mistake.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model.fit(columns, label, sample_weight=weight)
            separated = bool((model.predict(columns) == label).all())
        except ConvergenceWarning:  # the weights grow for ever, as they do where nothing contradicts them
            separated = True
    if separated:
        raise ClassifierError(
            f"the {len(label)} labelled pairs of {pairs} can be separated without a mistake, which says nothing of "
            "how sure it is; give more labels, with hard ones among them"
        )
    return model.coef_[0], float(model.intercept_[0])


def save_classifier(classifier: Classifier, indexes: Path) -> Path:
    """Write a classifier under ``indexes``, where `load_classifier` finds it, and return the file."""
    folder = indexes / FOLDER
    file = folder / _file_name(classifier.fingerprint, classifier.metric)
    with replacing(file) as beside:
        beside.write_text(json.dumps(classifier.to_json(), indent=2) + "\n", "utf-8")
    return file


def shipped_classifier(fingerprint: str, metric: Metric) -> Classifier | None:
    """Return the classifier that is shipped for an encoder and metric, None where there is none."""
    file = resources.files("dedup") / FOLDER / _file_name(fingerprint, metric)
    return _read(file, fingerprint, metric) if file.is_file() else None


def load_classifier(indexes: Path, encoder: str, fingerprint: str, metric: Metric) -> Classifier:
    """Return the classifier of an encoder and metric: the user's own under ``indexes``, else the shipped one.

    Raises
    ------
    NoClassifier
        If there is none.
    ClassifierError
        If its file is damaged, or of another encoder.
    """
    own = indexes / FOLDER / _file_name(fingerprint, metric)
    if own.is_file():
        return _read(own, fingerprint, metric)
    if (shipped := shipped_classifier(fingerprint, metric)) is not None:
        return shipped
    raise NoClassifier(
        f"no classifier for the encoder {encoder} with the {metric} distance; "
        f"fit one on labelled pairs: `dedup calibrate PAIRS --encoder {encoder} --metric {metric}`"
    )


def damaged_classifiers(indexes: Path) -> list[tuple[Path, ClassifierError]]:
    """Return the files of the user's own classifiers that cannot be read, and why."""
    found = []
    for file in sorted(path for metric in Metric for path in (indexes / FOLDER).glob(f"*-{metric}.json")):
        try:
            _parsed(file)
        except ClassifierError as error:
            found.append((file, error))
    return found


def from_json(fields: Mapping[str, Any]) -> Classifier:
    """Return the classifier that `Classifier.to_json` wrote down."""
    own = {name: value for name, value in fields.items() if name != "format"}
    features = tuple(Feature(**feature) for feature in own["features"])
    return Classifier(**{**own, "metric": Metric(own["metric"]), "features": features})


def _file_name(fingerprint: str, metric: Metric) -> str:
    return f"{fingerprint[:16]}-{metric}.json"


def _read(file: Traversable, fingerprint: str, metric: Metric) -> Classifier:
    classifier = _parsed(file)
    if (classifier.fingerprint, classifier.metric) != (fingerprint, metric):
        raise ClassifierError(
            f"{file} belongs to the encoder {classifier.encoder} with the {classifier.metric} distance, asked for was "
            f"{metric} with fingerprint {fingerprint[:16]}; run `dedup calibrate` for this encoder"
        )
    return classifier


def _parsed(file: Traversable) -> Classifier:
    try:
        fields = json.loads(file.read_text("utf-8"))
        if fields["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}")
        classifier = from_json(fields)
        features = classifier.features
        numbers = [number for feature in features for number in asdict(feature).values() if number != feature.name]
        if not (np.isfinite([classifier.slope, classifier.intercept, *numbers]).all() and classifier.slope > 0):
            raise ValueError("slope, intercept and features must be numbers, the slope above 0")
        if not 0 < classifier.prior < 1:
            raise ValueError("the prior must be above 0 and below 1")
        if unknown := set(classifier.feature_names) - set(FEATURES):
            raise ValueError(f"unknown features {sorted(unknown)}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClassifierError(
            f"{file} is not a classifier ({error}); run `dedup calibrate` to write it again"
        ) from error
    return classifier
