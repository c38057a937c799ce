"""`dedup backup` and `dedup restore`: everything that is needed to answer, in one folder, and back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dedup.cli.options import json_option, setting_options, wait_option
from dedup.cli.output import print_json
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.backup import Saved

_folder = click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))


@click.command()
@_folder
@setting_options("db", "indexes")
@json_option
def backup(folder: Path, resolved: Resolved, as_json: bool) -> None:
    """Write the database, the index in service and its vectors to DIR; jobs may go on meanwhile."""
    from dedup.backup import save

    _print("Saved", save(resolved.settings, folder, progress=shown_progress()), as_json)


@click.command()
@_folder
@click.option("--force", is_flag=True, help="Replace what is recorded there.")
@setting_options("db", "indexes")
@wait_option
@json_option
def restore(folder: Path, force: bool, resolved: Resolved, wait: int, as_json: bool) -> None:
    """Put what `dedup backup` wrote to DIR into the database and the indexes folder, which may be of another kind."""
    from dedup.backup import restore as put_back

    restored = put_back(resolved.settings, folder, force=force, wait=wait, progress=shown_progress())
    _print("Restored", restored, as_json)


def _print(done: str, saved: Saved, as_json: bool) -> None:
    if as_json:
        print_json({**asdict(saved), "folder": str(saved.folder)})
        return
    click.echo(
        f"{done}: {saved.rows['questions']:,} questions, {saved.rows['pairs']:,} pairs, the generation "
        f"{saved.generation or 'none'} with {saved.segments} segments of vectors; {saved.bytes / 1e6:,.1f} MB in "
        f"{saved.folder}"
    )
