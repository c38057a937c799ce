"""`dedup db`: the database's schema."""

from __future__ import annotations

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json
from dedup.settings import Resolved


@click.group()
def db() -> None:
    """Look after the database's schema."""


@db.command()
@setting_options("db")
@json_option
def upgrade(resolved: Resolved, as_json: bool) -> None:
    """Bring the schema to this program's revision; rows are kept."""
    from dedup.store import current, upgrade

    before = current(resolved.settings.db)
    upgrade(resolved.settings.db)
    after = current(resolved.settings.db)
    if as_json:
        print_json({"before": before, "revision": after})
    elif before == after:
        click.echo(f"Already at revision {after}.")
    else:
        click.echo(f"Upgraded from {before or 'nothing'} to revision {after}.")


@db.command()
@setting_options("db")
@json_option
def current(resolved: Resolved, as_json: bool) -> None:
    """Print the schema's revision, and the one this program works with."""
    from dedup.store import HEAD, current

    revision = current(resolved.settings.db)
    if as_json:
        print_json({"revision": revision, "head": HEAD})
    else:
        click.echo(f"{revision or 'empty'} (this program works with {HEAD})")
