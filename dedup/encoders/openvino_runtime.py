"""BERT by OpenVINO, without torch: many questions at a time, on all cores.

Each core runs batches of its own (one stream a core), of full rows (`dedup.encoders.packing`).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders.bert import Bert
from dedup.encoders.bert_graph import bert_graph
from dedup.encoders.packing import Batch, pack
from dedup.meters import multiplied
from dedup.questions import Float32

if TYPE_CHECKING:
    from openvino import InferRequest

_TOKENS_PER_BATCH = 1024  # half as many are slower by a tenth, twice as many are no faster


class OpenVinoRuntime:
    """A network, compiled for this processor; may be used by several threads.

    Parameters
    ----------
    bf16
        Multiply matrices in bf16, else in float32.
    """

    def __init__(self, network: Bert, *, bf16: bool) -> None:
        from openvino import Core

        cores = len(os.sched_getaffinity(0))
        options = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "NUM_STREAMS": str(cores),
            "INFERENCE_NUM_THREADS": str(cores),
            "ENABLE_CPU_PINNING": False,  # two processes would be pinned to the same cores
        }
        compiled = Core().compile_model(bert_graph(network), "CPU", options)
        self._dimension = int(network.words.shape[1])
        self._precision = "bf16" if bf16 else "fp32"
        self._of_token, self._of_two_tokens = network.operations
        self._requests: SimpleQueue[InferRequest] = SimpleQueue()
        for _ in range(cores):
            self._requests.put(compiled.create_infer_request())
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="encode")

    def states(self, tokens: Sequence[Sequence[int]]) -> Float32:
        """Return the mean of the token states of each text, (n, dimension) float32."""
        batches = list(pack(tokens, _TOKENS_PER_BATCH))
        states = np.empty((len(tokens), self._dimension), dtype=np.float32)
        for batch, means in zip(batches, self._threads.map(self._means, batches), strict=True):
            states[batch.text] = means
        return states

    def _means(self, batch: Batch) -> Float32:
        request = self._requests.get()
        try:
            request.infer([batch.tokens, batch.position, batch.owner])
            length = batch.length.astype(np.float64)  # empty places are no work
            multiplied(float(length @ (self._of_token + self._of_two_tokens * length)), self._precision)
            return batch.means(request.get_output_tensor(0).data)
        finally:
            self._requests.put(request)


def has_bf16() -> bool:
    """Tell whether the processor multiplies matrices in bf16 (AVX512-BF16 or AMX)."""
    from openvino import Core

    return "BF16" in Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
