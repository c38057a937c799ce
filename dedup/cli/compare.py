"""`dedup compare`: two encoders on the same labelled pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from dedup.cli.options import json_option, prior_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.questions import Metric
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.judging import Compared

_CROSS_VALIDATED = "cross-validated"


@click.command()
@click.argument("a")
@click.argument("b")
@click.option("--pairs", multiple=True, required=True, metavar="FILE", help="Labelled pairs; may be given repeatedly.")
@prior_option
@click.option(
    "--metric-b",
    type=click.Choice([str(metric) for metric in Metric]),
    help="The distance of B, where it is another one than A's. [that of --metric]",
)
@setting_options("db", "indexes", "source", "format", "max_bytes", "metric", "threshold", "batch_size")
@json_option
def compare(
    a: str, b: str, pairs: tuple[str, ...], prior: float, metric_b: str | None, resolved: Resolved, as_json: bool
) -> None:
    """Score the encoders A and B (names or folders) side by side, and their differences, B less A.

    Each is judged with its installed classifier; one that has none, with a classifier fitted on these pairs by 5-fold
    cross-validation. A difference is marked where its 95% interval, by paired bootstrap, excludes 0.
    """
    from dedup.judging import compare as compare_encoders

    settings = resolved.settings
    found, side_a, side_b = compare_encoders(
        a,
        b,
        pairs,
        settings,
        metric_b=Metric(metric_b or settings.metric),
        prior=prior,
        progress=shown_progress(),
    )
    if as_json:
        print_json(
            {
                "n": found.n,
                "positives": found.positives,
                "prior": found.prior,
                "a": {**_described(side_a), "scores": found.a},
                "b": {**_described(side_b), "scores": found.b},
                "difference": {
                    name: {"value": gap.value, "low": gap.low, "high": gap.high}
                    for name, gap in found.difference.items()
                },
            }
        )
        return
    click.echo(
        f"{found.n:,} pairs, {found.positives:,} duplicates, weighted to a prior of {prior:g}; "
        f"threshold {settings.threshold:g}"
    )
    for name, side in (("A", side_a), ("B", side_b)):
        click.echo(f"{name}: {side.encoder}, {side.metric} distance, classifier {_described(side)['classifier']}")
    rows = table("score", "A>", "B>", "B less A>", "95% interval>", "")
    for name, gap in found.difference.items():
        rows.add_row(
            name.replace("_", " "),
            f"{found.a[name]:.4f}",
            f"{found.b[name]:.4f}",
            f"{gap.value:+.4f}",
            f"{gap.low:+.4f} to {gap.high:+.4f}",
            "*" if gap.certain else "",
        )
    print_table(rows)
    click.echo("* the interval excludes 0")


def _described(side: Compared) -> dict[str, Any]:
    return {
        "encoder": side.encoder,
        "metric": str(side.metric),
        "classifier": _CROSS_VALIDATED if side.classifier is None else side.classifier,
    }
