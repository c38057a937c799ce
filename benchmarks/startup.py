"""How fast the command starts: `import dedup` and `dedup --help`, best of several. Exits with 1 over the limit.

    python benchmarks/startup.py

The best of several rounds, because what a busy machine adds is not the program's. On a slow machine, where NumPy alone
takes most of the limit, the limit is so many times what NumPy takes to be imported in the same round.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

LIMIT_SECONDS = 0.3
TIMES_NUMPY = 3.0
ROUNDS = 12
NUMPY = [sys.executable, "-c", "import numpy"]
COMMANDS = {
    "import dedup": [sys.executable, "-c", "import dedup"],
    "dedup --help": [sys.executable, "-m", "dedup.cli", "--help"],
}


def seconds_of(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def best_of_rounds(command: list[str]) -> tuple[float, float]:
    """Return the seconds and the limit of the round in which the command was farthest below its limit."""
    rounds = []
    for _ in range(ROUNDS):
        numpy, seconds = seconds_of(NUMPY), seconds_of(command)
        rounds.append((seconds, max(LIMIT_SECONDS, TIMES_NUMPY * numpy)))
    return min(rounds, key=lambda each: each[0] / each[1])


if __name__ == "__main__":
    best = {name: best_of_rounds(command) for name, command in COMMANDS.items()}
    print(
        json.dumps({name: {"seconds": round(found, 3), "limit": round(top, 3)} for name, (found, top) in best.items()})
    )
    sys.exit(any(found > top for found, top in best.values()))
