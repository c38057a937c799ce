"""One corpus by threads, by processes and by a Ray cluster on this machine: the same result, and what it takes.

    python -m benchmarks.bench_cluster [DUMP] --rows 5000 --workers 2 --metric euclidean

Each is `dedup run` in a process and a folder of its own, by the static encoder. The digest is over all pairs, their
distances and probabilities, and all clusters that are recorded; the command fails where two differ. Memory is that of
the process that runs the command, at its most, without its workers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

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
    parser.add_argument("--ways", nargs="+", choices=["threads", "processes", "ray"])
    given = parser.parse_args()
    ways: dict[str, list[str]] = {"threads": [], "processes": ["--workers", str(given.workers)]}
    ways["ray"] = ["--engine", "ray", *ways["processes"]]
    found = []
    with tempfile.TemporaryDirectory() as folder:
        dump = _sampled(given.dump, Path(folder), given.rows)
        for name in given.ways or ways:
            found.append({"by": name, **_run(dump, Path(folder) / name, str(given.metric), ways[name])})
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


def _run(dump: Path, folder: Path, metric: str, how: list[str]) -> dict[str, Any]:
    folder.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    arguments = [sys.executable, "-m", "dedup.cli", "run", str(dump), "--fast", "--metric", metric, "--json", *how]
    start = time.perf_counter()
    subprocess.run(arguments, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    with Store.open(f"sqlite:///{folder / 'dedup.db'}", create=False) as store:
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
