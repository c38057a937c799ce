"""`dedup calibrate`: fit the classifier of an encoder on labelled pairs."""

from __future__ import annotations

from pathlib import Path

import click

from dedup.cli.options import json_option, prior_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved


@click.command()
@click.argument("pairs", metavar="PAIRS...", nargs=-1, required=True)
@prior_option
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write there. [the indexes folder]")
@click.option("--anew", is_flag=True, help="Forget the shipped classifier instead of adapting it.")
@setting_options("db", "indexes", "source", "format", "max_bytes", "encoder", "metric", "batch_size")
@json_option
def calibrate(
    pairs: tuple[str, ...], prior: float, output: Path | None, anew: bool, resolved: Resolved, as_json: bool
) -> None:
    """Fit the classifier that turns the encoder's distances into probabilities.

    PAIRS are files of labelled pairs (question1, question2, is_duplicate), or a PostLinks.xml whose questions are
    recorded, or the word `recorded` for the labels in the database. A shipped encoder's classifier is adapted: twenty
    labels move it a little, thousands are as good as a new one. Later runs with this encoder and metric use the result.
    """
    from dedup.calibration import calibrate as fit
    from dedup.classifier import save_classifier

    settings = resolved.settings
    classifier = fit(pairs, settings, prior=prior, anew=anew, progress=shown_progress())
    file = save_classifier(classifier, output or settings.indexes)
    if as_json:
        print_json({**classifier.to_json(), "identity": classifier.identity, "file": str(file)})
        return
    how = "adapted to" if "adapted_from" in classifier.fit else "fitted on"
    click.echo(
        f"P(duplicate | distance) = 1 / (1 + exp({classifier.slope:.4f} * distance + {classifier.intercept:.4f})), "
        f"{how} {classifier.fit['labelled']:,} pairs at a prior of {prior:g}"
    )
    for feature in classifier.features:
        click.echo(
            f"  and {feature.weight:+.3f} to the log-odds for each unit of {feature.name.replace('_', ' ')} above "
            f"{feature.typical:.3f}"
        )
    click.echo(
        f"Two questions are duplicates up to a {classifier.metric} distance of {classifier.max_distance(0.5):.4f}."
    )
    if thresholds := classifier.fit["precision"]:
        rows = table("--precision", "threshold>", "95% interval>", "recall>")
        for at in thresholds:
            interval = f"{at['low']:.3f} to {at['high']:.3f}"
            rows.add_row(f"{at['wanted']:g}", f"{at['threshold']:.3f}", interval, f"{at['recall']:.3f}")
        print_table(rows)
    click.echo(f"Written to {file}")
