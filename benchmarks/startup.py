"""How fast the command starts: `import dedup` and `dedup --help`, best of several. Exits with 1 over the limit.

    python benchmarks/startup.py

The best of several runs, because what a busy machine adds is not the program's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time

LIMIT_SECONDS = 0.3
RUNS = 9
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
    print(json.dumps({"seconds": seconds, "limit": LIMIT_SECONDS}))
    sys.exit(max(seconds.values()) > LIMIT_SECONDS)
