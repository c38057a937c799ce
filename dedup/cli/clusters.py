"""`dedup clusters`: the largest clusters, with their questions."""

from __future__ import annotations

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, printable
from dedup.settings import Resolved


@click.command()
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many clusters.")
@setting_options("db")
@json_option
def clusters(limit: int, resolved: Resolved, as_json: bool) -> None:
    """Show the largest clusters: the canonical question first, then who asked the same."""
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        found = [store.cluster(summary.id) for summary in store.largest_clusters(limit)]
        several = len(store.sources()) > 1
    if as_json:
        print_json(
            {
                "clusters": [
                    {
                        "cluster": cluster.summary.id,
                        "size": cluster.summary.size,
                        "weakest_probability": cluster.summary.weakest_probability,
                        "canonical": cluster.summary.canonical.id,
                        **({"canonical_source": cluster.summary.canonical.source} if several else {}),
                        "members": [
                            {
                                "id": member.question.id,
                                **({"source": member.question.source} if several else {}),
                                "text": member.question.text,
                                "probability": member.probability,
                            }
                            for member in cluster.members
                        ],
                    }
                    for cluster in found
                ]
            }
        )
        return
    if not found:
        click.echo("No two questions ask the same thing.")
    else:
        click.echo(
            "The question to keep, and how probably the others ask the same; the weakest link is between the two "
            "questions\nof a cluster that are farthest apart.\n"
        )
    for cluster in found:
        summary = cluster.summary
        click.echo(f"Cluster {summary.id}: {summary.size} questions, weakest link {summary.weakest_probability:.1%}")
        canonical, *others = cluster.members
        for member in (canonical, *sorted(others, key=lambda other: -other.probability)):
            mark = "keep" if member is canonical else f"{member.probability:.1%}"
            site = f"{printable(member.question.source)}/" if several else ""
            click.echo(f"  {mark:>6}  {site}{printable(member.question.id)}  {printable(member.question.text)}")
        click.echo()
