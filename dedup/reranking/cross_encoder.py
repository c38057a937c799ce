"""From a cross-encoder's name to what scores pairs of texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from dedup.encoders.registry import ModelFiles, check_files, find_folder, is_cross_encoder
from dedup.errors import EncoderError
from dedup.progress import Advance
from dedup.questions import Float64

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder as Network


class PairScorer(Protocol):
    """What scores pairs of texts, whatever network is inside."""

    @property
    def name(self) -> str:
        """What the user called it."""

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits; two scorers with one fingerprint give the same scores."""

    def score(self, pairs: Sequence[tuple[str, str]], advance: Advance) -> Float64:
        """Return a score of each pair of normalised texts, (n_pairs,): larger is likelier to be a duplicate.

        The same whichever text comes first, and whatever other pairs are scored with it.
        """


class CrossEncoder:
    """A transformer that reads both texts of a pair together: on a GPU where torch finds one, else on the CPU.

    The network is loaded when it is first needed: where no pair is uncertain, torch is never imported.
    """

    def __init__(self, name: str, files: ModelFiles) -> None:
        self._files = files
        self.name = name
        self.fingerprint = files.fingerprint

    def score(self, pairs: Sequence[tuple[str, str]], advance: Advance) -> Float64:
        """See `PairScorer.score`; a score is the mean of the logits of both orders.

        Raises
        ------
        EncoderError
            If the network cannot be loaded, or a score is not a number.
        """
        if not pairs:
            return np.empty(0)
        from dedup.reranking.scoring import score_pairs

        scores = score_pairs(self._network, pairs, advance)
        if not np.isfinite(scores).all():
            raise EncoderError(f"the cross-encoder {self.name} gave a pair no number; train or install it again")
        return scores

    @cached_property
    def _network(self) -> Network:
        from dedup.reranking.scoring import load_network

        return load_network(self._files.network, self._files.adapter)


def load_cross_encoder(name: str) -> CrossEncoder:
    """Load the cross-encoder called ``name``: the shipped one, or a folder that `dedup train` has made.

    Raises
    ------
    EncoderError
        If there is none, it is another kind of model, or its weights are in another form than safetensors.
    TamperedWeights
        If a weight file is not the one that its record names.
    """
    folder = find_folder(name)
    if not folder.is_dir():
        raise EncoderError(
            f"the reranker {name} is not installed; train one (`dedup train PAIRS --architecture cross-encoder "
            "--output FOLDER`) and name it with --reranker"
        )
    if not is_cross_encoder(folder):
        raise EncoderError(
            f"{name} is not a cross-encoder, and cannot score pairs; give a folder that `dedup train --architecture "
            "cross-encoder` has made"
        )
    return CrossEncoder(_shown(name), check_files(folder))


def _shown(name: str) -> str:
    """Return a reranker's name as it is recorded: of a folder the name alone, which says nothing of the machine."""
    return Path(name).resolve().name if Path(name).is_dir() else name
