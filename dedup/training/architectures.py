"""The networks: made of sentence-transformers' modules, so that what is saved loads there too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders import registry
from dedup.encoders.adapter import ADAPTER_FILE
from dedup.encoders.torch_runtime import load_model
from dedup.progress import Progress
from dedup.questions import Int64
from dedup.training.batches import Tokenise
from dedup.training.options import MAX_TOKENS, Architecture, TrainingOptions

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_LENGTHS_AT_ONCE = 1024


def new_network(
    options: TrainingOptions, dimension: int, texts: tuple[str, ...], progress: Progress
) -> SentenceTransformer:
    """Return the network to train: the base itself, or a smaller one that begins with what the base knows of tokens.

    Parameters
    ----------
    dimension
        Of the guide's vectors; those of an LSTM or a CNN are as long, or a little shorter where it cannot be divided.
    texts
        How often they have a token is its weight in a static encoder.
    """
    if options.architecture is Architecture.TRANSFORMER:
        return load_for_training(options.base)
    from dedup.training.small_networks import sequence_network, static_network

    if options.architecture is Architecture.STATIC:
        return static_network(load_for_training(options.guide), texts, progress)
    return sequence_network(options.architecture, load_for_training(options.base), dimension)


def load_for_training(name: str) -> SentenceTransformer:
    """Load the encoder called ``name`` in the form in which its training is fastest: every dropout at 0.

    Attention is "eager": with dropout at 0, bf16 and short texts it trains twice as fast on a CPU as the default.
    Embeddings of tokens and positions stay as they are: a few thousand pairs touch a part of them only.

    Raises
    ------
    EncoderError
        If it is not a sentence-transformers model of safetensors.
    """
    from torch import nn
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    folder = registry.find_folder(name)
    if (folder / ADAPTER_FILE).is_file():
        model = load_model(registry.base_folder(), folder, attention="eager")
    else:
        model = load_model(folder, attention="eager")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for name, parameter in model.named_parameters():
        if "embeddings." in name:
            parameter.requires_grad = False
    return model


def tokeniser(model: SentenceTransformer, architecture: Architecture) -> Tokenise:
    """Return what makes texts into the network's input, cut at `MAX_TOKENS`."""
    if architecture is Architecture.TRANSFORMER:
        longest = min(MAX_TOKENS, model.max_seq_length or MAX_TOKENS)
        return lambda texts: model.preprocess(texts, max_length=longest)
    return model.preprocess


def token_counts(tokenise: Tokenise, texts: tuple[str, ...]) -> Int64:
    """Return how many tokens the network reads of each text, (n_texts,)."""
    counts = [np.empty(0, dtype=np.int64)]
    for start in range(0, len(texts), _LENGTHS_AT_ONCE):
        read = tokenise(list(texts[start : start + _LENGTHS_AT_ONCE]))
        if "attention_mask" in read:
            counts.append(read["attention_mask"].sum(1).numpy())
        else:
            counts.append(np.diff(read["offsets"].numpy(), append=len(read["input_ids"])))
    return np.concatenate(counts)
