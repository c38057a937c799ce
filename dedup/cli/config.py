"""`dedup config`: what the settings are, and where each comes from."""

from __future__ import annotations

from dataclasses import asdict

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.settings import SETTING_NAMES, Resolved


@click.group()
def config() -> None:
    """Show the settings."""


@config.command()
@setting_options(*SETTING_NAMES)
@json_option
def show(resolved: Resolved, as_json: bool) -> None:
    """Print every setting, its value and where that came from.

    Later ones win: default, dedup.toml, DEDUP_* variable, flag.
    """
    from dedup.engines import shown_uri
    from dedup.store import display_url

    values = {
        name: str(value) if not isinstance(value, int | float) else value
        for name, value in asdict(resolved.settings).items()
    }
    values["db"] = display_url(resolved.settings.db)
    if resolved.settings.work_dir is not None:
        values["work_dir"] = shown_uri(resolved.settings.work_dir)
    if as_json:
        print_json({name: {"value": value, "origin": resolved.origin[name]} for name, value in values.items()})
        return
    rows = table("setting", "value", "from")
    for name, value in values.items():
        rows.add_row(name, str(value), resolved.origin[name])
    print_table(rows)
