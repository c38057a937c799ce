"""`dedup query`: what is nearest to a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dedup.cli.options import json_option, setting_options, threshold_options
from dedup.cli.output import print_json, print_table, printable, table
from dedup.settings import Resolved, Settings

if TYPE_CHECKING:
    from dedup.queries import Answer


@click.command()
@click.argument("text")
@click.option("-k", "k", type=click.IntRange(1, 10_000), default=5, show_default=True, help="How many questions.")
@setting_options("db", "indexes", "encoder", "metric", "threshold", "rerank", "reranker")
@threshold_options
@json_option
def query(text: str, k: int, resolved: Resolved, at_threshold: Callable[[Settings], Settings], as_json: bool) -> None:
    """Find the recorded questions nearest to TEXT, and whether it has been asked before."""
    from dedup.in_service import settings_in_service
    from dedup.queries import Searcher
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        settings = at_threshold(settings_in_service(store, resolved))
        answer = Searcher.load(store, settings).query(text, k, settings.threshold)
        several = len(store.sources()) > 1
    if as_json:
        print_json(_as_json(answer, several))
        return
    columns = ["distance>", "probability>", "", "id", *(["source"] if several else []), "question", "cluster>"]
    click.echo(f"Nearest to {printable(text)!r} ({answer.metric} distance, smaller is closer)")
    rows = table(*columns)
    for match in answer.matches:
        question = match.question
        rows.add_row(
            f"{match.distance:.3f}",
            f"{match.probability:.1%}",
            "duplicate" if match.duplicate else "",
            printable(question.id),
            *([printable(question.source)] if several else []),
            printable(question.text),
            str(question.cluster_id),
        )
    print_table(rows)


def _as_json(answer: Answer, several_sources: bool) -> dict[str, Any]:
    matches = []
    for match in answer.matches:
        source = {"source": match.question.source} if several_sources else {}
        matches.append(
            {
                "id": match.question.id,
                **source,
                "text": match.question.text,
                "distance": match.distance,
                "probability": match.probability,
                "duplicate": match.duplicate,
                "cluster": match.question.cluster_id,
                "canonical": match.canonical.id if match.canonical else None,
                **({"canonical_source": match.canonical.source} if several_sources and match.canonical else {}),
            }
        )
    return {"query": answer.query, "encoder": answer.encoder, "metric": str(answer.metric), "matches": matches}
