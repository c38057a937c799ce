"""A cross-encoder at work, by torch: pairs of texts in, logits out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from sentence_transformers import CrossEncoder as Network
from transformers.utils import logging as transformers_logging

from dedup.encoders.torch_runtime import apply_adapter
from dedup.errors import EncoderError, first_line
from dedup.progress import Advance
from dedup.questions import Float64, Int64

LONGEST = 256
"""Tokens of a pair, both texts together; of longer ones the longer text is cut."""

_CHUNK_PAIRS = 4096  # tokenised at once, and scored between two signs of progress
_LENGTH_STEP = 8  # tokens: lengths are rounded up to a multiple
_BATCH_TOKENS = {"cpu": 2048, "cuda": 65_536}


def load_network(folder: Path, adapter: Path | None = None) -> Network:
    """Load a cross-encoder's folder of safetensors, or a base and what an adapter in another folder makes of it.

    Raises
    ------
    EncoderError
        If the folder is not such a model, or the adapter is damaged or of another base.
    """
    network = new_network(folder)
    if adapter is not None:
        clear_head(network, folder)
        apply_adapter(network, adapter)
    network.eval()
    return network


def new_network(folder: Path) -> Network:
    """Load a transformer as a cross-encoder of one logit; where the folder has no head for that, it is a random one.

    Attention is "eager": with short texts in bf16 it is the fastest on a CPU.

    Raises
    ------
    EncoderError
        If the folder is not a transformer of safetensors.
    """
    logging.getLogger("sentence_transformers").setLevel(logging.ERROR)
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        network: Network = Network(
            str(folder),
            num_labels=1,
            local_files_only=True,
            model_kwargs={"use_safetensors": True, "attn_implementation": "eager"},
        )
    except Exception as error:
        # What a damaged model folder raises is the business of three libraries, and not documented by any.
        raise EncoderError(
            f"{folder} cannot be loaded as a cross-encoder: {first_line(error)[:200]}; train or install it again"
        ) from error
    return network


def clear_head(network: Network, folder: Path) -> None:
    """Set to 0 what the folder that it was loaded from has no weights for: what an adapter adds is then the head."""
    module: Any = network[0]
    with safe_open(folder / "model.safetensors", "numpy") as weights:
        known = set(weights.keys())
    with torch.no_grad():
        for name, parameter in module.model.named_parameters():
            if known.isdisjoint((name, name.removeprefix(f"{module.model.base_model_prefix}."))):
                parameter.zero_()


def has_bf16(device: str) -> bool:
    """Tell whether a device ("cpu", "cuda") multiplies in bf16 by itself."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    able = torch.cpu.get_capabilities()
    return device == "cpu" and bool(able.get("amx_bf16") or able.get("avx512_bf16"))


def score_pairs(network: Network, pairs: Sequence[tuple[str, str]], advance: Advance) -> Float64:
    """Return the mean logit of both orders of each pair, (n_pairs,), in bf16 where the device has it."""
    scores = np.empty(len(pairs))
    for start in range(0, len(pairs), _CHUNK_PAIRS):
        some = pairs[start : start + _CHUNK_PAIRS]
        there, back = np.split(_logits(network, [*some, *((right, left) for left, right in some)]), 2)
        scores[start : start + len(some)] = (there + back) / 2
        advance(len(some))
    return scores


@torch.inference_mode()
def _logits(network: Network, pairs: Sequence[tuple[str, str]]) -> Float64:
    """Return the logit of each pair, (n_pairs,), read in this order.

    All batches of one length have one shape, filled up with repetitions: other shapes are multiplied in another order,
    and in bf16 the second digit of a logit would depend on what else is scored with it.
    """
    device = network.device
    longest = min(LONGEST, network.tokenizer.model_max_length)
    read = network.tokenizer(
        [left for left, _ in pairs], [right for _, right in pairs], truncation=True, max_length=longest
    )
    length = np.array([len(ids) for ids in read["input_ids"]], dtype=np.int64)
    padded = np.minimum(-(-length // _LENGTH_STEP) * _LENGTH_STEP, longest)
    logits = np.empty(len(pairs))
    for rows in _of_one_shape(padded, _BATCH_TOKENS.get(device.type, _BATCH_TOKENS["cpu"])):
        width = int(padded[rows[0]])
        batch = network.tokenizer.pad(
            {name: [values[row] for row in rows] for name, values in read.items()},
            padding="max_length",
            max_length=width,
            return_tensors="pt",
        ).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=has_bf16(device.type)):
            scores = network(dict(batch))["scores"]
        logits[rows] = scores[:, 0].float().cpu().numpy()
    return logits


def _of_one_shape(padded: Int64, tokens: int) -> list[Int64]:
    """Return batches of rows of one padded length, as many rows as make that many tokens; some rows may repeat."""
    order = np.argsort(padded, kind="stable")
    batches = []
    for same in np.split(order, np.flatnonzero(np.diff(padded[order])) + 1):
        size = max(1, tokens // int(padded[same[0]]))
        batches += [np.resize(same[start : start + size], size) for start in range(0, len(same), size)]
    return batches
