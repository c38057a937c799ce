"""Fitting a network to labelled pairs with sentence-transformers' trainers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from datasets import Dataset  # type: ignore[import-untyped]
from safetensors.torch import load_file, save_file
from sentence_transformers import CrossEncoderTrainer, SentenceTransformerTrainer
from sentence_transformers.base.evaluation import SentenceEvaluator
from torch import nn
from transformers import EarlyStoppingCallback, PrinterCallback, get_linear_schedule_with_warmup

from dedup.progress import Progress
from dedup.training.batches import LengthBuckets, PairCollator
from dedup.training.callbacks import Keeper, Reporter
from dedup.training.checkpoints import seconds_until
from dedup.training.judging import BEST_BY
from dedup.training.pair_batches import BothTexts, PairBuckets

_LOSS_RATE = 1e-2  # of the loss's slope and middle, which have a few thousand steps for a way of about 1
_WARM_UP = 0.08
_WEIGHT_DECAY = 0.01
_LONGEST_GRADIENT = 1.0
_PATIENCE = 2  # judgements without a better one
_JUDGEMENTS_PER_EPOCH = 2
_STEPS_BETWEEN_LINES = 100
_LOSS_STATE = "loss.safetensors"
_MODEL = "model."  # begins the names of a loss's parameters that are its network's


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast to train."""

    epochs: int
    learning_rate: float
    pairs_per_batch: int
    seed: int
    bf16: bool


@dataclass(frozen=True, slots=True)
class Fitted:
    """How a training went."""

    steps: int
    best_step: int
    seconds: float


class EncoderTrainer(SentenceTransformerTrainer):
    """sentence-transformers' trainer, with batches of one length, and the loss's own parameters in its checkpoints."""

    buckets: LengthBuckets
    pair_loss: nn.Module

    def get_batch_sampler(self, *args: Any, **kwargs: Any) -> LengthBuckets:
        """Return the sampler that was set."""
        return self.buckets

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none: `dedup.training.cards` writes the card."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        assert output_dir is not None
        self.model.save_pretrained(output_dir, create_model_card=False)
        save_file(_own_state(self.pair_loss), Path(output_dir) / _LOSS_STATE)

    def _load_from_checkpoint(self, checkpoint_path: str) -> None:  # type: ignore[override]
        super()._load_from_checkpoint(checkpoint_path)
        self.pair_loss.load_state_dict(load_file(Path(checkpoint_path) / _LOSS_STATE), strict=False)


class PairTrainer(CrossEncoderTrainer):
    """sentence-transformers' trainer of cross-encoders, with batches of one length that are tokens already."""

    buckets: PairBuckets
    pair_loss: nn.Module

    def get_batch_sampler(self, *args: Any, **kwargs: Any) -> PairBuckets:
        """Return the sampler that was set."""
        return self.buckets

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Add none: `dedup.training.cards` writes the card."""

    def collect_features(self, inputs: dict[str, Any]) -> tuple[list[dict[str, Any]], torch.Tensor | None]:
        """Return the tokens of a batch, which belong together, and its labels."""
        label = inputs.pop("label", None)
        return [inputs], label

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        assert output_dir is not None
        self.model.save_pretrained(output_dir, create_model_card=False)


Trainer: TypeAlias = type[EncoderTrainer] | type[PairTrainer]


def fit(
    kind: Trainer,
    loss: nn.Module,
    rows: int,
    buckets: LengthBuckets | PairBuckets,
    collator: PairCollator | BothTexts,
    judge: SentenceEvaluator,
    schedule: Schedule,
    *,
    folder: Path,
    checkpoint: Path | None,
    progress: Progress,
) -> Fitted:
    """Train ``loss`` and its ``model`` in place; both are then as they were at the best judgement.

    Judged on dev pairs twice an epoch, and stopped when two judgements in a row bring nothing better. Checkpoints are
    written to ``folder`` at each judgement; with a ``checkpoint`` the training goes on from there, as if it had never
    stopped.

    Parameters
    ----------
    rows
        Of the data set: the numbers that ``buckets`` makes batches of and ``collator`` knows.

    Raises
    ------
    TrainingError
        If the weights have become no numbers.
    """
    steps = schedule.epochs * len(buckets)
    between = math.ceil(len(buckets) / _JUDGEMENTS_PER_EPOCH)
    keeper = Keeper(folder, seconds_until(checkpoint))
    made: Any = kind  # each has its own model, arguments and collator, under the same names
    trainer = made(
        model=loss.model,
        args=made.training_args_class(
            output_dir=str(folder.resolve()),
            num_train_epochs=schedule.epochs,
            per_device_train_batch_size=schedule.pairs_per_batch,
            max_grad_norm=_LONGEST_GRADIENT,
            bf16=schedule.bf16,
            use_cpu=not torch.cuda.is_available(),
            seed=schedule.seed,
            eval_strategy="steps",
            eval_steps=between,
            save_strategy="steps",
            save_steps=between,
            save_total_limit=2,
            load_best_model_at_end=True,
            metric_for_best_model=BEST_BY,
            greater_is_better=True,
            restore_callback_states_from_checkpoint=True,
            logging_steps=min(between, _STEPS_BETWEEN_LINES),
            logging_nan_inf_filter=False,
            dataloader_pin_memory=False,
            disable_tqdm=True,
            report_to="none",
        ),
        train_dataset=Dataset.from_dict({"row": range(rows)}),
        loss=loss,
        evaluator=judge,
        data_collator=collator,
        callbacks=[EarlyStoppingCallback(early_stopping_patience=_PATIENCE), keeper],
        optimizers=_optimizer(loss, schedule.learning_rate, steps),
    )
    trainer.buckets, trainer.pair_loss = buckets, loss
    trainer.remove_callback(PrinterCallback)
    done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    pairs = buckets.pairs
    left = pairs * schedule.epochs - done // len(buckets) * pairs - done % len(buckets) * schedule.pairs_per_batch
    with progress.stage("train", "pairs", total=left) as advance:
        trainer.add_callback(Reporter(advance, pairs, schedule.pairs_per_batch))
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return Fitted(trainer.state.global_step, trainer.state.best_global_step or 0, keeper.seconds)


def _own_state(loss: nn.Module) -> dict[str, torch.Tensor]:
    """Return what a loss has learnt beside its model."""
    return {name: value for name, value in loss.state_dict().items() if not name.startswith(_MODEL)}


def _optimizer(
    loss: nn.Module, rate: float, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    """Return AdamW (Loshchilov & Hutter, 2019), and a rate that rises linearly and then falls to 0."""
    trained = [(name, parameter) for name, parameter in loss.named_parameters() if parameter.requires_grad]
    of_model = [parameter for name, parameter in trained if name.startswith(_MODEL)]
    groups: list[dict[str, Any]] = [{"params": of_model, "lr": rate}]
    if own := [parameter for name, parameter in trained if not name.startswith(_MODEL)]:
        groups.append({"params": own, "lr": _LOSS_RATE, "weight_decay": 0.0})
    optimizer = torch.optim.AdamW(groups, weight_decay=_WEIGHT_DECAY)
    warm_up = round(_WARM_UP * steps)
    return optimizer, get_linear_schedule_with_warmup(optimizer, warm_up, steps)  # type: ignore[no-untyped-call]
