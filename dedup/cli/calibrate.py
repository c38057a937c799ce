"""`dedup calibrate`: fit the classifier of an encoder on labelled pairs."""

from __future__ import annotations

from pathlib import Path

import click

from dedup.cli.options import json_option, prior_option, setting_options
from dedup.cli.output import print_json
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved


@click.command()
@click.argument("pairs", metavar="PAIRS...", nargs=-1, required=True)
@prior_option
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write there. [the indexes folder]")
@setting_options("db", "indexes", "source", "format", "max_bytes", "encoder", "metric", "batch_size")
@json_option
def calibrate(pairs: tuple[str, ...], prior: float, output: Path | None, resolved: Resolved, as_json: bool) -> None:
    """Fit the classifier that turns the encoder's distances into probabilities.

    PAIRS are files of labelled pairs (question1, question2, is_duplicate), or a PostLinks.xml whose questions are
    recorded. Later runs with this encoder and metric use it instead of the one that is shipped.
    """
    from dedup.calibration import calibrate as fit
    from dedup.classifier import save_classifier

    settings = resolved.settings
    classifier = fit(pairs, settings, prior=prior, progress=shown_progress())
    file = save_classifier(classifier, output or settings.indexes)
    if as_json:
        print_json({**classifier.to_json(), "file": str(file)})
        return
    click.echo(
        f"P(duplicate | distance) = 1 / (1 + exp({classifier.slope:.4f} * distance + {classifier.intercept:.4f})), "
        f"fitted on {classifier.fit['labelled']:,} pairs at a prior of {prior:g}"
    )
    click.echo(
        f"Two questions are duplicates up to a {classifier.metric} distance of {classifier.max_distance(0.5):.4f}."
    )
    click.echo(f"Written to {file}")
