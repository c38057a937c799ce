"""What a training may be asked for, and what each architecture needs to train well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from dedup.encoders import BASE_ENCODER
from dedup.encoders.registry import CROSS_ENCODER as CROSS_ENCODER_NAME
from dedup.errors import TrainingError

MAX_TOKENS = 64
"""Where a transformer's texts are cut in training: a batch's longest sets its time and memory. Titles are shorter."""

MAX_PAIR_TOKENS = 96
"""Where a cross-encoder's pairs are cut in training, both texts together."""


class Architecture(StrEnum):
    """The network that makes a text into a vector; or two texts into a score, the cross-encoder."""

    TRANSFORMER = "transformer"
    STATIC = "static"
    LSTM = "lstm"
    CNN = "cnn"
    CROSS_ENCODER = CROSS_ENCODER_NAME


class Precision(StrEnum):
    """How the network multiplies: bf16 where the processor has it, or fp32 throughout."""

    AUTO = "auto"
    BF16 = "bf16"
    FP32 = "fp32"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What was found to train an architecture well."""

    learning_rate: float
    epochs: int
    distillation_rate: float  # of learning the teacher's vectors, before the labels
    distillation_epochs: int
    pairs_per_batch: int = 64


RECIPES: Mapping[Architecture, Recipe] = {
    Architecture.TRANSFORMER: Recipe(5e-5, 1, distillation_rate=0.0, distillation_epochs=0),
    Architecture.STATIC: Recipe(5e-4, 2, distillation_rate=1e-2, distillation_epochs=5),
    Architecture.LSTM: Recipe(1e-3, 4, distillation_rate=2e-3, distillation_epochs=5),
    Architecture.CNN: Recipe(1e-3, 4, distillation_rate=2e-3, distillation_epochs=5),
    Architecture.CROSS_ENCODER: Recipe(8e-5, 2, distillation_rate=0.0, distillation_epochs=0, pairs_per_batch=32),
}
"""A transformer and a cross-encoder start from a base that knows the language; the others learn it from a teacher, if
one is given."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Everything about a training that is not a setting; the metric is one.

    ``epochs``, ``learning_rate`` and ``pairs_per_batch`` of None are the architecture's own (`RECIPES`).
    """

    architecture: Architecture = Architecture.TRANSFORMER
    base: str = BASE_ENCODER
    teacher: str | None = None
    dev: tuple[str, ...] = ()  # files of labelled pairs; none: `dev_share` of the training pairs is held out
    dev_share: float = 0.1
    keep: tuple[str, ...] = ()  # dumps of questions whose distances should stay what they are
    epochs: int | None = None
    learning_rate: float | None = None
    pairs_per_batch: int | None = None
    seed: int = 0
    precision: Precision = Precision.AUTO
    fresh: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.dev_share < 1:
            raise TrainingError(f"the dev share is {self.dev_share:g}; expected a share above 0 and below 1")
        if self.epochs is not None and self.epochs < 1:
            raise TrainingError(f"{self.epochs} epochs were asked for; expected at least 1")
        if self.learning_rate is not None and not self.learning_rate > 0:
            raise TrainingError(f"the learning rate is {self.learning_rate:g}; expected a number above 0")
        if self.pairs_per_batch is not None and self.pairs_per_batch < 2:
            raise TrainingError(f"{self.pairs_per_batch} pairs a batch were asked for; expected at least 2")
        if self.architecture is Architecture.TRANSFORMER and self.teacher is not None:
            raise TrainingError(
                "a transformer starts from its base and learns from no teacher; leave --teacher out, or train a "
                "static, lstm or cnn encoder"
            )
        if self.architecture is Architecture.CROSS_ENCODER and (self.teacher is not None or self.keep):
            raise TrainingError(
                "a cross-encoder starts from its base and makes no vectors that a teacher has, or that should stay; "
                "leave --teacher and --keep out"
            )

    @property
    def guide(self) -> str:
        """The encoder that places the texts before there is a trained one: the teacher where given, else the base."""
        return self.teacher or self.base
