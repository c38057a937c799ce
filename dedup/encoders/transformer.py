"""Any sentence-transformers model, run by torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders.adapter import read_changes
from dedup.encoders.protocol import unit_rows
from dedup.errors import EncoderError, first_line
from dedup.questions import Float32, Metric

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch.nn import Module


class TransformerEncoder:
    """A sentence-transformers model: on a GPU where torch finds one, else on the CPU.

    The model is loaded when it is first needed: importing torch takes seconds, and a run that finds nothing new needs
    the fingerprint alone.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        fingerprint: str,
        metric: Metric,
        *,
        batch_size: int,
        adapter: Path | None = None,
    ) -> None:
        self._folder = folder
        self._adapter = adapter
        self._batch_size = batch_size
        self.name = name
        self.fingerprint = fingerprint
        self.metric = metric

    @cached_property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self.encode(["what is a vector"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Float32:
        """See `Encoder.encode`; the model sorts the texts by length itself, so that a batch pads little."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        vectors = self._model.encode(
            list(texts), batch_size=self._batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        return unit_rows(np.asarray(vectors, dtype=np.float32).reshape(len(texts), -1), texts)

    @cached_property
    def _model(self) -> SentenceTransformer:
        return load_model(self._folder, self._adapter).eval()


def load_model(folder: Path, adapter: Path | None = None, *, attention: str | None = None) -> SentenceTransformer:
    """Load a sentence-transformers folder of safetensors, with what an adapter in another folder changes.

    Parameters
    ----------
    attention
        Which implementation of it; by default the library's choice.

    Raises
    ------
    EncoderError
        If the folder is not such a model, or the adapter is damaged or of another base.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as transformers_logging

    # Their progress bars and their notes on every file they open are not this program's.
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    chosen = {} if attention is None else {"attn_implementation": attention}
    try:
        model = SentenceTransformer(
            str(folder), local_files_only=True, model_kwargs={"use_safetensors": True, **chosen}
        )
    except Exception as error:
        # What a damaged model folder raises is the business of three libraries, and not documented by any.
        raise EncoderError(
            f"{folder} cannot be loaded as a sentence-transformers model: {first_line(error)[:200]}; save it again"
        ) from error
    if adapter is not None:
        apply_adapter(model, adapter)
    return model


def apply_adapter(model: Module, adapter: Path) -> None:
    """Add what the adapter in a folder changes to the base's parameters, once: encoding costs what the base costs.

    Raises
    ------
    EncoderError
        If the adapter is damaged, or of another base.
    """
    import torch

    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, change in read_changes(adapter).items():
            if name not in parameters or parameters[name].shape != change.shape:
                raise EncoderError(f"{adapter} changes {name}, which its base does not have; install it again")
            parameters[name].add_(torch.from_numpy(change))
