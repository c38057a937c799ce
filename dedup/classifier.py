"""From a distance to the probability that two questions are duplicates: logistic regression, kept as JSON."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np

from dedup.artifacts import replacing
from dedup.errors import ClassifierError
from dedup.evaluation import prior_weights
from dedup.questions import NATURAL_PRIOR, Float64, Metric

FORMAT = 1
_FOLDER = "classifiers"


@dataclass(frozen=True)
class Classifier:
    """A logistic regression on the distance, for one encoder and one metric.

    ``fit`` says how the two coefficients were found: how many pairs, the prior they were weighted to, the library.
    """

    encoder: str  # the encoder's name, for people
    fingerprint: str
    metric: Metric
    slope: float  # > 0: farther apart is less probable
    intercept: float
    fit: Mapping[str, Any]

    def probability(self, distance: np.typing.ArrayLike) -> Float64:
        """P(duplicate | distance) = 1 / (1 + exp(slope * distance + intercept)); same shape as ``distance``.

        Source: Platt (2000), "Probabilities for SV Machines", section 2.
        """
        odds_against = self.slope * np.asarray(distance, dtype=np.float64) + self.intercept
        probability: Float64 = np.exp(-np.logaddexp(0.0, odds_against))  # exp(odds_against) alone would overflow
        return probability

    def max_distance(self, probability: float) -> float:
        """Return the largest distance at which a pair still has ``probability``; the inverse of `probability`.

        Negative where not even equal vectors have it.
        """
        return float((np.log1p(-probability) - np.log(probability) - self.intercept) / self.slope)

    @cached_property
    def identity(self) -> str:
        """16 hexadecimal digits that differ wherever a probability could."""
        named = f"{FORMAT} {self.fingerprint} {self.metric} {self.slope!r} {self.intercept!r}"
        return hashlib.sha256(named.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return the classifier as what its file holds."""
        return {"format": FORMAT, **asdict(self)}


def fit_classifier(
    distance: np.typing.ArrayLike,
    duplicate: np.typing.ArrayLike,
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
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if not 0 < prior < 1:
        raise ClassifierError(f"the prior is {prior:g}; expected a share of duplicates above 0 and below 1")

    near = np.asarray(distance, dtype=np.float64)
    label = np.asarray(duplicate, dtype=bool)
    positives = int(label.sum())
    if positives in (0, len(label)):
        raise ClassifierError(
            f"{pairs} has {positives} duplicates among {len(label)} labelled pairs; give labels of both kinds"
        )
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            model.fit(near[:, None], label, sample_weight=prior_weights(label, prior))
        except ConvergenceWarning as warning:
            raise ClassifierError(
                f"one distance separates the {len(label)} labelled pairs of {pairs} without a mistake, which says "
                "nothing of how sure it is; give more labels, with hard ones among them"
            ) from warning
    slope, intercept = -float(model.coef_[0, 0]), -float(model.intercept_[0])
    if slope <= 0:
        raise ClassifierError(
            f"in {pairs} duplicates are not nearer than the other pairs ({metric} distance of {encoder}); "
            "check that the labels are not swapped (1 means duplicate)"
        )
    fit = {
        "pairs": pairs,
        "labelled": len(label),
        "duplicates": positives,
        "prior": prior,
        "library": f"scikit-learn {sklearn_version}",
    }
    return Classifier(encoder, fingerprint, metric, slope, intercept, fit)


def save_classifier(classifier: Classifier, indexes: Path) -> Path:
    """Write a classifier under ``indexes``, where `load_classifier` finds it, and return the file."""
    folder = indexes / _FOLDER
    file = folder / _file_name(classifier.fingerprint, classifier.metric)
    with replacing(file) as beside:
        beside.write_text(json.dumps(classifier.to_json(), indent=2) + "\n", "utf-8")
    return file


def load_classifier(indexes: Path, encoder: str, fingerprint: str, metric: Metric) -> Classifier:
    """Return the classifier of an encoder and metric: the user's own under ``indexes``, else the shipped one.

    Raises
    ------
    ClassifierError
        If there is none, or its file is damaged or of another encoder.
    """
    name = _file_name(fingerprint, metric)
    shipped = resources.files("dedup") / _FOLDER / name
    for file in (indexes / _FOLDER / name, shipped):
        if file.is_file():
            return _read(file, fingerprint, metric)
    raise ClassifierError(
        f"no classifier for the encoder {encoder} with the {metric} distance; "
        f"fit one on labelled pairs: `dedup calibrate PAIRS --encoder {encoder} --metric {metric}`"
    )


def _file_name(fingerprint: str, metric: Metric) -> str:
    return f"{fingerprint[:16]}-{metric}.json"


def _read(file: Traversable, fingerprint: str, metric: Metric) -> Classifier:
    try:
        fields = json.loads(file.read_text("utf-8"))
        if fields.pop("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}")
        classifier = Classifier(**{**fields, "metric": Metric(fields["metric"])})
        if not (np.isfinite([classifier.slope, classifier.intercept]).all() and classifier.slope > 0):
            raise ValueError("slope and intercept must be numbers, the slope above 0")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClassifierError(
            f"{file} is not a classifier ({error}); run `dedup calibrate` to write it again"
        ) from error
    if (classifier.fingerprint, classifier.metric) != (fingerprint, metric):
        raise ClassifierError(
            f"{file} belongs to the encoder {classifier.encoder} with the {classifier.metric} distance, asked for was "
            f"{metric} with fingerprint {fingerprint[:16]}; run `dedup calibrate` for this encoder"
        )
    return classifier
