"""How a pair in the uncertain band is judged again: one probability of what the classifier and a cross-encoder say.

A logistic regression on the classifier's log-odds and the cross-encoder's logit, kept as JSON beside the classifier
that it belongs to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dedup.artifacts import replacing
from dedup.classifier import FOLDER, Classifier, fit_logistic
from dedup.errors import ClassifierError
from dedup.questions import Float64, Metric

FORMAT = 1
BAND = (0.2, 0.9)
"""The probabilities by the classifier between which a pair is judged again; docs/quality.md says why."""

ENOUGH = 20
"""Labelled pairs of each kind in the band, with fewer of which nothing is fitted."""

_MOST = 1 - 1e-12  # a probability of 1 has no log-odds


@dataclass(frozen=True)
class Rescoring:
    """A logistic regression for one classifier, which has one encoder and one metric, and one cross-encoder.

    ``prior`` is the share of duplicates that it was fitted for. ``fit`` says how: how many pairs, of which files.
    """

    encoder: str  # the encoder's name, for people
    fingerprint: str
    metric: Metric
    classifier: str  # the identity of the classifier, as it is installed
    reranker: str  # the cross-encoder's name, for people
    reranker_fingerprint: str
    low: float  # the band, ends included
    high: float
    classifier_weight: float  # of its log-odds at ``prior``
    reranker_weight: float  # > 0: a larger logit is more probable
    intercept: float
    prior: float
    fit: Mapping[str, Any]

    def uncertain(self, probability: Float64) -> NDArray[np.bool_]:
        """Tell which pairs, by the classifier's probability, are judged again; same shape."""
        inside: NDArray[np.bool_] = (probability >= self.low) & (probability <= self.high)
        return inside

    def probability(self, classified: Float64, logit: Float64, *, prior: float) -> Float64:
        """P(duplicate | the classifier's probability, the cross-encoder's logit), (n_pairs,).

        Parameters
        ----------
        classified, logit
            (n_pairs,): what each says of a pair in the band.
        prior
            The share of duplicates that ``classified`` is for, and the result will be: the odds of both are scaled
            alike (Elkan, 2001, "The foundations of cost-sensitive learning", theorem 2).
        """
        moved = _log_odds(prior) - _log_odds(self.prior)
        odds = self.classifier_weight * (_log_odds(classified) - moved) + self.reranker_weight * logit + self.intercept
        probability: Float64 = np.exp(-np.logaddexp(0.0, -(odds + moved)))
        return probability

    @property
    def identity(self) -> str:
        """16 hexadecimal digits that differ wherever a probability could."""
        numbers = (self.low, self.high, self.classifier_weight, self.reranker_weight, self.intercept, self.prior)
        named = f"{FORMAT} {self.classifier} {self.reranker_fingerprint} {numbers!r}"
        return hashlib.sha256(named.encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """Return it as what its file holds."""
        return {"format": FORMAT, **asdict(self)}


def fit_rescoring(
    classified: Float64,
    logit: Float64,
    duplicate: NDArray[np.bool_],
    weight: Float64,
    *,
    classifier: Classifier,
    reranker: str,
    reranker_fingerprint: str,
    prior: float,
    pairs: str,
) -> Rescoring:
    """Fit the logistic regression on labelled pairs in the band.

    Parameters
    ----------
    classified, logit
        (n_pairs,): the classifier's probability at ``prior``, within `BAND`, and the cross-encoder's logit.
    duplicate, weight
        (n_pairs,): the labels, and the weights that give duplicates the share ``prior`` among all labelled pairs, those
        outside the band included.
    classifier
        As it is installed, at its own prior.
    pairs
        Where the labels come from, for the record.

    Raises
    ------
    ClassifierError
        If there are too few pairs of a kind, they can be separated without a mistake, or the cross-encoder does not
        tell them apart.
    """
    duplicates = int(duplicate.sum())
    if min(duplicates, len(duplicate) - duplicates) < ENOUGH:
        raise ClassifierError(
            f"of the labelled pairs of {pairs}, {len(duplicate)} have a probability from {BAND[0]:g} to {BAND[1]:g}, "
            f"{duplicates} of them duplicates; {ENOUGH} of each kind are needed: give more labels"
        )
    weights, intercept = fit_logistic(np.column_stack([_log_odds(classified), logit]), duplicate, weight, pairs)
    if weights[1] <= 0:
        raise ClassifierError(
            f"in {pairs} duplicates do not score higher than the other pairs by {reranker}; check that the labels are "
            "not swapped (1 means duplicate), or give another --reranker"
        )
    fit = {"pairs": pairs, "labelled": len(duplicate), "duplicates": duplicates}
    return Rescoring(
        classifier.encoder,
        classifier.fingerprint,
        classifier.metric,
        classifier.identity,
        reranker,
        reranker_fingerprint,
        *BAND,
        float(weights[0]),
        float(weights[1]),
        intercept,
        prior,
        fit,
    )


def save_rescoring(rescoring: Rescoring, indexes: Path) -> Path:
    """Write it under ``indexes``, where `load_rescoring` finds it, and return the file."""
    file = indexes / FOLDER / _file_name(rescoring.fingerprint, rescoring.metric)
    with replacing(file) as beside:
        beside.write_text(json.dumps(rescoring.to_json(), indent=2) + "\n", "utf-8")
    return file


def load_rescoring(indexes: Path, classifier: Classifier, reranker: str, reranker_fingerprint: str) -> Rescoring:
    """Return what was fitted for an installed classifier: the user's own under ``indexes``, else the shipped one.

    Raises
    ------
    ClassifierError
        If there is none, its file is damaged, or it was fitted for another classifier or cross-encoder.
    """
    name = _file_name(classifier.fingerprint, classifier.metric)
    remedy = (
        f"fit it on labelled pairs: `dedup calibrate PAIRS --rerank --encoder {classifier.encoder} "
        f"--metric {classifier.metric} --reranker {reranker}`"
    )
    own = indexes / FOLDER / name
    file: Traversable = own if own.is_file() else resources.files("dedup") / FOLDER / name
    if not file.is_file():
        raise ClassifierError(
            f"nothing says what the scores of {reranker} mean for the encoder {classifier.encoder} with the "
            f"{classifier.metric} distance; {remedy}"
        )
    rescoring = _read(file, remedy)
    if (rescoring.fingerprint, rescoring.metric, rescoring.classifier) != (
        classifier.fingerprint,
        classifier.metric,
        classifier.identity,
    ):
        raise ClassifierError(
            f"{file} was fitted for the classifier {rescoring.classifier} of {rescoring.encoder}, the installed one is "
            f"{classifier.identity}; {remedy}"
        )
    if rescoring.reranker_fingerprint != reranker_fingerprint:
        raise ClassifierError(
            f"{file} was fitted for the reranker {rescoring.reranker} ({rescoring.reranker_fingerprint[:16]}), asked "
            f"for was {reranker} ({reranker_fingerprint[:16]}); {remedy}"
        )
    return rescoring


def _read(file: Traversable, remedy: str) -> Rescoring:
    try:
        fields = json.loads(file.read_text("utf-8"))
        if fields.pop("format") != FORMAT:
            raise ValueError(f"expected format {FORMAT}")
        rescoring = Rescoring(**{**fields, "metric": Metric(fields["metric"])})
        numbers = [rescoring.classifier_weight, rescoring.reranker_weight, rescoring.intercept]
        if not (np.isfinite(numbers).all() and rescoring.reranker_weight > 0):
            raise ValueError("the weights and the intercept must be numbers, the reranker's weight above 0")
        if not (0 < rescoring.low < rescoring.high < 1 and 0 < rescoring.prior < 1):
            raise ValueError("the band and the prior must be above 0 and below 1")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClassifierError(f"{file} does not say how pairs are judged again ({error}); {remedy}") from error
    return rescoring


def _file_name(fingerprint: str, metric: Metric) -> str:
    return f"{fingerprint[:16]}-{metric}-rerank.json"


def _log_odds(probability: np.typing.ArrayLike) -> Float64:
    bounded = np.clip(np.asarray(probability, dtype=np.float64), 1 - _MOST, _MOST)
    log_odds: Float64 = np.log(bounded) - np.log1p(-bounded)
    return log_odds
