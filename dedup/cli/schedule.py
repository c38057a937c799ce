"""`dedup schedule`: what cron or systemd needs to run the nightly job."""

from __future__ import annotations

import getpass
from pathlib import Path

import click

from dedup.cli.options import Invocation, json_option, setting_options, wait_option
from dedup.cli.output import print_json
from dedup.errors import SettingsError
from dedup.settings import ENVIRONMENT_PREFIX, SETTING_NAMES, Resolved


@click.command()
@click.argument("dumps", metavar="[DUMP]...", nargs=-1)
@click.option("--cron", "scheduler", flag_value="cron", help="Print a crontab line.")
@click.option(
    "--systemd", "scheduler", flag_value="systemd", help="Print a service, its timer and what follows failure."
)
@click.option("--at", default="02:30", show_default=True, metavar="HH:MM", help="The time of day, of this machine.")
@wait_option
@setting_options(*SETTING_NAMES)
@json_option
@click.pass_obj
def schedule(
    invocation: Invocation,
    dumps: tuple[str, ...],
    scheduler: str | None,
    at: str,
    wait: int,
    resolved: Resolved,
    as_json: bool,
) -> None:
    """Print what a scheduler needs to run `dedup reindex` every night in this folder, with these DUMPs and settings.

    Settings given by a flag or a DEDUP_* variable are written into the command; those of dedup.toml stay there.
    """
    from dedup.schedule import Nightly, crontab_line, systemd_units, this_command, time_of_day

    if scheduler is None:
        raise click.UsageError("Give one of --cron and --systemd.")
    try:
        hour, minute = time_of_day(at)
    except SettingsError as error:
        raise click.UsageError(str(error)) from error
    folder = Path.cwd()
    config = () if invocation.config is None else ("--config", str(invocation.config.absolute()))
    waiting = ("--wait", str(wait)) if wait else ()
    command = (
        *this_command(),
        *config,
        *("--log-format", str(resolved.settings.log_format)),
        *("reindex", *_given(resolved), *waiting, "--json"),
        *(("--", *dumps) if dumps else ()),
    )
    job = Nightly(hour, minute, folder, command)
    if scheduler == "cron":
        line = crontab_line(job)
        if as_json:
            print_json({"crontab": line})
        else:
            click.echo(line)
        return
    units = systemd_units(
        job, user=getpass.getuser(), writable=_written_to(resolved, folder), environment=folder / "dedup.env"
    )
    if as_json:
        print_json(units)
        return
    for name, text in units.items():
        click.echo(f"# /etc/systemd/system/{name}\n{text}")


def _given(resolved: Resolved) -> list[str]:
    """Return the settings that a scheduler would not know, as flags."""
    from dedup.store import has_password

    words: list[str] = []
    for name in SETTING_NAMES:
        value, origin = getattr(resolved.settings, name), resolved.origin[name]
        if name == "log_format" or not origin.startswith(("--", ENVIRONMENT_PREFIX)):
            continue
        if name == "db" and has_password(value):
            raise SettingsError(
                f"db (from {origin}) has a password, which others can read in a scheduler's files; "
                "leave it out and put it into ~/.pgpass"
            )
        flag = "--" + name.replace("_", "-")
        words += [] if value is False else [flag] if value is True else [flag, str(value)]
    return words


def _written_to(resolved: Resolved, folder: Path) -> list[Path]:
    """Return the folders that a job writes to."""
    from dedup.schedule import outermost
    from dedup.store import database_file

    settings = resolved.settings
    database = database_file(settings.db)
    files = (database, settings.metrics_file)
    folders = (settings.indexes, settings.reports, *(file.parent for file in files if file is not None))
    return outermost([(folder / written).resolve() for written in folders])
