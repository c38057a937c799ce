"""What every encoder is, whatever network is inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dedup.errors import EncoderError
from dedup.questions import Float32, Metric


class Encoder(Protocol):
    """The transform of a Siamese network: both questions of a pair go through the same weights."""

    @property
    def name(self) -> str:
        """What the user called it."""

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits over the weights, the tokenizer, the configuration and the text normaliser's version.

        Two encoders with one fingerprint give the same vectors.
        """

    @property
    def metric(self) -> Metric:
        """The distance in which its vectors are compared."""

    @property
    def dimension(self) -> int:
        """The length of a vector."""

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return one unit vector for each normalised text: (n, dimension) float32, rows in the order of ``texts``.

        Vectors do not depend on the order, and on the other texts of the call only within 1e-5 per component.
        """


def unit_rows(vectors: Float32, texts: Sequence[str]) -> Float32:
    """Return ``vectors`` scaled to length 1: unnormalised ones break both L1 and L2.

    Raises
    ------
    EncoderError
        If a row has no direction (all zero, or not finite); names its text.
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    without = np.flatnonzero(~(np.isfinite(length[:, 0]) & (length[:, 0] > 0)))
    if len(without):
        raise EncoderError(
            f"the encoder gave {texts[without[0]][:60]!r} a vector of length {length[without[0], 0]:g}, which has no "
            "direction; use another encoder or remove that question"
        )
    scaled: Float32 = np.asarray(vectors / length, dtype=np.float32)
    return scaled
