"""`dedup work`: a worker of the runs with `--engine database`."""

from __future__ import annotations

from dataclasses import asdict

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json
from dedup.cli.progress import shown_progress
from dedup.interruption import interruptible
from dedup.settings import Resolved


@click.command()
@click.option(
    "--idle",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="End after so long without a shard. [it waits for the next run]",
)
@setting_options("db", "workers")
@json_option
def work(idle: float | None, resolved: Resolved, as_json: bool) -> None:
    """Work on the shards of runs with --engine database, on this machine, until SIGTERM or Ctrl-C.

    Runs hand out their shards in the PostgreSQL database; workers on any number of machines claim them. Each of them
    needs the folder of --work-dir under the same path, or the object store. What is unfinished when a worker is stopped
    is given back. --workers says how many processes it has, by default one for each core.
    """
    from dedup.cores import core_count
    from dedup.working import work as work_until_stopped

    settings = resolved.settings
    with interruptible(shown_progress(), until="") as progress:
        done = work_until_stopped(settings.db, settings.workers or core_count(), idle=idle, progress=progress)
    if as_json:
        print_json(asdict(done))
    else:
        click.echo(f"{done.shards:,} shards in {done.seconds:.1f} s, {done.given_back:,} given back unfinished.")
