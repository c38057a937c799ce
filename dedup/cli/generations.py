"""`dedup generations`: index generations, whole or damaged, in service or to go back to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from dedup.cli.options import json_option, setting_options, wait_option
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved


@click.group()
def generations() -> None:
    """Look after index generations."""


@generations.command("list")
@setting_options("db", "indexes")
@json_option
def list_(resolved: Resolved, as_json: bool) -> None:
    """Show the generations that are kept, newest first, and which is in service."""
    from dedup.generations import list_generations
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        listed = list_generations(store, resolved.settings.indexes)
    if as_json:
        print_json([_as_json(asdict(each)) for each in listed])
        return
    rows = table("generation", "", "run>", "published", "vectors>", "kind", "metric", "recall>", "MB>")
    rows.columns[0].no_wrap = True  # to be copied into a command
    for each in listed:
        state = "in service" if each.in_service else "" if each.run_id is not None else "not on record here"
        rows.add_row(
            each.name,
            state if each.present else f"{state}, not there",
            *(_plain(value) for value in (each.run_id, each.published_at, each.vectors, each.kind, each.metric)),
            _plain(each.recall),
            f"{each.bytes / 1e6:.1f}",
        )
    print_table(rows, width=140)


@generations.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@setting_options("db", "indexes")
@json_option
def verify(names: tuple[str, ...], resolved: Resolved, as_json: bool) -> int:
    """Read generations through, all of them by default, with the vectors that they need; 1 if one is damaged."""
    from dedup.generations import verify_generations
    from dedup.index import generation_names
    from dedup.store import Store

    indexes = resolved.settings.indexes
    looked_at = names or tuple(generation_names(indexes))
    with Store.open(resolved.settings.db, create=False) as store:
        damages = verify_generations(store, indexes, looked_at)
    if as_json:
        print_json({"generations": looked_at, "damages": [asdict(each) for each in damages]})
    else:
        for damage in damages:
            click.echo(f"{damage.part}: {damage.said}")
        click.echo(f"{len(looked_at)} generations read through, {len(damages)} damages.")
    return 1 if damages else 0


@generations.command()
@click.argument("name", required=False)
@setting_options("db", "indexes", "reports", "keep_runs", "keep_generations", "metrics_file")
@wait_option
@json_option
def rollback(name: str | None, resolved: Resolved, wait: int, as_json: bool) -> None:
    """Put the generation before the one in service back, or the one that is named.

    Queries are answered from it at once, with the encoder and the threshold of the run that built it. Pairs and
    clusters stay those of the last run until the next one.
    """
    from dedup.generations import roll_back

    done = roll_back(resolved.settings, name, wait=wait, progress=shown_progress())
    if as_json:
        print_json(asdict(done))
        return
    click.echo(f"In service: {done.generation}, instead of {done.instead_of} (run {done.run_id}).")
    click.echo(f"Pairs and clusters are still those of run {done.results_of_run}; the next run finds them anew.")


@generations.command()
@click.option(
    "--keep", type=click.IntRange(1), metavar="N", help="How many stay, the one in service included. [keep_generations]"
)
@setting_options("db", "indexes", "keep_generations")
@wait_option
@json_option
def prune(keep: int | None, resolved: Resolved, wait: int, as_json: bool) -> None:
    """Remove older generations, and vectors that neither a generation nor a recorded question needs."""
    from dedup.generations import prune

    settings = resolved.settings
    pruned = prune(settings, keep or settings.keep_generations, wait=wait, progress=shown_progress())
    if as_json:
        print_json(asdict(pruned))
        return
    for removed in (*pruned.generations, *pruned.segments):
        click.echo(f"Removed {removed}")
    click.echo(f"{len(pruned.generations)} generations and {len(pruned.segments)} segments of vectors removed.")


def _as_json(listed: dict[str, Any]) -> dict[str, Any]:
    published = listed["published_at"]
    return {**listed, "published_at": published.isoformat() if published else None}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    return (
        f"{value:,}" if isinstance(value, int) else f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "hour") else str(value)
    )
