"""What runs an encoder's network: chosen by the hardware and by what the network is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dedup.encoders.bert import BertShape
from dedup.encoders.tokens import cut_tokenizer, token_lists
from dedup.questions import Float32

if TYPE_CHECKING:
    import torch


class Runtime(Protocol):
    """Runs a network over texts."""

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return the network's vector of each text (at least one), (n, dimension) float32, of any length."""


class TokenRuntime(Protocol):
    """Runs a network over tokens."""

    def states(self, tokens: Sequence[Sequence[int]]) -> Float32:
        """Return the mean of the token states of each text (at least one), (n, dimension) float32."""


class BertRuntime:
    """A tokenizer, and what runs the network behind it."""

    def __init__(self, folder: Path, shape: BertShape, network: TokenRuntime) -> None:
        self._tokenizer = cut_tokenizer(folder, shape.longest)
        self._network = network

    def encode(self, texts: Sequence[str]) -> Float32:
        """See `Runtime.encode`."""
        return self._network.states(token_lists(self._tokenizer, texts))


@dataclass(frozen=True, slots=True)
class RuntimeChoice:
    """Which library runs a network over a corpus, in which numbers, and why these."""

    runtime: str
    precision: str
    reason: str


def choose_runtime(shape: BertShape | None) -> RuntimeChoice:
    """Return what runs a network of this shape here; None is one that only sentence-transformers knows."""
    if gpu() is not None:
        return RuntimeChoice("torch", "bf16", "torch finds a GPU")
    if shape is None:
        return RuntimeChoice("torch", "fp32", "the network is not a BERT with the mean of its tokens' states")
    from dedup.encoders.openvino_runtime import has_bf16

    if has_bf16():
        return RuntimeChoice("OpenVINO", "bf16", "no GPU is found, and the processor multiplies bf16 matrices")
    return RuntimeChoice("OpenVINO", "fp32", "no GPU is found, and the processor has no bf16 instructions")


def gpu() -> torch.device | None:
    """Return the GPU that torch finds; torch, which takes seconds to import, is asked only where there is a driver."""
    if not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/dxg").exists():
        return None
    import torch

    return torch.device("cuda") if torch.cuda.is_available() else None
