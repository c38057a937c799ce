"""Too little memory is refused before work begins, with the smallest that works; a run then stays within it."""

from __future__ import annotations

import csv
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dedup.errors import SettingsError
from dedup.footprint import hold_to, smallest_memory
from dedup.memory import mapping_to
from dedup.settings import load
from dedup.store import Store


def test_the_smallest_grows_with_the_texts_and_their_vectors() -> None:
    more = smallest_memory(2_000_000, 384) - smallest_memory(1_000_000, 384)
    assert more / 1e6 == pytest.approx(384 * 5, rel=0.2)
    assert smallest_memory(1_000_000, 768) - smallest_memory(1_000_000, 384) == pytest.approx(384 * 5e6, rel=0.1)


def test_what_is_too_small_is_refused_with_what_is_enough(tmp_path: Path) -> None:
    with mapping_to(tmp_path):
        with pytest.raises(SettingsError) as refused:
            hold_to(10**8, 500_000, 384, known=0)
        said = str(refused.value)
        enough = re.fullmatch(
            r"--memory is 100MB, the smallest that works for 500,000 distinct texts is (.+); give --memory \1 or more",
            said,
        )
        assert enough is not None
        hold_to(load({"memory": enough[1]}, environment={}).settings.memory, 500_000, 384, known=0)


@pytest.mark.slow
def test_a_run_stays_within_the_smallest_that_it_asks_for(tmp_path: Path) -> None:
    chosen = random.Random(5)
    words = ["".join(chosen.choices("bcdfglmnprst", k=3)) + chosen.choice("aeiou") for _ in range(4000)]
    with (tmp_path / "many.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "question"))
        rows.writerows((number, " ".join(chosen.choices(words, k=8))) for number in range(25_000))
    refused = run_in(tmp_path, "--memory", "1MB")
    assert (refused.returncode, refused.stdout) == (1, "")
    (enough,) = re.findall(r"--memory (\S+) or more", refused.stderr)
    done = run_in(tmp_path, "--memory", enough)
    assert done.returncode == 0, done.stderr
    with Store.open(f"sqlite:///{tmp_path / 'dedup.db'}", create=False) as store:
        counts = store.in_service().run.counts
    assert 0 < counts["peak_memory_bytes"] < 1.05e9 * float(enough.removesuffix("GB"))


def run_in(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    # Made up at random, the texts are all about as far apart: the floor keeps the candidates few.
    floors = ("--threshold", "0.95", "--candidate-floor", "0.95")
    return subprocess.run(
        [sys.executable, "-m", "dedup.cli", "run", "many.csv", "--fast", *floors, *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
