"""A bag of token vectors: a text's vector is the mean of its tokens' vectors. No torch, tens of thousands of texts/s.

The folder is what sentence-transformers saves for a `StaticEmbedding`, so it loads there too: ``tokenizer.json`` and
``model.safetensors`` with one vector for each token. The vectors are ``embedding.weight`` (float), or, four times
smaller, ``embeddings`` (int8) times ``weights`` (float, one scale for each token).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dedup.encoders.protocol import unit_rows
from dedup.encoders.tokens import read_tokenizer
from dedup.errors import EncoderError, first_line
from dedup.questions import Float32, Metric

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class StaticEncoder:
    """Token vectors, averaged, in NumPy; loaded when first needed."""

    def __init__(self, name: str, folder: Path, fingerprint: str, metric: Metric) -> None:
        self._folder = folder
        self.name = name
        self.fingerprint = fingerprint
        self.metric = metric

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._vectors.shape[1])

    def encode(self, texts: Sequence[str]) -> Float32:
        """See `Encoder.encode`; exactly the same for a text, whatever else is in the call.

        A text of which no token is known (the tokenizer gives none) has the vector of all tokens, averaged.
        """
        from scipy.sparse import csr_array

        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        tokens = [encoding.ids for encoding in encodings]
        counts = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        ends = np.concatenate([[0], np.cumsum(counts)])
        ids = np.fromiter((token for own in tokens for token in own), dtype=np.int32, count=int(ends[-1]))
        bag = csr_array((np.ones(len(ids), dtype=np.float32), ids, ends), shape=(len(tokens), len(self._vectors)))
        vectors = np.asarray(bag @ self._vectors, dtype=np.float32)
        if not counts.all():
            vectors[counts == 0] = self._vectors.mean(axis=0)
        return unit_rows(vectors, texts)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return read_tokenizer(self._folder)

    @cached_property
    def _vectors(self) -> Float32:
        """The vector of each token: (vocabulary, dimension) float32."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = self._folder / "model.safetensors"
        try:
            tensors = load_file(file)
            if tensors.keys() not in ({"embedding.weight"}, {"embeddings", "weights"}):
                raise ValueError(f"it has {', '.join(tensors)}")
            whole = tensors.get("embedding.weight")
            vectors = whole if whole is not None else tensors["embeddings"] * tensors["weights"][:, None]
        except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
            raise EncoderError(
                f"{file} does not hold token vectors ({first_line(error)[:120]}); expected embedding.weight, "
                "or embeddings and weights: save the model again"
            ) from error
        return np.ascontiguousarray(vectors, dtype=np.float32)
