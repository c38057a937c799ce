"""The command as a process of its own: how fast it starts, what it imports, and the whole way with the real encoder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
HEAVY = ("torch", "faiss", "sklearn", "sentence_transformers", "transformers", "sqlalchemy", "scipy", "pyarrow", "lxml")


def python(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, input=stdin, capture_output=True, text=True, env=environment, check=False
    )


def dedup(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return python("-m", "dedup.cli", *arguments, cwd=cwd, stdin=stdin)


@pytest.mark.parametrize(
    "statement", ["import dedup", "from dedup.cli import cli; cli(['--help'], standalone_mode=False)"]
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement: str, tmp_path: Path) -> None:
    shown = "import sys; print(*[m for m in sys.modules if '.' not in m], file=sys.stderr)"
    imported = python("-c", f"{statement}; {shown}", cwd=tmp_path).stderr.split()
    assert "dedup" in imported
    assert not set(imported) & set(HEAVY)


@pytest.mark.parametrize("metric", ["manhattan", "euclidean"])
def test_the_whole_way_with_the_default_encoder(tmp_path: Path, metric: str) -> None:
    ran = dedup("run", str(EXAMPLES / "questions.csv"), "--metric", metric, "--json", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    done = json.loads(ran.stdout)
    assert (done["read"], done["rejected"], done["exact_duplicates"]) == (331, 0, 17)
    assert "encode: 314 questions" in ran.stderr
    asked = dedup("-q", "query", "I keep getting hiccups, what can I do?", "--json", cwd=tmp_path)
    assert asked.stderr == ""
    answer = json.loads(asked.stdout)
    assert answer["metric"] == metric
    assert "hiccups" in answer["matches"][0]["text"]
    assert answer["matches"][0]["duplicate"]


def test_progress_is_log_lines_on_stderr_and_a_mistake_is_one_line_there(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("id,question\n1,Why is it so?\n")
    talking, quiet = dedup("run", "one.csv", cwd=tmp_path), dedup("-q", "run", "one.csv", cwd=tmp_path)
    shown = [line.split()[1:5] for line in talking.stderr.splitlines()][:2]
    assert shown == [["INFO", "run", "1:", "read:"], ["INFO", "run", "1:", "load:"]]
    assert quiet.stderr == ""
    mistaken = dedup("run", "none.csv", cwd=tmp_path)
    assert mistaken.returncode == 1
    assert [line for line in mistaken.stderr.splitlines() if "INFO" not in line] == [mistaken.stderr.splitlines()[-1]]


def test_a_terminal_that_is_not_utf8_is_no_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dedup.cli", "config", "show", "--source", "Où"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    shown = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "O\\xf9" in shown.stdout


def test_standard_input_is_a_dump(tmp_path: Path) -> None:
    ran = dedup("run", "-", "--json", cwd=tmp_path, stdin="id,question\n1,Why is it so?\n2,why is it so\n")
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["exact_duplicates"] == 1


def test_a_reader_that_has_had_enough_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m dedup.cli --help | head -n 1"
    ended = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("Usage")
    assert ended.stderr == ""
