"""A bag of token vectors: a text's vector is the mean of its tokens' vectors. No torch, tens of thousands of texts/s.

The folder is what sentence-transformers saves for a `StaticEmbedding`, so it loads there too: ``tokenizer.json`` and
``model.safetensors`` with one vector for each token. The vectors are ``embedding.weight`` (float), or, four times
smaller, ``embeddings`` (int8) times ``weights`` (float, one scale for each token).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dedup.encoders.protocol import unit_rows
from dedup.encoders.tokens import read_tokenizer
from dedup.errors import EncoderError, first_line
from dedup.questions import Float32, Metric

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FEW = 16  # texts up to which their tokens' vectors are looked up one by one


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
        return int(self._stored[0].shape[1])

    def encode(self, texts: Sequence[str]) -> Float32:
        """See `Encoder.encode`; exactly the same for a text, whatever else is in the call.

        A text of which no token is known (the tokenizer gives none) has the vector of all tokens, averaged.
        """
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        tokens = [encoding.ids for encoding in encodings]
        vectors = self._sums_of_few(tokens) if len(texts) <= _FEW else self._sums(tokens)
        unknown = [not own for own in tokens]
        if any(unknown):
            vectors[unknown] = self._vectors.mean(axis=0)
        return unit_rows(vectors, texts)

    def _sums(self, tokens: Sequence[Sequence[int]]) -> Float32:
        from scipy.sparse import csr_array

        counts = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
        ends = np.concatenate([[0], np.cumsum(counts)])
        ids = np.fromiter(chain.from_iterable(tokens), dtype=np.int32, count=int(ends[-1]))
        bag = csr_array((np.ones(len(ids), dtype=np.float32), ids, ends), shape=(len(tokens), len(self._vectors)))
        return np.asarray(bag @ self._vectors, dtype=np.float32)

    def _sums_of_few(self, tokens: Sequence[Sequence[int]]) -> Float32:
        """Add in the same order, without what SciPy and all tokens' vectors take: a third of a second."""
        sums: Float32 = np.zeros((len(tokens), self.dimension), dtype=np.float32)
        for row, own in enumerate(tokens):
            for vector in self._of(list(own)):
                sums[row] += vector
        return sums

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return read_tokenizer(self._folder)

    @cached_property
    def _vectors(self) -> Float32:
        """The vector of each token: (vocabulary, dimension) float32."""
        return self._of(slice(None))

    def _of(self, tokens: list[int] | slice) -> Float32:
        stored, scale = self._stored
        vectors = stored[tokens] if scale is None else stored[tokens] * scale[tokens, None]
        return np.ascontiguousarray(vectors, dtype=np.float32)

    @cached_property
    def _stored(self) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """The vectors as the file has them, (vocabulary, dimension), and the scale of each, if they have one."""
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        file = self._folder / "model.safetensors"
        try:
            tensors = load_file(file)
            if tensors.keys() not in ({"embedding.weight"}, {"embeddings", "weights"}):
                raise ValueError(f"it has {', '.join(tensors)}")
            stored, scale = tensors.get("embedding.weight", tensors.get("embeddings")), tensors.get("weights")
            if stored is None or stored.ndim != 2 or (scale is not None and scale.shape != stored.shape[:1]):
                raise ValueError("its shapes do not fit each other")
        except (OSError, SafetensorError, KeyError, ValueError, IndexError) as error:
            raise EncoderError(
                f"{file} does not hold token vectors ({first_line(error)[:120]}); expected embedding.weight, "
                "or embeddings and weights: save the model again"
            ) from error
        return stored, scale
