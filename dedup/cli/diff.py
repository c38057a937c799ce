"""`dedup diff`: what is otherwise after one run than after another."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, printable
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.store import ClusterEvent, Difference, QuestionRecord


@click.command()
@click.argument("runs", metavar="[RUN RUN]", nargs=-1, type=int)
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="How many of each kind are listed."
)
@setting_options("db")
@json_option
@click.pass_context
def diff(context: click.Context, runs: tuple[int, ...], limit: int, resolved: Resolved, as_json: bool) -> None:
    """Show which duplicates are new or lost, and which clusters merged or split, from one run to a later one.

    Without runs, from the last but one that found something to the last.
    """
    from dedup.store import Store

    if len(runs) not in (0, 2):
        raise click.UsageError("give two runs, or none for the last two", context)
    with Store.open(resolved.settings.db, create=False) as store:
        earlier, later = runs or store.last_two_findings()
        difference = store.difference(earlier, later, limit)
        questions = store.questions(_named(difference))
        shown = _as_json(earlier, later, difference, questions)
    if as_json:
        print_json(shown)
        return
    click.echo(f"From run {earlier} to run {later}:")
    click.echo(f"  {difference.new:>10,}  new duplicate pairs")
    _list_pairs(shown["new_duplicates"])
    click.echo(f"  {difference.lost:>10,}  lost")
    _list_pairs(shown["lost_duplicates"])
    click.echo(f"  {difference.merged:>10,}  clusters merged, {difference.split:,} split, {difference.gone:,} gone")
    for event in shown["cluster_events"]:
        into = f" into {event['into']}" if event["into"] else ""
        cause = f", for {_pair(event['left'], event['right'])}" if event["left"] else ""
        click.echo(f"              run {event['run_id']}: cluster {event['cluster']} {event['kind']}{into}{cause}")


def _named(difference: Difference) -> list[int]:
    ends = [(pair.left, pair.right) for pair in difference.pairs]
    ends += [(event.left, event.right) for event in difference.clusters if event.left and event.right]
    return sorted({number for both in ends for number in both})


def _as_json(earlier: int, later: int, difference: Difference, questions: dict[int, QuestionRecord]) -> dict[str, Any]:
    def pairs(duplicate: bool) -> list[dict[str, Any]]:
        return [
            {"run_id": pair.run_id, "left": _question(questions, pair.left), "right": _question(questions, pair.right)}
            for pair in difference.pairs
            if pair.duplicate is duplicate
        ]

    return {
        "from_run": earlier,
        "to_run": later,
        "counts": {
            "new_duplicates": difference.new,
            "lost_duplicates": difference.lost,
            "merged_clusters": difference.merged,
            "split_clusters": difference.split,
            "gone_clusters": difference.gone,
        },
        "new_duplicates": pairs(True),
        "lost_duplicates": pairs(False),
        "cluster_events": [_event(event, questions) for event in difference.clusters],
    }


def _event(event: ClusterEvent, questions: dict[int, QuestionRecord]) -> dict[str, Any]:
    return {
        **asdict(event),
        "at": event.at.isoformat() if event.at else None,
        "kind": str(event.kind),
        "left": None if event.left is None else _question(questions, event.left),
        "right": None if event.right is None else _question(questions, event.right),
    }


def _question(questions: dict[int, QuestionRecord], number: int) -> dict[str, Any]:
    if (found := questions.get(number)) is None:
        return {"id": None, "source": None, "text": None}  # deleted since
    return {"id": found.id, "source": found.source, "text": found.text}


def _list_pairs(pairs: list[dict[str, Any]]) -> None:
    for pair in pairs:
        click.echo(f"              {_pair(pair['left'], pair['right'])}")


def _pair(left: dict[str, Any], right: dict[str, Any]) -> str:
    return " ~ ".join(
        "a question deleted since" if side["id"] is None else f"{printable(side['id'])} {printable(side['text'])!r}"
        for side in (left, right)
    )
