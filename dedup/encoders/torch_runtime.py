"""Sentence-transformers models by torch: any of them, and the one way onto a GPU."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders.adapter import read_changes
from dedup.encoders.tokens import cut_tokenizer, token_lists
from dedup.errors import EncoderError, first_line
from dedup.questions import Float32, Int64

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

_GPU_TEXTS = 16_384  # tokenised while the GPU works on those before
_GPU_TOKENS = 131_072  # in one batch, padding included


class TorchRuntime:
    """A model as sentence-transformers runs it, on the CPU."""

    def __init__(self, model: SentenceTransformer, batch_size: int) -> None:
        self._model = model.eval()
        self._batch_size = batch_size

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return the model's vector of each text, (n, dimension); it sorts them by length itself."""
        vectors = self._model.encode(
            list(texts), batch_size=self._batch_size, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), -1)


class GpuRuntime:
    """A BERT model on a GPU, in bf16 where it has it and in fp16 elsewhere.

    Nothing waits for the GPU before the last batch is sent: while it multiplies, the CPU tokenises what comes next.
    """

    def __init__(self, model: SentenceTransformer, folder: Path, longest: int, device: torch.device) -> None:
        self._model = model.eval().to(device)
        self._tokenizer = cut_tokenizer(folder, longest)
        self._device = device

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return the model's vector of each text, (n, dimension)."""
        import torch

        half = torch.bfloat16 if self._device.type == "cpu" or torch.cuda.is_bf16_supported() else torch.float16
        parts: list[torch.Tensor] = []
        order: list[Int64] = []
        with torch.inference_mode(), torch.autocast(self._device.type, half):
            for first in range(0, len(texts), _GPU_TEXTS):
                tokens = token_lists(self._tokenizer, texts[first : first + _GPU_TEXTS])
                for some in _of_one_length(tokens):
                    features = self._padded([tokens[i] for i in some])
                    parts.append(self._model(features)["sentence_embedding"].float())
                    order.append(first + some)
        vectors = torch.cat(parts).cpu().numpy()
        ordered: Float32 = np.empty_like(vectors)
        ordered[np.concatenate(order)] = vectors
        return ordered

    def _padded(self, tokens: Sequence[Sequence[int]]) -> dict[str, torch.Tensor]:
        import torch

        width = max(map(len, tokens))
        ids = np.zeros((len(tokens), width), dtype=np.int64)
        real = np.arange(width) < np.array([len(own) for own in tokens])[:, None]
        ids[real] = np.fromiter((token for own in tokens for token in own), dtype=np.int64)
        return {
            name: self._sent(torch.from_numpy(part))
            for name, part in (("input_ids", ids), ("attention_mask", real.astype(np.int64)))
        }

    def _sent(self, tensor: torch.Tensor) -> torch.Tensor:
        """Send from pinned memory, so that the CPU does not wait for the transfer."""
        pinned = tensor.pin_memory() if self._device.type == "cuda" else tensor
        return pinned.to(self._device, non_blocking=True)


def _of_one_length(tokens: Sequence[Sequence[int]]) -> Iterator[Int64]:
    """Give the texts in batches of about `_GPU_TOKENS` places, the longest first."""
    length = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    order = np.argsort(-length, kind="stable")
    first = 0
    while first < len(order):
        most = max(1, _GPU_TOKENS // int(length[order[first]]))
        yield order[first : first + most]
        first += most


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


def apply_adapter(model: torch.nn.Module, adapter: Path) -> None:
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
