"""From the material to a cross-encoder that has learnt it: hard negatives, then both texts of a pair at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sentence_transformers import CrossEncoder as Network
from sentence_transformers.base.evaluation import SentenceEvaluator
from sentence_transformers.base.modules import Transformer
from torch import Tensor, nn
from torch.nn import functional
from transformers import set_seed

from dedup.encoders import Encoder, registry
from dedup.encoders.adapter import ADAPTER_FILE
from dedup.errors import TrainingError
from dedup.labelled import text_vectors
from dedup.progress import Progress
from dedup.questions import Float64
from dedup.reranking import load_cross_encoder
from dedup.reranking.scoring import new_network, score_pairs
from dedup.settings import Settings
from dedup.training.architectures import load_for_training
from dedup.training.examples import TextPairs
from dedup.training.fitting import Fitted, PairTrainer, Schedule, fit
from dedup.training.judging import BEST_BY, balanced_scores, no_numbers
from dedup.training.material import Material
from dedup.training.mining import hard_negatives
from dedup.training.options import MAX_PAIR_TOKENS, TrainingOptions
from dedup.training.pair_batches import DUPLICATES, BothTexts, PairBuckets, pair_examples


@dataclass(frozen=True, slots=True)
class TaughtPairs:
    """A cross-encoder at its best judgement, and how it got there."""

    network: Network
    fitted: Fitted

    def save(self, folder: Path) -> None:
        """Write the network as a sentence-transformers folder, without a card."""
        self.network.save_pretrained(str(folder), create_model_card=False)

    def scores(self, folder: Path, material: Material, settings: Settings) -> Mapping[str, float]:
        """Return the dev scores of the network as it was saved to ``folder`` and will be loaded."""
        scorer = load_cross_encoder(str(folder))
        return _dev_scores(scorer.score(_texts(material.dev), lambda _: None), material.dev)


class PairLoss(nn.Module):
    """The weighted binary cross-entropy of the logits."""

    def __init__(self, model: Network) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, features: list[dict[str, Tensor]], label: Tensor, prompt: str | None = None, task: str | None = None
    ) -> dict[str, Tensor]:
        """Return the loss, by its name.

        Parameters
        ----------
        features
            One dictionary: the tokens of the pairs, and the ``weight`` of each.
        label
            (n_pairs,): 1 for duplicates.
        prompt, task
            What the trainer hands on; there are none.
        """
        (batch,) = features
        weight = batch.pop("weight")
        logit = self.model(batch)["scores"][:, 0]
        with torch.autocast(logit.device.type, enabled=False):
            return {"pairs": functional.binary_cross_entropy_with_logits(logit.float(), label, weight)}


class PairJudge(SentenceEvaluator):
    """Scores the network on the dev pairs whenever the trainer asks; TrainingError where its scores are no numbers."""

    def __init__(self, dev: TextPairs) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.primary_metric = BEST_BY
        self._dev = dev

    def __call__(  # type: ignore[override]  # of the models there are, it judges cross-encoders
        self, model: Network, output_path: str | None = None, epoch: float = -1, steps: int = -1
    ) -> dict[str, Any]:
        """Return the dev scores; nothing is written."""
        model.eval()
        logit = score_pairs(model, _texts(self._dev), lambda _: None)
        if not np.isfinite(logit).all():
            raise no_numbers(steps)
        return _dev_scores(logit, self._dev)


def teach_pairs(
    material: Material,
    guide: Encoder,
    settings: Settings,
    options: TrainingOptions,
    schedule: Schedule,
    *,
    folder: Path,
    checkpoint: Path | None,
    progress: Progress,
) -> TaughtPairs:
    """Make the network and train it, from ``checkpoint`` on where there is one; checkpoints go to ``folder``."""
    pairs = material.training
    negatives = hard_negatives(pairs, guide, text_vectors(pairs.texts, guide, settings, progress), progress)
    set_seed(options.seed)
    network = cross_encoder_of(options.base)
    read = network.tokenizer(list(pairs.texts), truncation=True, max_length=MAX_PAIR_TOKENS)["input_ids"]
    length = np.array([len(ids) for ids in read], dtype=np.int64)
    examples = pair_examples(pairs, negatives, length)
    fitted = fit(
        PairTrainer,
        PairLoss(network),
        len(examples),
        PairBuckets(examples, schedule.pairs_per_batch, schedule.seed),
        BothTexts(examples, network.tokenizer, schedule.seed),
        PairJudge(material.dev),
        schedule,
        folder=folder,
        checkpoint=checkpoint,
        progress=progress,
    )
    return TaughtPairs(network, fitted)


def cross_encoder_of(base: str) -> Network:
    """Return a cross-encoder that begins with what an encoder knows, under a new head, every dropout at 0.

    As when an encoder is trained, embeddings of tokens and positions stay as they are.

    Raises
    ------
    TrainingError
        If the encoder is no transformer.
    """
    encoder = load_for_training(base)
    if not isinstance(encoder[0], Transformer):
        raise TrainingError(f"{base} is no transformer; a cross-encoder begins with one: give another --base")
    folder = registry.find_folder(base)
    network = new_network(registry.base_folder() if (folder / ADAPTER_FILE).is_file() else folder)
    inner: Any = network[0]
    inner.model.base_model.load_state_dict(encoder[0].model.state_dict(), strict=False)
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    for name, parameter in network.named_parameters():
        if "embeddings." in name:
            parameter.requires_grad = False
    return network


def _texts(pairs: TextPairs) -> list[tuple[str, str]]:
    return [(pairs.texts[left], pairs.texts[right]) for left, right in zip(pairs.left, pairs.right, strict=True)]


def _dev_scores(logit: Float64, dev: TextPairs) -> dict[str, float]:
    """Return the scores of logits, (n_pairs,), which were learnt with duplicates at their share of the loss."""
    balanced = logit - (np.log(DUPLICATES) - np.log1p(-DUPLICATES))
    return balanced_scores(np.exp(-np.logaddexp(0.0, -balanced)), dev.duplicate)
