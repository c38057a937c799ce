"""Measuring rates: runs over samples of a dump, one larger than the other, and what each stage takes fitted to them.

Samples, not beginnings: a dump may be sorted by site, and its beginning crowded with questions on one subject.
"""

from __future__ import annotations

import csv
import random
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from dedup.classifier import FOLDER as CLASSIFIERS
from dedup.cores import core_count
from dedup.dumps import DumpOptions, read_dump
from dedup.errors import DumpError
from dedup.installed import load_installed
from dedup.join.candidates import COLUMNS
from dedup.join.cells import cell_count
from dedup.limits import measure_limits, processor
from dedup.pipeline import run
from dedup.planning.rates import Rate, Rates
from dedup.planning.workload import STARTING, TERMS, Workload
from dedup.progress import Progress, Silent, Stage, Stopwatch
from dedup.questions import Question
from dedup.settings import EngineKind, IndexKind, Settings

SIZES = (20_000, 50_000, 100_000, 200_000)
"""Questions of the runs, as far as the dump has so many. In the smallest all is compared with all, which tells what a
comparison takes; the others are large enough that the join in cells keeps its recall floor. Pairs grow with the square
of the questions: what they take shows in the largest alone."""
_FEWEST = 2  # runs

_SEED = 641


@dataclass(frozen=True, slots=True)
class _Measured:
    """What a run did and took."""

    work: Workload
    stages: dict[str, Stage]
    database: int  # bytes


def measure_rates(dump: str, settings: Settings, progress: Progress, sizes: Sequence[int] = SIZES) -> Rates:
    """Run over samples of a dump, in a folder of its own that is removed, and return the machine's rates.

    Raises
    ------
    DumpError
        Where the dump has fewer questions than the second of ``sizes``, or its samples cannot be joined in cells.
    """
    with tempfile.TemporaryDirectory() as folder:
        parts, there = _parts(dump, settings, sizes, Path(folder))
        encoder, _ = load_installed(settings)
        measured: list[_Measured] = []
        # A process for each, as a run has one: what it loads first, it loads in each.
        with (
            ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as processes,
            progress.stage("measure", "questions", total=sum(count for count, _ in parts)) as advance,
        ):
            for count, file in parts:
                kind = IndexKind.PQ if measured else IndexKind.FLAT  # in cells, however few questions there are
                measured.append(processes.submit(_measured, file, encoder.dimension, settings, kind).result())
                advance(count)
        limits = measure_limits(Path(folder))
    exact, *measured = measured
    # One that missed the recall floor compared all with all in the end.
    measured = [each for each in measured if each.stages["join"].unit == "cells"]
    if not measured:
        raise DumpError(
            f"joins in cells of samples of {dump} all missed the recall floor {settings.recall_floor:g}, so nothing "
            "can be said of larger ones; give another dump, or a lower DEDUP_RECALL_FLOOR"
        )
    compared = exact.stages["join"].took.core_seconds / exact.work.units("comparisons")
    last = measured[-1].work
    return Rates(
        machine=processor(),
        cores=core_count(),
        encoder=encoder.name,
        dimension=encoder.dimension,
        measured=tuple(int(each.work.questions) for each in (exact, *measured)),
        distinct=last.texts / last.questions,
        population=there,
        pairs_per_text=last.pairs / last.texts * there / last.questions,
        overlap=last.overlap,
        reading=limits.reading or 0.0,
        writing=limits.writing or 0.0,
        database_bytes=_database_bytes(measured),
        stages={
            name: fitted(
                [(each.work, each.stages.get(name)) for each in measured],
                name,
                {"comparisons": compared} if name == "join" else {},
            )
            for name in TERMS
        },
    )


