"""How fast the command starts: `import dedup` and `dedup --help`, best of several. Exits with 1 over the limit.

    python benchmarks/startup.py

The best of several runs, because what a busy machine adds is not the program's. On a slow machine, where NumPy alone
takes most of the limit, the limit is so many times what NumPy takes to be imported there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

LIMIT_SECONDS = 0.3
TIMES_NUMPY = 3.0
RUNS = 9
NUMPY = [sys.executable, "-c", "import numpy"]
COMMANDS = {
    "import dedup": [sys.executable, "-c", "import dedup"],
    "dedup --help": [sys.executable, "-m", "dedup.cli", "--help"],
}


def best_seconds(command: list[str]) -> float:
    best = float("inf")
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    seconds = {name: round(best_seconds(command), 3) for name, command in COMMANDS.items()}
    limit = round(max(LIMIT_SECONDS, TIMES_NUMPY * best_seconds(NUMPY)), 3)
    print(json.dumps({"seconds": seconds, "limit": limit}))
    sys.exit(max(seconds.values()) > limit)
