"""From the material to a network that has learnt it: hard negatives, the teacher's vectors, then the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from transformers import set_seed

from dedup.encoders import Encoder, load_encoder
from dedup.labelled import text_vectors
from dedup.progress import Progress
from dedup.settings import Settings
from dedup.training.architectures import new_network, token_counts, tokeniser
from dedup.training.batches import Batchable, LengthBuckets, PairCollator
from dedup.training.distillation import distil
from dedup.training.examples import duplicate_components
from dedup.training.fitting import EncoderTrainer, Fitted, Schedule, fit
from dedup.training.judging import DevJudge, exact_scores
from dedup.training.losses import DuplicateLoss
from dedup.training.material import Material
from dedup.training.mining import hard_negatives
from dedup.training.options import RECIPES, TrainingOptions

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


@dataclass(frozen=True, slots=True)
class Taught:
    """A network at its best judgement, and how it got there."""

    model: SentenceTransformer
    loss: DuplicateLoss
    fitted: Fitted

    def save(self, folder: Path) -> None:
        """Write the network as a sentence-transformers folder, without a card."""
        self.model.save_pretrained(str(folder), create_model_card=False)

    def scores(self, folder: Path, material: Material, settings: Settings) -> Mapping[str, float]:
        """Return the dev scores of the network as it was saved to ``folder`` and will be loaded."""
        encoder = load_encoder(str(folder), settings.metric, batch_size=settings.batch_size)
        return exact_scores(material.dev, encoder, self.loss)


def teach(
    material: Material,
    guide: Encoder,
    settings: Settings,
    options: TrainingOptions,
    schedule: Schedule,
    *,
    folder: Path,
    checkpoint: Path | None,
    progress: Progress,
) -> Taught:
    """Make the network and train it, from ``checkpoint`` on where there is one; checkpoints go to ``folder``."""
    pairs, kept = material.training, material.kept
    vectors = text_vectors(pairs.texts, guide, settings, progress)
    kept_vectors = text_vectors(kept, guide, settings, progress) if kept else vectors[:0]
    negatives = hard_negatives(pairs, guide, vectors, progress)
    set_seed(options.seed)
    model = new_network(options, guide.dimension, pairs.texts + kept, progress)
    tokenise = tokeniser(model, options.architecture)
    length, kept_length = token_counts(tokenise, pairs.texts), token_counts(tokenise, kept)
    batchable = Batchable(pairs, duplicate_components(pairs), length, negatives, kept, kept_vectors.astype(np.float16))
    if options.teacher is not None and checkpoint is None:  # a checkpoint has it behind it
        recipe = RECIPES[options.architecture]
        distil(
            model,
            tokenise,
            pairs.texts + kept,
            np.concatenate([length, kept_length]),
            np.concatenate([vectors, kept_vectors]),
            epochs=recipe.distillation_epochs,
            learning_rate=recipe.distillation_rate,
            seed=options.seed,
            progress=progress,
        )
    loss = DuplicateLoss(model, settings.metric, other_weight=float(pairs.duplicate.sum() / (~pairs.duplicate).sum()))
    pair_length = np.maximum(length[pairs.left], length[pairs.right])
    fitted = fit(
        EncoderTrainer,
        loss,
        len(batchable),
        LengthBuckets(pair_length, kept_length, schedule.pairs_per_batch, schedule.seed),
        PairCollator(batchable, tokenise, schedule.seed),
        DevJudge(material.dev, settings.metric, loss),
        schedule,
        folder=folder,
        checkpoint=checkpoint,
        progress=progress,
    )
    return Taught(model, loss, fitted)