def fitted(measured: Sequence[tuple[Workload, Stage | None]], name: str, known: Mapping[str, float]) -> Rate:
    """Return the rate of a stage: processor seconds linear in its terms, nothing negative, by least squares.

    What is ``known`` of some terms is not fitted. Of fewer runs than terms, the first of them alone are: pairs come
    last, and tell least in small runs.

    Each run counts by its relative error: a small one is as good a measurement as a large one. Lawson & Hanson (1974),
    "Solving Least Squares Problems", chapter 23, for the squares.
    """
    ran = [(work, stage) for work, stage in measured if stage is not None and stage.took.core_seconds > 0]
    if not ran:
        return Rate(0.0, dict.fromkeys(TERMS[name], 0.0), 1.0)
    begins, terms = float(name in STARTING), [term for term in TERMS[name] if term not in known]
    terms = terms[: len(ran) - int(begins)]
    units = np.array([[begins, *(work.units(term) for term in terms)] for work, _ in ran])
    seconds = np.array([stage.took.core_seconds for _, stage in ran])
    left = seconds - [sum(each * work.units(term) for term, each in known.items()) for work, _ in ran]
    scale = units.max(axis=0, initial=0.0)
    scale[scale == 0] = 1.0
    weights, _ = nnls(units / scale / seconds[:, None], np.maximum(left / seconds, 0.0))
    fixed, *each = (weights / scale).tolist()
    last = ran[-1][1].took
    every = {**dict.fromkeys(TERMS[name], 0.0), **dict(zip(terms, each, strict=True)), **known}
    return Rate(fixed, every, last.core_seconds / last.seconds)


def _measured(file: Path, dimension: int, settings: Settings, kind: IndexKind) -> _Measured:
    place, watch = file.with_suffix(""), Stopwatch(Silent())
    if (settings.indexes / CLASSIFIERS).is_dir():
        shutil.copytree(settings.indexes / CLASSIFIERS, place / "indexes" / CLASSIFIERS)
    own = replace(
        settings,
        db=f"sqlite:///{place / 'dedup.db'}",
        indexes=place / "indexes",
        reports=place / "reports",
        format="csv",
        id_column=None,
        text_column=None,
        index=kind,
        engine=EngineKind.LOCAL,
        workers=0,  # what other processes take is not seen
        work_dir=None,
        memory=None,
        metrics_file=None,
    )
    result = run([str(file)], own, progress=watch)
    summary = result.summary
    texts = result.questions - summary.exact_duplicates
    found = watch.stages["judge"].items if "judge" in watch.stages else summary.candidate_pairs
    multiplied = sum(watch.stages["join"].took.operations.values())
    compared = multiplied / (2 * (dimension + COLUMNS))
    cells = 1 if kind is IndexKind.FLAT else cell_count(texts)
    work = Workload(result.questions, texts, dimension, cells, compared * cells / texts**2, found)
    return _Measured(work, dict(watch.stages), (place / "dedup.db").stat().st_size)


def _parts(dump: str, settings: Settings, sizes: Sequence[int], folder: Path) -> tuple[list[tuple[int, Path]], int]:
    """Write samples of a dump's questions into files, of all sizes for which it has enough; return how many it has.

    By reservoir sampling (Vitter, 1985, algorithm R): the dump is read once, whatever its size.
    """
    options = DumpOptions(settings.source, settings.format, settings.id_column, settings.text_column)
    chance, sample, there = random.Random(_SEED), list[Question](), 0  # noqa: S311 -- no secret
    for question in (record for record in read_dump(dump, options) if isinstance(record, Question)):
        there += 1
        if len(sample) < max(sizes):
            sample.append(question)
        elif (place := chance.randrange(there)) < len(sample):
            sample[place] = question
    chance.shuffle(sample)
    enough = [size for size in sizes if size <= there]
    if len(enough) < _FEWEST:
        needed = sizes[_FEWEST - 1]
        raise DumpError(f"{dump} has {there:,} questions, rates are measured on {needed:,} or more; give a larger dump")
    files = [(size, folder / f"questions-{size}.csv") for size in enough]
    for size, file in files:
        with file.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows(
                [("id", "question"), *((question.id, question.text) for question in sample[:size])]
            )
    return files, there


def _database_bytes(measured: Sequence[_Measured]) -> dict[str, float]:
    units = np.array([[each.work.questions, each.work.pairs] for each in measured])
    weights, _ = nnls(units / units.max(axis=0), np.array([each.database for each in measured], dtype=np.float64))
    question, pair = (weights / units.max(axis=0)).tolist()
    return {"question": question, "pair": pair}
