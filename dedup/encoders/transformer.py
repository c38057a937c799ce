"""Any sentence-transformers model; the usual ones without torch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from dedup.encoders.bert import Bert, BertShape, read_shape
from dedup.encoders.prepared import prepared_bert
from dedup.encoders.protocol import unit_rows
from dedup.encoders.runtimes import BertRuntime, Runtime, choose_runtime, gpu
from dedup.questions import Float32, Metric


class TransformerEncoder:
    """A sentence-transformers model, and what runs it.

    It is loaded when it is first needed: a run that finds nothing new needs the fingerprint alone.

    Parameters
    ----------
    batch_size
        How many texts torch encodes at once on the CPU, where it is what runs the model.
    quick
        Run it by what encodes a few texts soonest after the start, not by what encodes the most; vectors differ by what
        bf16 rounds off.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        fingerprint: str,
        metric: Metric,
        *,
        batch_size: int,
        quick: bool = False,
        adapter: Path | None = None,
    ) -> None:
        self._folder = folder
        self._adapter = adapter
        self._batch_size = batch_size
        self._quick = quick
        self.name = name
        self.fingerprint = fingerprint
        self.metric = metric

    @cached_property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self.encode(["what is a vector"]).shape[1])

    def encode(self, texts: Sequence[str]) -> Float32:
        """See `Encoder.encode`."""
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return unit_rows(self._runtime.encode(texts), texts)

    @cached_property
    def _runtime(self) -> Runtime:
        shape = read_shape(self._folder)
        if shape is not None and self._quick:
            from dedup.encoders.numpy_runtime import NumpyRuntime

            return BertRuntime(self._folder, shape, NumpyRuntime(self._network(shape)))
        choice = choose_runtime(shape)
        if shape is not None and choice.runtime == "OpenVINO":
            from dedup.encoders.openvino_runtime import OpenVinoRuntime

            return BertRuntime(
                self._folder, shape, OpenVinoRuntime(self._network(shape), bf16=choice.precision == "bf16")
            )
        from dedup.encoders.torch_runtime import GpuRuntime, TorchRuntime, load_model

        model = load_model(self._folder, self._adapter)
        device = gpu()
        if shape is None or device is None:
            return TorchRuntime(model, self._batch_size)
        return GpuRuntime(model, self._folder, shape.longest, device)

    def _network(self, shape: BertShape) -> Bert:
        return prepared_bert(self._folder, shape, self._adapter, self.fingerprint)
