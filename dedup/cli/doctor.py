"""`dedup doctor`: whether everything is as it was written."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dedup.cli.options import json_option, setting_options, wait_option
from dedup.cli.output import print_json
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.soundness import Examined


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be, from the database and the vectors.")
@setting_options("db", "indexes", "reports", "encoder", "metric", "batch_size", "keep_runs", "keep_generations")
@wait_option
@json_option
def doctor(repair: bool, resolved: Resolved, wait: int, as_json: bool) -> int:
    """Read the database, all generations and all vectors through, and name what is damaged.

    Ends with 0 where all is sound, or has been mended, and with 1 where something is damaged.
    """
    if not repair:
        from dedup.soundness import examine

        examined = examine(resolved.settings, shown_progress())
        if as_json:
            print_json(_as_json(examined))
        else:
            _print(examined)
        return 1 if examined.damages else 0
    from dedup.mending import repair as mend

    mended = mend(resolved, wait=wait, progress=shown_progress())
    if as_json:
        print_json({"before": _as_json(mended.before), "done": mended.done, "after": _as_json(mended.after)})
    else:
        _print(mended.before)
        for line in mended.done:
            click.echo(f"Done: {line}.")
        if mended.before.damages:
            _print(mended.after)
    return 1 if mended.after.damages else 0


def _print(examined: Examined) -> None:
    for damage in examined.damages:
        click.echo(f"{damage.part}: {damage.said}")
    click.echo(
        f"{'Damaged' if examined.damages else 'Sound'}: {examined.questions:,} questions, {examined.generations} "
        f"generations and {examined.segments} segments of vectors looked at, {len(examined.damages)} damages."
    )


def _as_json(examined: Examined) -> dict[str, Any]:
    return {"sound": not examined.damages, **asdict(examined)}
