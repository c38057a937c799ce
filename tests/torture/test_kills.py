"""Killed at any instant, a job loses nothing, and whoever asks meanwhile is answered."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import HashingEncoder
from torture import JOBS, KILLS, SEED, torture, twins

from dedup.settings import Settings

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_is_killed_at_random_moments_ends_as_an_undisturbed_one(
    job: str, settings: Settings, database_url: str, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    torture(twins(settings, database_url, trigrams, tmp_path), job, KILLS, SEED)
