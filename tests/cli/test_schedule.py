"""What is printed for cron and systemd: run by a shell as cron would, and verified by systemd itself."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Dedup

from dedup.schedule import outermost

ODD = "50% $HOME 'it''s' \"now\""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that tells how it was called, and ends with the code in its folder's file `code`."""
    command = tmp_path / "told"
    command.write_text(
        f"#!{sys.executable}\nimport json, os, sys\n"
        "print(json.dumps({'called': sys.argv[1:], 'in': os.getcwd(), 'nice': os.nice(0)}))\n"
        "sys.exit(int(open('code').read()))\n"
    )
    command.chmod(0o755)
    monkeypatch.setattr("dedup.schedule.this_command", lambda: (str(command),))
    return command


def as_cron_runs_it(line: str) -> subprocess.CompletedProcess[str]:
    *fields, command = line.split(" ", 5)
    assert all(re.fullmatch(r"\*|\d+", field) for field in fields)
    assert not re.search(r"(?<!\\)%", command)
    command = command.replace(r"\%", "%")
    return subprocess.run(["/bin/sh", "-c", command], cwd="/", capture_output=True, text=True, check=False)


@pytest.mark.skipif(shutil.which("ionice") is None, reason="ionice is not installed")
def test_cron_runs_it_in_this_folder_with_these_settings(dedup: Dedup, told: Path, monkeypatch) -> None:
    here = Path.cwd() / ODD
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("DEDUP_SOURCE", "ünï %")
    ended = dedup("schedule", "--cron", "--at", "3:05", f"{ODD}.csv", "--metric", "manhattan", "--wait", "600")
    assert ended.code == 0
    (line,) = ended.out.splitlines()
    assert line.split()[:5] == ["5", "3", "*", "*", "*"]
    Path("code").write_text("0")
    ran = as_cron_runs_it(line)
    assert (ran.stdout, ran.stderr) == ("", "")  # cron mails nothing where all went well
    told_of = json.loads(Path("dedup-reindex.json").read_text())
    called = told_of["called"]
    assert called[:3] == ["--log-format", "text", "reindex"]
    assert called[-5:] == ["--wait", "600", "--json", "--", f"{ODD}.csv"]
    given = dict(zip(called[3:-5:2], called[4:-5:2], strict=True))
    assert (given["--metric"], given["--source"]) == ("manhattan", "ünï %")
    assert {"--db", "--indexes"} < set(given)  # of the environment, which cron does not have
    assert (told_of["in"], told_of["nice"]) == (str(here), 19)


@pytest.mark.skipif(shutil.which("ionice") is None, reason="ionice is not installed")
@pytest.mark.parametrize(("code", "mailed"), [("3", ""), ("1", "dedup reindex ended with 1"), ("4", "ended with 4")])
def test_cron_mails_what_fails_and_not_that_there_was_nothing_to_do(
    dedup: Dedup, told: Path, code: str, mailed: str
) -> None:
    line = dedup("schedule", "--cron", "--json").json["crontab"]
    Path("code").write_text(code)
    ran = as_cron_runs_it(line)
    assert mailed in ran.stdout
    assert bool(ran.stdout) is bool(mailed)
    assert ran.returncode == 0


def read_unit(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    return parser


def test_systemd_gets_a_hardened_service_a_timer_and_what_follows_failure(
    dedup: Dedup, told: Path, tmp_path: Path
) -> None:
    metrics = tmp_path / "textfile" / "dedup.prom"
    units = dedup("schedule", "--systemd", "--at", "23:59", f"{ODD}.csv", "--metrics-file", str(metrics), "--json").json
    assert list(units) == ["dedup-reindex.service", "dedup-reindex.timer", "dedup-reindex-failed.service"]
    unit, timer = read_unit(units["dedup-reindex.service"]), read_unit(units["dedup-reindex.timer"])["Timer"]
    service = unit["Service"]
    assert unit["Unit"]["OnFailure"] == "dedup-reindex-failed.service"
    assert (service["Type"], service["WorkingDirectory"]) == ("oneshot", str(Path.cwd()))
    assert service["SuccessExitStatus"].split() == ["3", "143"]
    writable = {Path(folder) for folder in service["ReadWritePaths"].split()}
    assert writable == {tmp_path}  # the database's folder has the indexes, the reports and the metrics in it
    assert (service["ProtectSystem"], service["NoNewPrivileges"], service["Nice"]) == ("strict", "true", "19")
    called = shlex.split(service["ExecStart"].replace("%%", "%").replace("$$", "$"))
    assert called[0] == str(told)
    assert called[-3:] == ["--json", "--", f"{ODD}.csv"]
    assert (timer["OnCalendar"], timer["Persistent"]) == ("*-*-* 23:59:00", "true")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_its_units(dedup: Dedup, told: Path, tmp_path: Path) -> None:
    units = dedup("schedule", "--systemd", f"{ODD}.csv", "--json").json
    folder = tmp_path / "units"
    folder.mkdir()
    for name, text in units.items():
        (folder / name).write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in units)],
        env={"SYSTEMD_UNIT_PATH": f"{folder}:/lib/systemd/system", "PATH": "/usr/bin:/bin:/usr/sbin:/sbin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (verified.returncode, verified.stderr) == (0, "")


def test_text_is_each_unit_under_the_name_of_its_file(dedup: Dedup) -> None:
    units = dedup("schedule", "--systemd", "--json").json
    printed = dedup("schedule", "--systemd").out
    assert printed == "".join(f"# /etc/systemd/system/{name}\n{text}\n" for name, text in units.items())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 2, "Give one of --cron and --systemd."),
        (["--cron", "--at", "25:00"], 2, "expected a time of day, as 02:30"),
        (["--cron", "--db", "postgresql://me:secret@host/name"], 1, "put it into ~/.pgpass"),
        (["--cron", "--db", "postgresql://me@host/name?password=secret"], 1, "put it into ~/.pgpass"),
        (["--systemd", "two\nlines.csv"], 1, "has a line break"),
    ],
)
def test_what_cannot_be_scheduled_is_refused(dedup: Dedup, arguments: list[str], code: int, said: str) -> None:
    ended = dedup("schedule", *arguments)
    assert ended.code == code
    assert said in ended.err
    assert "secret" not in ended.err


def test_folders_in_others_are_left_out() -> None:
    folders = [Path(folder) for folder in ("/a/b", "/a", "/ab", "/a", "/c/d/e", "/c/d")]
    assert outermost(folders) == [Path("/a"), Path("/ab"), Path("/c/d")]
