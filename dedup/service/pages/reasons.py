"""Why a pair is as probable as it is, in words."""

from __future__ import annotations

from dataclasses import dataclass

from dedup.explanation import Explanation
from dedup.questions import Metric

_WORDS = {
    "crowding": "how close other questions are to both",
    "different_numbers": "different numbers",
    "one_negated": "only one of them is negated",
    "different_question_word": "another question word",
    "overlap": "words in common",
    "rare_word_missing": "rare words that only one of them has",
    "swapped": "the same words in another order",
    "length_ratio": "how much longer one of them is",
    "length": "how long they are",
}
_FULL = 2.0  # log-odds that fill a bar: odds of seven to one


@dataclass(frozen=True, slots=True)
class Reason:
    """Something that speaks for or against a duplicate, with what it adds to the log-odds."""

    name: str
    value: float | None  # None where it is not known, and adds nothing
    log_odds: float

    @property
    def reach(self) -> float:
        """How long its bar is, in percent of the half that it is in."""
        return min(100.0, 100 * abs(self.log_odds) / _FULL)


def reasons(explanation: Explanation) -> list[Reason]:
    """Return what the classifier looks at in a pair, the distance first, then what matters most."""
    classifier = explanation.classifier
    far = explanation.manhattan if classifier.metric is Metric.MANHATTAN else explanation.euclidean
    distance = Reason(f"{classifier.metric} distance", far, -(classifier.slope * far + classifier.intercept))
    others = []
    for feature in classifier.features:
        value = explanation.features[feature.name]
        name = _WORDS.get(feature.name, feature.name)
        others.append(Reason(name, None if value != value else value, float(feature.log_odds(value))))
    return [distance, *sorted(others, key=lambda reason: -abs(reason.log_odds))]
