"""What a training is made of: training pairs, dev pairs, and questions whose distances should stay."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.dumps import read_dump
from dedup.ingest import dump_options
from dedup.labelled import read_labelled_pairs
from dedup.questions import Question, Rejected
from dedup.settings import Settings
from dedup.text import normalise
from dedup.training.examples import TextPairs, refuse_contradictions, text_pairs, training_pairs, with_inferred
from dedup.training.options import TrainingOptions
from dedup.training.splits import hold_out, refuse_overlap

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Material:
    """Everything a training reads; a function of the files' contents, not of their order."""

    training: TextPairs
    inferred: int  # how many of the training pairs follow from others
    dev: TextPairs
    kept: tuple[str, ...]  # distinct, normalised, none of them a training text


def read_material(files: Sequence[str], settings: Settings, options: TrainingOptions) -> Material:
    """Read the files of a training, refuse what cannot be learnt from, and hold out dev pairs where none are given.

    Raises
    ------
    TrainingError
        If labels contradict themselves or are of one class, or dev pairs are also training pairs.
    DumpError
        If a file cannot be read.
    """
    labelled = read_labelled_pairs(files, settings)
    refuse_contradictions(labelled, names_of(files))
    training = training_pairs(labelled)
    if options.dev:
        held_out = read_labelled_pairs(options.dev, settings)
        refuse_contradictions(held_out, names_of(options.dev))
        dev = text_pairs(held_out)
        refuse_overlap(training, dev)
    else:
        training, dev = hold_out(training, options.dev_share, options.seed)
    complete = with_inferred(training, options.seed)
    return Material(complete, len(complete) - len(training), dev, _read_kept(options.keep, settings, training.texts))


def names_of(files: Sequence[str]) -> str:
    """Return the names of files as they are shown, without their folders."""
    return ", ".join(Path(file).name for file in files)


def _read_kept(dumps: Sequence[str], settings: Settings, training: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct normalised texts of dumps of questions, sorted, without those that are trained on."""
    texts: set[str] = set()
    rejected = 0
    for dump in dumps:
        for record in read_dump(dump, dump_options(settings)):
            if isinstance(record, Question):
                texts.add(normalise(record.text))
            rejected += isinstance(record, Rejected)
    if rejected:
        log.warning("left out: %d rows of kept questions at fault", rejected)
    return tuple(sorted(texts.difference(training)))
