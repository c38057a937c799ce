"""`dedup evaluate`: how good the installed classifier is on labelled pairs."""

from __future__ import annotations

import click

from dedup.cli.options import json_option, prior_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved


@click.command()
@click.argument("pairs", metavar="PAIRS...", nargs=-1, required=True)
@prior_option
@setting_options("db", "indexes", "source", "format", "max_bytes", "encoder", "metric", "threshold", "batch_size")
@json_option
def evaluate(pairs: tuple[str, ...], prior: float, resolved: Resolved, as_json: bool) -> None:
    """Score the installed classifier and threshold, unchanged, on labelled pairs it was not fitted on."""
    from dedup.calibration import evaluate as evaluate_files

    settings = resolved.settings
    found, classifier = evaluate_files(pairs, settings, prior=prior, progress=shown_progress())
    if as_json:
        print_json(
            {
                "n": found.n,
                "positives": found.positives,
                "prior": found.prior,
                **found.scores,
                "threshold": found.threshold,
                "encoder": classifier.encoder,
                "metric": str(classifier.metric),
                "classifier": classifier.identity,
                "intervals": {name: list(interval) for name, interval in found.intervals.items()},
            }
        )
        return
    click.echo(
        f"{found.n:,} pairs, {found.positives:,} duplicates, weighted to a prior of {prior:g}; "
        f"{classifier.encoder}, {classifier.metric} distance, threshold {found.threshold:g}"
    )
    rows = table("score", "value>", "95% interval>")
    for name, score in found.scores.items():
        low, high = found.intervals[name]
        rows.add_row(name.replace("_", " "), f"{score:.4f}", f"{low:.4f} to {high:.4f}")
    print_table(rows)
