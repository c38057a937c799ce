"""What cannot be compared in shards is said before a dump is read."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from dedup.errors import EngineError
from dedup.pipeline import reindex, run
from dedup.settings import EngineKind, Settings
from dedup.shards import require_shards

NO_DUMP = "there-is-none.csv"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(
        db=f"sqlite:///{tmp_path / 'dedup.db'}",
        indexes=tmp_path / "indexes",
        reports=tmp_path / "reports",
        workers=1,
        work_dir=str(tmp_path / "work"),
    )


@pytest.mark.parametrize("job", [run, reindex])
def test_a_folder_that_cannot_be_worked_in(settings, tmp_path, job):
    (tmp_path / "work").write_text("a file")
    with pytest.raises(
        EngineError, match=r"^the work folder .*work cannot be used .*choose another one with --work-dir$"
    ):
        job([NO_DUMP], settings)


def test_an_engine_that_is_not_installed(settings, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(EngineError, match="Ray is not installed"):
        run([NO_DUMP], replace(settings, engine=EngineKind.RAY))


def test_nothing_is_left_where_all_is_well(settings, tmp_path):
    require_shards(settings)
    assert not any((tmp_path / "work").iterdir())
