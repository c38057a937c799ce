"""Networks that are small enough for a busy CPU: token vectors, with a recurrent or convolutional layer or none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    CNN,
    LSTM,
    Normalize,
    Pooling,
    StaticEmbedding,
    WordEmbeddings,
)
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from dedup.progress import Progress
from dedup.questions import Float32, Float64
from dedup.training.options import Architecture

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_CNN_WIDTHS = (1, 3, 5)
_LONGEST = 128  # tokens, of what an LSTM or a CNN reads
_PADDING = 0  # the token that WordEmbeddings pads with, whatever the tokenizer says
_RARE = 1e-3  # the a of a / (a + p)
_TOKENS_AT_ONCE = 1024


def static_network(guide: SentenceTransformer, texts: tuple[str, ...], progress: Progress) -> SentenceTransformer:
    """Return an encoder whose vector of a text is the mean of its tokens' vectors.

    A token begins with the guide's vector of it alone, weighted by a / (a + p), where p is its share of the tokens of
    ``texts``: frequent words say little. Source: Arora, Liang & Ma (2017), "A Simple but Tough-to-Beat Baseline for
    Sentence Embeddings", without the removal of the common component, which training removes if it is in the way.
    """
    if isinstance(guide[0], StaticEmbedding):
        tokenizer, alone = guide[0].tokenizer, guide[0].embedding.weight.detach().numpy()
    else:
        tokenizer, alone = guide.tokenizer.backend_tokenizer, _vectors_alone(guide, progress)
    share = _token_shares(tokenizer, texts, len(alone))
    weighted = alone * (_RARE / (_RARE + share))[:, None].astype(np.float32)
    return SentenceTransformer(modules=[StaticEmbedding(tokenizer, embedding_weights=weighted), Normalize()])


def sequence_network(architecture: Architecture, base: SentenceTransformer, dimension: int) -> SentenceTransformer:
    """Return an LSTM or a CNN on the base's token vectors, which are trained with it; its vectors are as long as asked.

    The LSTM is bidirectional and its states are averaged; Mueller & Thyagarajan (2016), "Siamese Recurrent
    Architectures for Learning Sentence Similarity", compare its last states in L1. The CNN has windows of 1, 3 and 5
    tokens and takes each one's largest answer: Kim (2014), "Convolutional Neural Networks for Sentence Classification".
    """
    tokenizer, vectors = _token_vectors(base)
    # A convolution looks past a text's end: what stands there must be nothing, however far the batch was padded.
    vectors[_PADDING] = 0
    words = WordEmbeddings(tokenizer, vectors, update_embeddings=True, max_seq_length=_LONGEST)
    words.emb_layer.weight.register_hook(_without_padding)  # type: ignore[no-untyped-call]
    layer: LSTM | CNN
    if architecture is Architecture.LSTM:
        layer, pooling = LSTM(vectors.shape[1], dimension // 2, bidirectional=True), "mean"
    else:
        channels = dimension // len(_CNN_WIDTHS)
        layer, pooling = CNN(vectors.shape[1], channels, kernel_sizes=list(_CNN_WIDTHS)), "max"
    return SentenceTransformer(
        modules=[words, layer, Pooling(layer.get_embedding_dimension(), pooling_mode=pooling), Normalize()]
    )


def _without_padding(gradient: torch.Tensor) -> torch.Tensor:
    return gradient.index_fill(0, torch.tensor([_PADDING], device=gradient.device), 0.0)


def _token_vectors(base: SentenceTransformer) -> tuple[PreTrainedTokenizerBase, Float32]:
    """Return a base's tokenizer and its vectors of tokens, (n_tokens, width), before any layer."""
    first: Any = base[0]
    if isinstance(first, StaticEmbedding):
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=first.tokenizer)  # type: ignore[no-untyped-call]
        return tokenizer, first.embedding.weight.detach().numpy().copy()
    return base.tokenizer, first.auto_model.get_input_embeddings().weight.detach().numpy().copy()


def _vectors_alone(guide: SentenceTransformer, progress: Progress) -> Float32:
    """Return the guide's vector of each token of its vocabulary alone, between what it puts around every text."""
    shown = guide.tokenizer("a", return_special_tokens_mask=True)
    special = np.array(shown["special_tokens_mask"], dtype=bool)
    before = int(np.argmin(special))
    around = np.array(shown["input_ids"])[special]
    vectors, count = [], len(guide.tokenizer)
    guide.eval()
    with torch.inference_mode(), progress.stage("vocabulary", "tokens", total=count) as advance:
        for start in range(0, count, _TOKENS_AT_ONCE):
            tokens = np.arange(start, min(start + _TOKENS_AT_ONCE, count))
            rows = torch.from_numpy(np.insert(np.tile(around, (len(tokens), 1)), before, tokens, axis=1))
            rows = rows.to(guide.device)
            read = {"input_ids": rows, "attention_mask": torch.ones_like(rows)}
            vectors.append(guide(read)["sentence_embedding"].float().cpu().numpy())
            advance(len(tokens))
    return np.concatenate(vectors)


def _token_shares(tokenizer: Tokenizer, texts: tuple[str, ...], tokens: int) -> Float64:
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    counts = np.bincount(np.concatenate([read.ids for read in encoded]).astype(np.int64), minlength=tokens)
    shares: Float64 = counts / max(1, counts.sum())
    return shares
