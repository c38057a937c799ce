"""Learning from a teacher before the labels: a small network is shown the vectors of a large one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from transformers import get_linear_schedule_with_warmup

from dedup.progress import Progress
from dedup.questions import Float32, Int64
from dedup.training.batches import LengthBuckets, Tokenise

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

log = logging.getLogger(__name__)

_BATCH_TEXTS = 256
_WARM_UP = 0.05


def distil(
    model: SentenceTransformer,
    tokenise: Tokenise,
    texts: tuple[str, ...],
    length: Int64,
    vectors: Float32,
    *,
    epochs: int,
    learning_rate: float,
    seed: int,
    progress: Progress,
) -> None:
    """Train ``model``, in place, to give each text the teacher's vector of it.

    What is minimised is the squared Euclidean distance of the two unit vectors, 2 - 2 cos. Where the model's vectors
    have another length than the teacher's, a linear map between them is learnt too, and then forgotten: it is the
    directions that are compared. Source: Hinton, Vinyals & Dean (2015), "Distilling the Knowledge in a Neural Network";
    Tang et al. (2019), "Distilling Task-Specific Knowledge from BERT into Simple Neural Networks", for the LSTM.

    Parameters
    ----------
    length
        (n_texts,) in tokens.
    vectors
        (n_texts, d), of the teacher, of length 1.
    """
    device = model.device
    own = int(model.get_embedding_dimension() or 0)
    head = nn.Identity() if own == vectors.shape[1] else nn.Linear(own, vectors.shape[1], bias=False).to(device)
    buckets = LengthBuckets(length, np.empty(0, dtype=np.int64), _BATCH_TEXTS, seed)
    parameters = [parameter for parameter in (*model.parameters(), *head.parameters()) if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=0.0)
    steps = epochs * len(buckets)
    warm_up = round(_WARM_UP * steps)
    schedule = get_linear_schedule_with_warmup(optimizer, warm_up, steps)  # type: ignore[no-untyped-call]
    model.train()
    with progress.stage("distil", "texts", total=epochs * len(texts)) as advance:
        for epoch in range(epochs):
            buckets.set_epoch(epoch)
            missed = 0.0
            for rows in buckets:
                read = {
                    name: value.to(device) if isinstance(value, torch.Tensor) else value
                    for name, value in tokenise([texts[row] for row in rows]).items()
                }
                found = nn.functional.normalize(head(model(read)["sentence_embedding"]))
                wanted = torch.from_numpy(vectors[rows].astype(np.float32)).to(device)
                loss = (found - wanted).square().sum(1).mean()
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                missed += float(loss.detach()) * len(rows)
                advance(len(rows))
            log.info("distillation %d of %d: mean squared distance %.4f", epoch + 1, epochs, missed / len(texts))
