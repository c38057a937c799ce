"""BERT by OpenVINO, without torch: many questions at a time, on all cores.

Each core runs batches of its own (one stream a core), of full rows (`dedup.encoders.packing`). A question that comes
alone is worked on by all cores together, in half the time; the sums are the same ones.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders.bert import Bert
from dedup.encoders.bert_graph import bert_graph
from dedup.encoders.packing import Batch, pack
from dedup.meters import multiplied
from dedup.questions import Float32

if TYPE_CHECKING:
    from openvino import CompiledModel, Core, InferRequest

_TOKENS_PER_BATCH = 1024  # half as many are slower by a tenth, twice as many are no faster


class OpenVinoRuntime:
    """A network, compiled for this processor; may be used by several threads.

    Parameters
    ----------
    bf16
        Multiply matrices in bf16, else in float32.
    """

    def __init__(self, network: Bert, *, bf16: bool) -> None:
        cores = len(os.sched_getaffinity(0))
        self._graph = bert_graph(network)
        self._precision = "bf16" if bf16 else "fp32"
        self._dimension = int(network.words.shape[1])
        self._of_token, self._of_two_tokens = network.operations
        self._requests: SimpleQueue[InferRequest] = SimpleQueue()
        compiled = self._compiled(streams=cores)
        for _ in range(cores):
            self._requests.put(compiled.create_infer_request())
        self._alone: InferRequest | None = None  # made when a question first comes alone; a run over a corpus has none
        self._one_alone = Lock()
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="encode")

    def _compiled(self, *, streams: int) -> CompiledModel:
        """Return the network, ready to run in so many streams, which share all cores."""
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if self._precision == "bf16" else "f32",
            "NUM_STREAMS": str(streams),
            "INFERENCE_NUM_THREADS": str(len(os.sched_getaffinity(0))),
            "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
        }
        return _openvino().compile_model(self._graph, "CPU", options)

    def states(self, tokens: Sequence[Sequence[int]]) -> Float32:
        """Return the mean of the token states of each text, (n, dimension) float32."""
        batches = list(pack(tokens, _TOKENS_PER_BATCH))
        states = np.empty((len(tokens), self._dimension), dtype=np.float32)
        of_batches: Iterable[Float32] | None = self._means_alone(batches[0]) if len(batches) == 1 else None
        if of_batches is None:
            of_batches = self._threads.map(self._means_of_one, batches)
        for batch, means in zip(batches, of_batches, strict=True):
            states[batch.text] = means
        return states

    def _means_alone(self, batch: Batch) -> list[Float32] | None:
        """Work on a single row with all cores; None where there are more rows, or another thread is at that."""
        if len(batch.tokens) > 1 or not self._one_alone.acquire(blocking=False):
            return None
        try:
            if self._alone is None:
                self._alone = self._compiled(streams=1).create_infer_request()
            return [self._means(batch, self._alone)]
        finally:
            self._one_alone.release()

    def _means_of_one(self, batch: Batch) -> Float32:
        request = self._requests.get()
        try:
            return self._means(batch, request)
        finally:
            self._requests.put(request)

    def _means(self, batch: Batch, request: InferRequest) -> Float32:
        request.infer([batch.tokens, batch.position, batch.owner])
        length = batch.length.astype(np.float64)  # empty places are no work
        multiplied(float(length @ (self._of_token + self._of_two_tokens * length)), self._precision)
        return batch.means(request.get_output_tensor(0).data)


def has_bf16() -> bool:
    """Tell whether the processor multiplies matrices in bf16 (AVX512-BF16 or AMX)."""
    return "BF16" in _openvino().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _openvino() -> Core:
    """Return OpenVINO, loaded once and never unloaded.

    Loaded, it gives the thread a stack for its signal handlers, and unloaded the one before. Of two that go in the
    order in which they came, the second gives back one that is gone: the next signal is a segmentation fault.
    """
    from openvino import Core

    return Core()
