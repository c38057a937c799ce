"""The command line, run in an empty folder."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import Dedup, Ended

from dedup.cli import main
from dedup.settings import Settings


@pytest.fixture
def dedup(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Dedup:
    """Run a command in an empty folder, with the database and the indexes set through the environment."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DEDUP_DB", settings.db)
    monkeypatch.setenv("DEDUP_INDEXES", str(settings.indexes))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["dedup", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run
