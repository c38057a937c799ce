"""A fine-tuned transformer kept as what it changes of its base: megabytes instead of the whole network.

``adapter.safetensors`` has, for each matrix that was trained, two thin ones whose product is added to it (``NAME.up``
(rows, r) and ``NAME.down`` (r, columns), float16), and for each trained vector the difference itself (``NAME.delta``).
The product is the best one of its rank: the singular value decomposition of the difference, cut off (Eckart & Young,
1936); such a difference is of low rank (Hu et al., 2022, "LoRA").
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dedup.errors import EncoderError, first_line
from dedup.questions import Float32

ADAPTER_FILE = "adapter.safetensors"
_UP, _DOWN, _DELTA = ".up", ".down", ".delta"


def differences(base: Mapping[str, Float32], tuned: Mapping[str, Float32], rank: int) -> dict[str, np.ndarray]:
    """Return what an adapter of that rank holds; parameters that are equal in both are left out.

    Parameters
    ----------
    base, tuned
        Parameters of one architecture, by name.
    """
    tensors: dict[str, np.ndarray] = {}
    for name, before in base.items():
        change = tuned[name] - before
        if not change.any():
            continue
        if change.ndim < 2:
            tensors[name + _DELTA] = change.astype(np.float16)
            continue
        left, values, right = np.linalg.svd(change, full_matrices=False)
        root = np.sqrt(values[:rank])
        tensors[name + _UP] = (left[:, :rank] * root).astype(np.float16)
        tensors[name + _DOWN] = (root[:, None] * right[:rank]).astype(np.float16)
    return tensors


def read_changes(folder: Path) -> dict[str, Float32]:
    """Return what the adapter in ``folder`` adds to each parameter of its base.

    Raises
    ------
    EncoderError
        If the file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    file = folder / ADAPTER_FILE
    try:
        tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(file).items()}
        changes = {name.removesuffix(_DELTA): own for name, own in tensors.items() if name.endswith(_DELTA)}
        for name, up in tensors.items():
            if name.endswith(_UP):
                changes[name.removesuffix(_UP)] = up @ tensors[name.removesuffix(_UP) + _DOWN]
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise EncoderError(
            f"{file} is not an adapter ({first_line(error)[:120]}); install the package again"
        ) from error
    return changes
