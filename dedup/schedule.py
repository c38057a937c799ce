"""What a scheduler needs to run the nightly job: a crontab line, or systemd's service and timer.

Source: crontab(5), systemd.service(5), systemd.timer(5), systemd.exec(5).
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dedup.errors import ExitCode, SettingsError

SERVICE, TIMER, FAILED = "dedup-reindex.service", "dedup-reindex.timer", "dedup-reindex-failed.service"


@dataclass(frozen=True, slots=True)
class Nightly:
    """The nightly job: at which time of day (of this machine), in which folder, and the whole command."""

    hour: int
    minute: int
    folder: Path
    command: tuple[str, ...]


def time_of_day(text: str) -> tuple[int, int]:
    """Return the hour and the minute of ``HH:MM``; SettingsError for what is no time of day."""
    if (found := re.fullmatch(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", text)) is None:
        raise SettingsError(f"--at is {text!r}; expected a time of day, as 02:30", "--at")
    return int(found[1]), int(found[2])


def this_command() -> tuple[str, ...]:
    """Return how this installation's `dedup` is called from any folder and with any PATH."""
    beside = Path(sys.executable).with_name("dedup")
    found = str(beside) if beside.is_file() else shutil.which("dedup")
    return (str(Path(found).absolute()),) if found else (sys.executable, "-m", "dedup.cli")


def crontab_line(job: Nightly) -> str:
    """Return the job as one line of a crontab, without its end.

    It runs at low priority. Its log lines are appended to dedup-reindex.log in its folder, its last result is in
    dedup-reindex.json; where it fails it says so on standard output, which cron mails.
    """
    folder = shlex.quote(_one_line(str(job.folder)))
    command = " ".join(shlex.quote(_one_line(word)) for word in job.command)
    fine = f"{ExitCode.DONE:d}|{ExitCode.NOTHING_TO_DO:d}"
    shell = (
        f"cd {folder} && {{ nice -n 19 ionice -c 3 {command} > dedup-reindex.json 2>> dedup-reindex.log; code=$?; "
        f'case $code in {fine}) ;; *) echo "dedup reindex ended with $code; see $PWD/dedup-reindex.log" ;; esac; }}'
    )
    return f"{job.minute} {job.hour} * * * " + shell.replace("%", r"\%")  # cron makes a bare % a line's end


def systemd_units(job: Nightly, *, user: str, writable: Sequence[Path], environment: Path) -> Mapping[str, str]:
    """Return the unit files by their names: the service, its timer, and what runs where it fails.

    The service may write to the folders ``writable`` alone, which have to be there, and reads variables from the file
    ``environment``, if that is there.
    """
    return {
        SERVICE: _SERVICE.format(
            user=user,
            folder=_unit_path(job.folder),
            environment=_unit_path(environment),
            command=" ".join(_unit_word(word) for word in job.command),
            fine=f"{ExitCode.NOTHING_TO_DO:d} {ExitCode.TERMINATED:d}",
            writable=" ".join(_unit_word(str(folder)) for folder in writable),
            failed=FAILED,
        ),
        TIMER: _TIMER.format(hour=job.hour, minute=job.minute),
        FAILED: _FAILED.format(service=SERVICE),
    }


def outermost(folders: Sequence[Path]) -> list[Path]:
    """Return those of some absolute folders that lie in no other of them, sorted."""
    return sorted({folder for folder in folders if not any(folder.is_relative_to(o) and folder != o for o in folders)})


def _one_line(text: str) -> str:
    if "\n" in text or "\0" in text:
        raise SettingsError(f"{text!r} has a line break, which a scheduler cannot be told; choose another name")
    return text


def _unit_path(path: Path) -> str:
    return _one_line(str(path)).replace("%", "%%")


def _unit_word(word: str) -> str:
    """Quote a word of a list or a command: specifiers, variables and escapes are taken literally."""
    escaped = _one_line(word).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[\w@%+=:,./-]+", escaped) else f'"{escaped}"'


_SERVICE = """\
[Unit]
Description=Find last night's duplicate questions
Wants=network-online.target
After=network-online.target
OnFailure={failed}

[Service]
Type=oneshot
User={user}
WorkingDirectory={folder}
EnvironmentFile=-{environment}
CacheDirectory=dedup
Environment=XDG_CACHE_HOME=%C/dedup
ExecStart={command}
# nothing to do; stopped by SIGTERM, to go on at the next start
SuccessExitStatus={fine}
TimeoutStopSec=10min
KillMode=mixed
Nice=19
IOSchedulingClass=idle
CPUSchedulingPolicy=batch
ProtectSystem=strict
ReadWritePaths={writable}
ProtectHome=read-only
PrivateTmp=true
NoNewPrivileges=true
CapabilityBoundingSet=
ProtectKernelTunables=true
ProtectKernelModules=true
ProtectKernelLogs=true
ProtectControlGroups=true
ProtectClock=true
ProtectHostname=true
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
SystemCallArchitectures=native
"""

_TIMER = """\
[Unit]
Description=Find last night's duplicate questions, every night

[Timer]
OnCalendar=*-*-* {hour:02d}:{minute:02d}:00
RandomizedDelaySec=5min
Persistent=true

[Install]
WantedBy=timers.target
"""

_FAILED = """\
[Unit]
Description=Say that {service} failed

[Service]
Type=oneshot
# Put here what reaches you: mail, a chat, a pager. This line goes to the journal, as an error.
ExecStart=/bin/sh -c 'echo "<3>{service} failed; see journalctl -u {service}, and dedup status"'
"""
