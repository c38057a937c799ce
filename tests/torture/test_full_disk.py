"""Where a file cannot grow any more, as on a full disk, a job ends with one line, and what was in service stays."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import pytest
from corpora import write_csv
from fakes import HashingEncoder
from processes import ended
from sqlalchemy import make_url
from torture import FLAGS, KILLS, SEED, Steps, answers, compare, twins

from dedup.pipeline import run
from dedup.settings import Settings

pytestmark = pytest.mark.slow

_LARGEST = {"sqlite": 1 << 20, "postgresql": 300 << 10}  # bytes; with so much room for each file, most jobs end well


@pytest.mark.parametrize("job", ["run", "reindex"])
def test_a_job_without_room_ends_with_one_line_and_loses_nothing(
    job: str, settings: Settings, database_url: str, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    place = twins(settings, database_url, trigrams, tmp_path)
    steps, chance = Steps(SEED), random.Random(SEED)
    first = write_csv(tmp_path / "first.csv", steps.rows)
    run([first], place.undisturbed)
    run([first], place.tortured)
    dump = write_csv(tmp_path / "step.csv", steps.next(changes=False))
    asked = partial(answers, place.tortured, steps.rows)
    largest = _LARGEST[make_url(database_url).get_backend_name()]
    before, failed = asked(), 0
    for room in sorted(chance.randrange(1 << 12, largest) for _ in range(KILLS)):
        code, _, err = ended(place.tortured, job, dump, *FLAGS, file_bytes=room)
        if code in (0, 3):  # there was room enough
            break
        failed += 1
        said = [line for line in err.splitlines() if line.startswith("dedup: ")]
        assert code == 1, err
        assert len(said) == 1, err
        assert "Traceback" not in err
        assert asked() == before
    assert failed > 0
    run([dump], place.undisturbed)
    code, _, err = ended(place.tortured, job, dump, *FLAGS)
    assert code in (0, 3), err
    compare(place)
