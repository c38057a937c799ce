"""Log lines: one a record, as text or JSON, with the run they are about, and never with a question."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from corpora import KITCHEN, write_csv
from processes import ended

from dedup.cli.logs import show_logs
from dedup.logs import logged_as
from dedup.settings import LogFormat, Settings


@pytest.fixture
def dump(tmp_path: Path) -> str:
    return write_csv(tmp_path / "kitchen.csv", [*KITCHEN, ("9", "", 1)])


def test_each_line_of_json_is_a_record_of_the_run(settings: Settings, dump: str) -> None:
    code, out, err = ended(settings, "--log-format", "json", "run", dump, "--json")
    assert code == 0, err
    records = [json.loads(line) for line in err.splitlines()]
    assert {record["run"] for record in records} == {json.loads(out)["run_id"]}
    assert {record["level"] for record in records} == {"INFO"}
    assert any(record["message"].startswith("encode: 5 questions") for record in records)
    assert datetime.fromisoformat(records[0]["time"]).utcoffset() == timedelta(0)
    assert not any(text in err for _, text, _ in KITCHEN)


def test_an_error_is_a_record_too_and_names_its_run(settings: Settings, dump: str) -> None:
    code, out, err = ended(settings, "-q", "run", dump, "--on-error", "stop", variables={"DEDUP_LOG_FORMAT": "json"})
    assert (code, out) == (1, "")
    (record,) = [json.loads(line) for line in err.splitlines()]
    assert (record["level"], record["run"]) == ("ERROR", 1)
    assert "row 8: the text" in record["message"]


def test_a_file_of_settings_can_ask_for_json(settings: Settings, dump: str, tmp_path: Path) -> None:
    (tmp_path / "dedup.toml").write_text('log_format = "json"\n')
    assert all(json.loads(line)["run"] == 1 for line in ended(settings, "run", dump)[2].splitlines())
    text = ended(settings, "--log-format", "text", "run", dump)[2].splitlines()
    assert text[0].split()[1:5] == ["INFO", "run", "2:", "read:"]
    code, _, err = ended(settings, "run", dump, variables={"DEDUP_LOG_FORMAT": "xml"})
    assert code == 1
    assert "log_format is 'xml' (from DEDUP_LOG_FORMAT); expected text or json" in err


@pytest.mark.parametrize("kind", list(LogFormat))
def test_a_message_of_several_lines_is_one(kind: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before = list(root.handlers)
    try:
        show_logs(kind, quiet=False)
        with logged_as(7):
            logging.getLogger("dedup.test").warning("one\ntwo")
    finally:
        root.handlers[:] = before
    (line,) = capsys.readouterr().err.splitlines()
    assert ("run 7: one two" if kind is LogFormat.TEXT else '"run": 7, "message": "one\\ntwo') in line
