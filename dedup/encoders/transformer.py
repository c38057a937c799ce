"""Any sentence-transformers model, run by torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sentence_transformers import SentenceTransformer
from transformers.utils import logging as transformers_logging

from dedup.encoders.protocol import unit_rows
from dedup.errors import EncoderError
from dedup.questions import Float32, Metric

# Their progress bars and their notes on every file they open are not this program's.
logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]


class TransformerEncoder:
    """A sentence-transformers model: on a GPU where torch finds one, else on the CPU."""

    def __init__(self, name: str, folder: Path, fingerprint: str, metric: Metric, *, batch_size: int) -> None:
        try:
            self._model = SentenceTransformer(
                str(folder), local_files_only=True, model_kwargs={"use_safetensors": True}
            )
        except Exception as error:
            # What a damaged model folder raises is the business of three libraries, and not documented by any.
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise EncoderError(
                f"{folder} cannot be loaded as a sentence-transformers model: {reason[:200]}; save it again"
            ) from error
        self._model.eval()
        self._batch_size = batch_size
        self.name = name
        self.fingerprint = fingerprint
        self.metric = metric
        self.dimension = len(self._model.encode("what is a vector", show_progress_bar=False))

    def encode(self, texts: Sequence[str]) -> Float32:
        """See `Encoder.encode`; the model sorts the texts by length itself, so that a batch pads little."""
        vectors = self._model.encode(
            list(texts), batch_size=self._batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        return unit_rows(np.asarray(vectors, dtype=np.float32).reshape(-1, self.dimension), texts)
