"""How long `dedup run` takes by stage, and its peak memory; then again, with nothing new. Prints JSON.

    python benchmarks/bench_run.py DUMP [--metric manhattan]

All is written to a temporary folder and removed. The process is measured from outside, by the system's account.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dump", type=Path)
    parser.add_argument("--metric", default="euclidean", choices=["euclidean", "manhattan"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [measure(options.dump.resolve(), options.metric, Path(folder)) for _ in range(2)]
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"machine": machine, "metric": options.metric, "first": runs[0], "again": runs[1]}, indent=2))


def measure(dump: Path, metric: str, folder: Path) -> dict[str, object]:
    command = [sys.executable, "-m", "dedup.cli", "-q", "run", str(dump), "--metric", metric, "--json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    summary = json.loads(process.stdout.read())
    _, _, usage = os.wait4(process.pid, 0)
    with sqlite3.connect(folder / "dedup.db") as database:
        (seconds,) = database.execute("SELECT seconds FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    database.close()
    return {"summary": summary, "seconds by stage": json.loads(seconds), "peak memory, GiB": usage.ru_maxrss / 2**20}


if __name__ == "__main__":
    main()
