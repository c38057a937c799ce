"""The `dedup` command, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import atexit
import gc
import io
import logging
import os
import sys
from pathlib import Path

import click

from dedup import __version__
from dedup.cli.backup import backup, restore
from dedup.cli.calibrate import calibrate
from dedup.cli.clusters import clusters
from dedup.cli.compare import compare
from dedup.cli.config import config
from dedup.cli.db import db
from dedup.cli.diff import diff
from dedup.cli.doctor import doctor
from dedup.cli.evaluate import evaluate
from dedup.cli.explain import explain
from dedup.cli.export import export
from dedup.cli.generations import generations
from dedup.cli.logs import logs_are_json, show_logs
from dedup.cli.options import Invocation
from dedup.cli.plan import plan
from dedup.cli.query import query
from dedup.cli.reindex import delete, reindex
from dedup.cli.review import review
from dedup.cli.run import run
from dedup.cli.schedule import schedule
from dedup.cli.serve import serve
from dedup.cli.status import status
from dedup.cli.token import token
from dedup.cli.train import train
from dedup.cli.work import work
from dedup.errors import DedupError, ExitCode
from dedup.settings import LogFormat

log = logging.getLogger("dedup")

_OBJECTS = 50_000  # made before cycles are looked for: imports make hundreds of thousands, and next to no garbage


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="dedup")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DEDUP_CONFIG",
    help="A TOML file of settings. [default: dedup.toml of this folder, where there is one]",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes, only warnings and results.")
@click.option(
    "--log-format",
    type=click.Choice([str(kind) for kind in LogFormat]),
    help="How log lines are written to stderr. [text]",
)
@click.pass_context
def cli(context: click.Context, config: Path | None, quiet: bool, log_format: str | None) -> None:
    """Find questions that ask the same thing.

    Start with `dedup run DUMP`, then `dedup clusters` and `dedup query "a question"`.
    """
    context.obj = Invocation(config, quiet, log_format)
    show_logs(LogFormat(log_format or LogFormat.TEXT), quiet=quiet)


for command in (
    run,
    reindex,
    delete,
    query,
    clusters,
    explain,
    diff,
    export,
    status,
    review,
    serve,
    token,
    schedule,
    plan,
    work,
    generations,
    doctor,
    backup,
    restore,
    train,
    calibrate,
    evaluate,
    compare,
    config,
    db,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit with an `ExitCode`; what went wrong is one line on stderr."""
    gc.set_threshold(_OBJECTS)
    atexit.register(gc.freeze)  # nothing is looked through for garbage once the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character shows its number
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted; run it again, what was recorded and encoded is kept", ExitCode.INTERRUPTED)
    except BrokenPipeError:  # the reader of our output has had enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except DedupError as error:
        _complain(str(error), error.exit_code)
    except OSError as error:
        _complain(
            f"{error.filename or 'the system'}: {error.strerror or error}; check the path, its rights and the space"
        )
    except MemoryError:
        _complain("the memory does not suffice; give a smaller dump or use a machine with more")


def _complain(message: str, exit_code: ExitCode = ExitCode.ERROR) -> None:
    message = " ".join(message.split())
    if logs_are_json():
        log.error("%s", message)
    else:
        click.echo(f"dedup: {message}", err=True)
    sys.exit(exit_code)
