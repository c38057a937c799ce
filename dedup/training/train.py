"""`train`: labelled pairs in, a model out. What can be refused is refused before torch is even imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dedup.artifacts import require_writable
from dedup.encoders import load_encoder
from dedup.encoders.registry import fingerprint_folder
from dedup.errors import TrainingError
from dedup.progress import Progress
from dedup.questions import Metric
from dedup.settings import Settings
from dedup.training.cards import Record, shown_name, write_record
from dedup.training.checkpoints import (
    digest_pairs,
    digest_texts,
    open_checkpoints,
    remove_checkpoints,
    training_folder,
)
from dedup.training.material import Material, read_material
from dedup.training.options import RECIPES, Architecture, TrainingOptions
from dedup.training.publishing import publishing, refuse_existing

if TYPE_CHECKING:
    from dedup.training.fitting import Fitted, Schedule


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model that was trained: where it is, and how it came to be."""

    output: Path
    fingerprint: str
    record: Record


class Taught(Protocol):
    """A network at its best judgement."""

    @property
    def fitted(self) -> Fitted:
        """How it got there."""

    def save(self, folder: Path) -> None:
        """Write the network to a folder, without a card."""

    def scores(self, folder: Path, material: Material, settings: Settings) -> Mapping[str, float]:
        """Return the dev scores of the network as it was saved to ``folder`` and will be loaded."""


def train(
    files: Sequence[str], settings: Settings, options: TrainingOptions, *, output: Path, progress: Progress
) -> TrainedModel:
    """Train an encoder on files of labelled pairs, in the settings' metric, and write it to the folder ``output``.

    A cross-encoder has no metric; its hard negatives are near by the Euclidean distance of its base.

    ``output`` is there as a whole or not at all. Until then everything is kept in a folder beside it; after a kill the
    same call goes on from the last checkpoint. Same inputs, same weights, on one machine.

    Raises
    ------
    TrainingError
        If the labels contradict themselves or are of one class, dev pairs are also training pairs, ``output`` or what
        is beside it is of something else, or the libraries for training are not installed.
    """
    _require_libraries()
    refuse_existing(output, fresh=options.fresh)
    require_writable(output.parent)
    pairwise = options.architecture is Architecture.CROSS_ENCODER
    if pairwise:
        settings = replace(settings, metric=Metric.EUCLIDEAN)
    material = read_material(files, settings, options)
    base = load_encoder(options.base, settings.metric, batch_size=settings.batch_size)
    guide = load_encoder(options.guide, settings.metric, batch_size=settings.batch_size)

    from dedup.training.hardware import processor_name

    schedule = _schedule(options)
    folder = training_folder(output)
    inputs = {
        "architecture": options.architecture,
        "metric": settings.metric,
        "base": base.fingerprint,
        "guide": guide.fingerprint,
        "training pairs": digest_pairs(material.training),
        "dev pairs": digest_pairs(material.dev),
        "kept questions": digest_texts(material.kept),
        **asdict(schedule),
    }
    checkpoint = open_checkpoints(folder, inputs, fresh=options.fresh)
    taught = _teaching(options)(
        material, guide, settings, options, schedule, folder=folder, checkpoint=checkpoint, progress=progress
    )
    with publishing(output) as beside:
        taught.save(beside)
        record = Record(
            architecture=options.architecture,
            metric=None if pairwise else settings.metric,
            base=shown_name(options.base),
            base_fingerprint=base.fingerprint,
            teacher=shown_name(options.teacher) if options.teacher else None,
            options={**asdict(schedule), "dev_share": None if options.dev else options.dev_share},
            files=_file_names(files, options),
            sizes=_sizes(material),
            dev=taught.scores(beside, material, settings),
            best_step=taught.fitted.best_step,
            steps=taught.fitted.steps,
            seconds=round(taught.fitted.seconds, 1),
            seed=options.seed,
            precision="bf16" if schedule.bf16 else "fp32",
            processor=processor_name(),
        )
        write_record(beside, record)
    remove_checkpoints(folder)
    return TrainedModel(output, fingerprint_folder(output), record)


def _teaching(options: TrainingOptions) -> Callable[..., Taught]:
    """Return what makes and trains a network of the architecture."""
    if options.architecture is Architecture.CROSS_ENCODER:
        from dedup.training.pair_teaching import teach_pairs

        return teach_pairs
    from dedup.training.teaching import teach

    return teach


def _require_libraries() -> None:
    if missing := [name for name in ("accelerate", "datasets") if find_spec(name) is None]:
        raise TrainingError(
            f"training needs {' and '.join(missing)}, not installed here; run `pip install 'question-dedup[train]'`"
        )


def _schedule(options: TrainingOptions) -> Schedule:
    from dedup.training.fitting import Schedule
    from dedup.training.hardware import uses_bf16

    recipe = RECIPES[options.architecture]
    return Schedule(
        epochs=options.epochs or recipe.epochs,
        learning_rate=options.learning_rate or recipe.learning_rate,
        pairs_per_batch=options.pairs_per_batch or recipe.pairs_per_batch,
        seed=options.seed,
        bf16=uses_bf16(options.precision),
    )


def _file_names(files: Sequence[str], options: TrainingOptions) -> Mapping[str, list[str]]:
    given: dict[str, Sequence[str]] = {"pairs": files, "dev": options.dev, "keep": options.keep}
    return {what: [Path(file).name for file in some] for what, some in given.items()}


def _sizes(material: Material) -> Mapping[str, int]:
    return {
        "pairs": len(material.training),
        "duplicates": int(material.training.duplicate.sum()),
        "inferred": material.inferred,
        "texts": len(material.training.texts),
        "dev_pairs": len(material.dev),
        "kept": len(material.kept),
    }
