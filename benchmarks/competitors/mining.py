"""What sentence-transformers calls paraphrase mining, with its own defaults, as rows of pairs."""

from __future__ import annotations

import numpy as np
from sentence_transformers.util import paraphrase_mining_embeddings
from torch import Tensor

from dedup.questions import Int64


def mined_pairs(vectors: Tensor, least_cosine: float) -> tuple[Int64, int]:
    """Return the pairs of at least that cosine, (n, 2) rows, and how many were mined (the library's cap: 500,000)."""
    mined = paraphrase_mining_embeddings(vectors)
    kept = [(one, other) for cosine, one, other in mined if cosine >= least_cosine]
    return np.array(kept, dtype=np.int64).reshape(-1, 2), len(mined)
