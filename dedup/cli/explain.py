"""`dedup explain`: why two questions are duplicates, or are not."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, printable
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.explanation import Explanation


@click.command()
@click.argument("left", metavar="ID_OR_TEXT")
@click.argument("right", metavar="ID_OR_TEXT")
@click.option("--source", help="The source the ids belong to. [any]")
@setting_options("db", "indexes", "encoder", "metric", "threshold", "prior", "rerank", "reranker")
@json_option
def explain(left: str, right: str, source: str | None, resolved: Resolved, as_json: bool) -> None:
    """Show how far two questions are apart, how probably they are duplicates, and what joins them.

    Each is the id of a recorded question, or a text.
    """
    from dedup.explanation import explain as explain_pair
    from dedup.explanation import explained
    from dedup.in_service import settings_in_service
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        explanation = explain_pair(store, settings_in_service(store, resolved), left, right, source)
    if as_json:
        print_json(explained(explanation))
    else:
        _print(explanation)


def _print(explanation: Explanation) -> None:
    for side in (explanation.left, explanation.right):
        if isinstance(side, str):
            click.echo(f"  a text, not recorded: {printable(side)}")
        else:
            click.echo(
                f"  {printable(side.source)}/{printable(side.id)}, cluster {side.cluster_id}: {printable(side.text)}"
            )
    verdict = "duplicates" if explanation.duplicate else "not duplicates"
    click.echo(f"{verdict}: probability {explanation.probability:.1%}, threshold {explanation.threshold:.1%}")
    if explanation.same_text:
        click.echo("  equal once case, punctuation and spaces are set aside: an exact duplicate")
    click.echo(f"  manhattan distance {explanation.manhattan:.4f}, euclidean distance {explanation.euclidean:.4f}")
    classifier = explanation.classifier
    if explanation.second is not None:
        click.echo(
            f"  judged again by {explanation.second.reranker}: {explanation.second.classified:.1%} by the classifier "
            "alone"
        )
    click.echo(
        f"  classifier {classifier.identity}: 1 / (1 + exp({classifier.slope:.4f} * {classifier.metric} distance "
        f"+ {classifier.intercept:.4f})), fitted on {classifier.fit.get('pairs')}"
    )
    if not explanation.same_text:
        for feature in classifier.features:
            value = explanation.features[feature.name]
            shown = "not known" if isnan(value) else f"{value:.3f}, typically {feature.typical:.3f}"
            click.echo(f"  {feature.name.replace('_', ' ')} {shown}: {feature.log_odds(value):+.2f} to the log-odds")
    if explanation.chain:
        click.echo("Joined in one cluster by:")
        for link in explanation.chain:
            click.echo(
                f"  {printable(link.left.id)} {printable(link.left.text)}  --  "
                f"{printable(link.right.id)} {printable(link.right.text)}  "
                f"(distance {link.distance:.4f}, probability {link.probability:.1%})"
            )
