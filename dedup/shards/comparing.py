"""The order of the stages in which a corpus is compared shard by shard.

vectors by shard -> described (reference vectors near each, crowding, words) -> visits chosen on a sample
                 -> rows sent to bins of cells -> pairs of each bin, judged -> pairs in order

Every stage is a function of one shard (`dedup.shards`), which any engine runs; they are the functions by which a corpus
is joined in one piece, so that the pairs are the same. Between stages only names of files and counts pass through here;
at the end the pairs are put in order, in files that are mapped (`dedup.external_sort`), to be recorded.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dedup.classifier import Classifier
from dedup.engines import Engine
from dedup.external_sort import ExternalSort, marked, selected
from dedup.features import CROWDING, Described, needs_texts
from dedup.join import Joined, Known
from dedup.join.cells import NearestCells
from dedup.join.found import as_pairs, in_order
from dedup.join.recall import Tuned, found_share, smallest_ratio, tune
from dedup.matching import Matcher
from dedup.progress import Progress
from dedup.questions import Float32, Float64, Int64, Keys, Metric, Pairs
from dedup.reference import REFERENCE_SIZE
from dedup.settings import Settings
from dedup.shards.columns import as_arrays, as_batch, described_columns, described_of, rows_of, stacked
from dedup.shards.context import BACKGROUND, ShardContext, background_for, texts_column, work_folder
from dedup.shards.describing import CountCells, DescribeShard, count_cells, describe_shard
from dedup.shards.joining import JoinBins, join_bins
from dedup.shards.layout import Layout, lay_out, near_together, rows_of_a_bin
from dedup.shards.sampling import CompareSample, compare_sample
from dedup.shards.scattering import ScatterShard, scatter_shard

log = logging.getLogger(__name__)

_FORMAT = 2  # of the files of a comparison


@dataclass(frozen=True, slots=True)
class Cut:
    """How a comparison was cut up."""

    shards: int
    tasks: int  # joins
    cells: int
    hot_cells: int
    largest_cell: int  # rows
    skew: float  # rows of the largest bin, to those of a bin on average
    replication: float  # how often a row was written for a bin
    spilled: int  # bytes in the work folder at the end


@dataclass(frozen=True, slots=True)
class Compared:
    """What was found, and how the work was cut up."""

    described: Described  # of the whole corpus
    joined: Joined
    probability: Float64  # (n_pairs,) of the joined pairs; NaN where a pair is too far apart to be a candidate
    cut: Cut

    @property
    def judged(self) -> Float64:
        """The probabilities of those pairs that are near enough to be candidates, in their order."""
        near = marked(len(self.probability), lambda some: ~np.isnan(self.probability[some]))
        (judged,) = selected(near, self.probability)
        return judged


@dataclass(frozen=True, slots=True)
class ShardedCorpus:
    """Distinct texts in the order of their keys, with their vectors."""

    keys: Keys
    embeddings: Float32  # (n, d)
    texts_of: Callable[[Keys], list[str]]


def compare_in_shards(
    corpus: ShardedCorpus,
    classifier: Classifier,
    settings: Settings,
    *,
    margin: float,
    in_cells: bool,
    engine: Engine,
    progress: Progress,
) -> Compared:
    """Describe, join and judge a corpus, shard by shard: what `dedup.finding` finds in one piece.

    Parameters
    ----------
    margin
        As for `dedup.join.self_join`, where the classifier looks at crowding.
    in_cells
        Whether it is large enough to be cut into cells.

    Raises
    ------
    EngineError
        Where a shard cannot be worked on, by name, or the folder not used. What is finished is kept.
    """
    floor, shard_size = settings.candidate_floor, settings.shard_size
    digest = hashlib.sha256(np.ascontiguousarray(corpus.keys).tobytes())
    digest.update(
        f"{_FORMAT} {classifier.identity} {classifier.prior} {floor} {margin} {shard_size} {in_cells}".encode()
    )
    folder = work_folder(settings).of(f"compare-{digest.hexdigest()[:32]}")
    folder.sweep()
    margin = margin if CROWDING in classifier.feature_names else 0.0
    shards = -(-len(corpus.keys) // shard_size)
    context = ShardContext(folder, classifier, floor, margin, len(corpus.keys), shards, shard_size, in_cells)
    _write_shards(context, corpus, progress)
    with progress.stage("describe", "shards", total=shards) as advance:
        words = 0
        for count in engine.map(describe_shard, [DescribeShard(context, number) for number in range(shards)]):
            words += count
            advance(1)
    described = _described(context, words)
    compared = _compare(context, corpus, described, engine, settings, progress)
    if compared.joined.recall < settings.recall_floor:
        log.warning(
            "the join in cells found %.4f of the pairs under the cut-off, the recall floor is %g: comparing all with "
            "all",
            compared.joined.recall,
            settings.recall_floor,
        )
        whole = replace(context, in_cells=False)
        compared = _compare(whole, corpus, described, engine, settings, progress)
    work_folder(settings).remove()  # with what stopped runs left of a corpus that has changed since
    return compared


def _write_shards(context: ShardContext, corpus: ShardedCorpus, progress: Progress) -> None:
    with_texts = needs_texts(context.classifier.feature_names)

    def batch(some: slice) -> object:
        keys = corpus.keys[some]
        columns = {"key": keys, "vector": np.asarray(corpus.embeddings[some])}
        return as_batch(columns | {"text": texts_column(corpus.texts_of(keys))} if with_texts else columns)

    with progress.stage("shard", "shards", total=context.shards) as advance:
        if not context.work.has(BACKGROUND):
            context.work.write(BACKGROUND, [batch(slice(0, REFERENCE_SIZE))])
        for number in range(context.shards):
            if not context.work.has(context.vectors(number)):
                start = number * context.shard_size
                context.work.write(context.vectors(number), [batch(slice(start, start + context.shard_size))])
            advance(1)


def _described(context: ShardContext, words: int) -> Described:
    """Return what is known of all questions, which have so many words; clusters are judged by it."""

    def parts() -> Iterator[dict[str, Any]]:
        for number in range(context.shards):
            columns = as_arrays(context.work.read(context.described(number)))
            del columns["near"]
            if columns:
                yield columns

    columns = stacked(parts(), context.rows, words)
    return described_of(columns, background_for(context).idf)


def _compare(
    context: ShardContext,
    corpus: ShardedCorpus,
    described: Described,
    engine: Engine,
    settings: Settings,
    progress: Progress,
) -> Compared:
    rows = len(corpus.keys)
    held_out, visits, ratio = Known.nothing(rows).pairs, 1, 1.0
    if context.in_cells:
        with progress.stage("tune join", "samples", total=2) as advance:
            tuned = _tuned(context, corpus, described, engine, settings.recall_floor)
            held_out, visits = tuned.held_out, tuned.visits
            if context.metric is Metric.MANHATTAN:
                ratio = smallest_ratio(corpus.embeddings, tuned.tuning)
            advance(2)
    layout = _layout(context, corpus, visits, engine, settings.memory_per_task)
    kind = hashlib.sha256(f"{context.in_cells} {visits} {ratio!r}".encode())
    for column in (layout.first, layout.parts):
        kind.update(column.tobytes())
    named = kind.hexdigest()[:16]
    files = tuple(f"scattered-{named}-{number:06d}.arrow" for number in range(context.shards))
    with progress.stage("scatter", "shards", total=context.shards) as advance:
        tasks = [ScatterShard(context, number, visits, layout, file) for number, file in enumerate(files)]
        sent = np.zeros(layout.bins, dtype=np.int64)
        for each in engine.map(scatter_shard, tasks):
            sent += each
            advance(1)
    joins = [
        JoinBins(context, files, one, other, cells, visits, ratio, f"pairs-{named}-{one:06d}-{other:06d}.arrow")
        for one, other, cells in layout.together()
    ]
    # The largest first, so that no worker is left with one at the end.
    joins.sort(key=lambda task: int(sent[task.one]) * int(sent[task.other]), reverse=True)
    sorting = ExternalSort(np.int64, np.float32, np.float64)
    with progress.stage("join", "bins", total=len(joins)) as advance:
        for file in engine.map(join_bins, joins):
            found = as_arrays(context.work.read(file))
            sorting.add(found["left"] * np.int64(rows) + found["right"], found["distance"], found["probability"])
            advance(1)
    number, distance, probability = sorting.in_order()
    pairs = as_pairs(number, distance, rows)
    _, covered = context.cutoffs(Matcher(corpus.embeddings, described, context.classifier))
    recall = found_share(pairs, held_out)
    done = Joined(pairs, recall, len(held_out), visits if context.in_cells else 0, rows, covered)
    cut = Cut(
        shards=context.shards,
        tasks=len(joins),
        cells=len(layout.hot),
        hot_cells=int(layout.hot.sum()),
        largest_cell=layout.largest_cell,
        skew=int(sent.max()) / float(sent.mean()),
        replication=int(sent.sum()) / max(1, rows),
        spilled=context.work.bytes(),
    )
    log.info(
        "%d joins of %d cells; the largest cell has %d rows, %d hot ones were cut up; each row was sent to %.2f bins, "
        "the largest of which has %.2f times as many rows as one on average; %.1f MB in the work folder",
        cut.tasks,
        cut.cells,
        cut.largest_cell,
        cut.hot_cells,
        cut.replication,
        cut.skew,
        cut.spilled / 1e6,
    )
    return Compared(described, done, probability, cut)


def _tuned(
    context: ShardContext, corpus: ShardedCorpus, described: Described, engine: Engine, recall_floor: float
) -> Tuned:
    """Choose how many cells each row is in, by samples that are compared with every shard."""
    columns = described_columns(described)
    nearest = NearestCells(corpus.embeddings, REFERENCE_SIZE)

    def pairs_of(sample: Int64) -> Pairs:
        sample = np.sort(sample)
        file = f"sample-{hashlib.sha256(sample.tobytes()).hexdigest()[:16]}.arrow"
        rows = {"row": sample, "vector": np.asarray(corpus.embeddings[sample]), **rows_of(columns, sample)}
        context.work.write(file, [as_batch(rows)])
        tasks = [CompareSample(context, file, number, context.rows) for number in range(context.shards)]
        return in_order(engine.map(compare_sample, tasks), context.rows)

    return tune(context.rows, pairs_of, nearest.around_some, recall_floor)


def _layout(context: ShardContext, corpus: ShardedCorpus, visits: int, engine: Engine, memory_per_task: int) -> Layout:
    dimension = corpus.embeddings.shape[1]

    def most(rows: int, together: int) -> int:
        return rows_of_a_bin(dimension, memory_per_task, rows, engine.slots, together=together)

    if not context.in_cells:
        rows_in = np.array([[context.rows], [0]])
    else:
        counted = list(
            engine.map(count_cells, [CountCells(context, number, visits) for number in range(context.shards)])
        )
        rows_in = np.zeros((2, max(some.shape[1] for some in counted)), dtype=np.int64)
        for some in counted:
            rows_in[:, : some.shape[1]] += some
    rows = int(rows_in.sum())
    order = near_together(np.ascontiguousarray(corpus.embeddings[: rows_in.shape[1]]))
    return lay_out(rows_in[0], rows_in[1], order, alone=most(rows, 1), meeting=most(rows, 2))
