"""The database server is killed while a job works on it: the job ends with one line, and a rerun makes up for it."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from corpora import write_csv
from databases import own_server
from fakes import HashingEncoder
from processes import ended, started
from torture import FLAGS, KILLS, SEED, Steps, compare, twins

from dedup.pipeline import run
from dedup.settings import Settings
from dedup.store import upgrade

pytestmark = pytest.mark.slow

_ROUNDS = max(2, KILLS // 5)  # a server takes seconds to recover
_SECONDS = 3.0  # after which a job is done on any machine, or well under way


def test_a_job_whose_server_is_killed_is_made_up_for(
    settings: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    with own_server() as server:
        upgrade(server.url)
        place = twins(settings, server.url, trigrams, tmp_path)
        steps, chance = Steps(SEED), random.Random(SEED)
        first = write_csv(tmp_path / "first.csv", steps.rows)
        for each in (place.undisturbed, place.tortured):
            run([first], each)
        for step in range(_ROUNDS):
            dump = write_csv(tmp_path / f"step-{step}.csv", steps.next(changes=step % 2 == 1))
            with started(place.tortured, "reindex", dump, *FLAGS) as process:
                time.sleep(chance.uniform(0.3, _SECONDS))
                server.kill()
                _, err = process.communicate(timeout=300)
            assert process.returncode in (0, 1), err
            assert "Traceback" not in err
            server.restart()
            run([dump], place.undisturbed)
            code, _, err = ended(place.tortured, "reindex", dump, *FLAGS, "--wait", "30")
            assert code in (0, 3), err
            compare(place)
