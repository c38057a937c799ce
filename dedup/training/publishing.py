"""The finished model's folder: there as a whole, or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dedup.artifacts import flush, replacing
from dedup.encoders.registry import RECORD
from dedup.errors import TrainingError


def refuse_existing(output: Path, *, fresh: bool) -> None:
    """Refuse, before any work, a folder that must not be overwritten.

    Raises
    ------
    TrainingError
        If ``output`` is a trained model and ``fresh`` was not asked for, or is anything else but an empty folder.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not (output / RECORD).is_file():
        raise TrainingError(f"{output} is there and is not a model of `dedup train`; give another --output")
    if not fresh:
        raise TrainingError(f"{output} holds a trained model; give another --output, or --fresh to train it anew")


@contextmanager
def publishing(output: Path) -> Iterator[Path]:
    """Yield an empty folder beside ``output``; on leaving it takes its place, complete and on disk.

    A model that is there, which `refuse_existing` allowed to be replaced, stays until then.
    """
    with replacing(output) as beside:
        try:
            beside.mkdir()
            yield beside
            for path in beside.rglob("*"):
                flush(path)
            shutil.rmtree(output, ignore_errors=True)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
