"""What the trainer tells while it trains: progress, log lines, and which checkpoints are whole."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from dedup.progress import Advance
from dedup.training.checkpoints import mark_complete
from dedup.training.judging import BEST_BY

log = logging.getLogger(__name__)


class Reporter(TrainerCallback):
    """Advances the progress with each batch; a log line with the losses now and then, and with each judgement."""

    def __init__(self, advance: Advance, pairs: int, pairs_per_batch: int) -> None:
        self._advance = advance
        self._pairs = pairs
        self._pairs_per_batch = pairs_per_batch
        self._steps_per_epoch = -(-pairs // pairs_per_batch)
        self._begun = (0, time.perf_counter())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Remember where the clock stands."""
        self._begun = (state.global_step, time.perf_counter())

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Count the batch; an epoch's smallest one is counted as its last."""
        done = (state.global_step - 1) % self._steps_per_epoch * self._pairs_per_batch
        self._advance(min(self._pairs_per_batch, self._pairs - done))

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Log the mean losses since the last line."""
        logs: dict[str, float] = kwargs["logs"]
        if "loss" not in logs:
            return
        step, begun = self._begun
        seconds = (time.perf_counter() - begun) / max(1, state.global_step - step)
        parts = ", ".join(f"{name} {logs[name]:.4f}" for name in ("pairs", "ranking", "kept") if name in logs)
        log.info(
            "step %d of %d: loss %.4f (%s), %.0f pairs/s, %.0f s left",
            state.global_step,
            state.max_steps,
            logs["loss"],
            parts,
            self._pairs_per_batch / max(1e-6, seconds),
            seconds * (state.max_steps - state.global_step),
        )

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Log the dev scores."""
        scores = {name.removeprefix("eval_"): value for name, value in kwargs["metrics"].items()}
        log.info(
            "step %d of %d: dev average precision %.4f balanced, %.4f at the natural prior, accuracy %.4f balanced",
            state.global_step,
            state.max_steps,
            scores[BEST_BY],
            scores["average_precision"],
            scores["accuracy_balanced"],
        )


class Keeper(TrainerCallback):
    """Marks each checkpoint as whole once it is: from another one nothing goes on."""

    def __init__(self, folder: Path, seconds_before: float) -> None:
        self._folder = folder
        self._begun = time.perf_counter() - seconds_before

    @property
    def seconds(self) -> float:
        """How long the training has taken, kills aside."""
        return time.perf_counter() - self._begun

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Mark the checkpoint that was just written."""
        mark_complete(self._folder, state.global_step, self.seconds)
