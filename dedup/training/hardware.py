"""What the machine can do."""

from __future__ import annotations

import platform

import torch

from dedup.reranking.scoring import has_bf16
from dedup.training.options import Precision


def uses_bf16(asked: Precision) -> bool:
    """Tell whether the network multiplies in bf16: as asked, or where the processor that trains has it."""
    if asked is not Precision.AUTO:
        return asked is Precision.BF16
    return has_bf16("cuda" if torch.cuda.is_available() else "cpu")


def processor_name() -> str:
    """Return the name of what trains."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return str(torch.cpu.get_capabilities().get("cpu_name") or platform.machine())
