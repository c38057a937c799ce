"""The `dedup` command, and the one place where an error becomes a line and an exit code."""

from __future__ import annotations

import io
import logging
import os
import sys
from pathlib import Path

import click

from dedup import __version__
from dedup.cli.calibrate import calibrate
from dedup.cli.clusters import clusters
from dedup.cli.compare import compare
from dedup.cli.config import config
from dedup.cli.db import db
from dedup.cli.evaluate import evaluate
from dedup.cli.explain import explain
from dedup.cli.export import export
from dedup.cli.query import query
from dedup.cli.run import run
from dedup.cli.status import status
from dedup.cli.train import train
from dedup.errors import DedupError

EXIT_ERROR = 1
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="dedup")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="DEDUP_CONFIG",
    help="A TOML file of settings. [default: dedup.toml of this folder, where there is one]",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no notes, only warnings and results.")
@click.pass_context
def cli(context: click.Context, config: Path | None, quiet: bool) -> None:
    """Find questions that ask the same thing.

    Start with `dedup run DUMP`, then `dedup clusters` and `dedup query "a question"`.
    """
    context.obj = config
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z", stream=sys.stderr
    )
    logging.getLogger("dedup").setLevel(logging.WARNING if quiet else logging.INFO)


for command in (run, query, clusters, explain, export, status, train, calibrate, evaluate, compare, config, db):
    cli.add_command(command)


def main() -> None:
    """Run the command line and exit: 0 done, 1 error (one line on stderr), 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character shows its number
            stream.reconfigure(errors="backslashreplace")
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _complain("interrupted; run it again, what was recorded and encoded is kept", EXIT_INTERRUPTED)
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


def _complain(message: str, exit_code: int = EXIT_ERROR) -> None:
    click.echo(f"dedup: {' '.join(message.split())}", err=True)
    sys.exit(exit_code)
