"""`dedup calibrate`: fit the classifier of an encoder on labelled pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import click

from dedup.cli.options import json_option, prior_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved, Settings


@click.command()
@click.argument("pairs", metavar="PAIRS...", nargs=-1)
@prior_option
@click.option("--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write there. [the indexes folder]")
@click.option("--anew", is_flag=True, help="Forget the shipped classifier instead of adapting it.")
@click.option(
    "--rerank",
    is_flag=True,
    help="Leave the classifier as it is, and fit what the scores of the reranker mean for its uncertain pairs.",
)
@click.option(
    "--from-reviews",
    is_flag=True,
    help="Move the installed classifier by what reviewers agree on, and show it before and after.",
)
@click.option("--yes", is_flag=True, help="With --from-reviews: put it in place without asking.")
@setting_options("db", "indexes", "source", "format", "max_bytes", "encoder", "metric", "batch_size", "reranker")
@json_option
def calibrate(
    pairs: tuple[str, ...],
    prior: float,
    output: Path | None,
    anew: bool,
    rerank: bool,
    from_reviews: bool,
    yes: bool,
    resolved: Resolved,
    as_json: bool,
) -> None:
    """Fit the classifier that turns the encoder's distances into probabilities.

    PAIRS are files of labelled pairs (question1, question2, is_duplicate), or a PostLinks.xml whose questions are
    recorded, or the word `recorded` for the labels in the database, or `reviewed` for what reviewers agree on. A
    shipped encoder's classifier is adapted: twenty labels move it a little, thousands are as good as a new one. Later
    runs with this encoder and metric use the result.
    """
    settings = resolved.settings
    if from_reviews:
        if pairs or rerank or anew or output is not None:
            raise click.UsageError("--from-reviews takes no PAIRS, and goes with --yes and --json alone.")
        _calibrate_from_reviews(resolved, yes, as_json)
        return
    if not pairs:
        raise click.UsageError("Missing argument 'PAIRS...'.")
    if rerank:
        if anew:
            raise click.UsageError("--anew is about the classifier, which --rerank leaves as it is; give one of them.")
        _calibrate_reranking(pairs, settings, prior, output, as_json)
        return
    from dedup.calibration import calibrate as fit
    from dedup.classifier import save_classifier

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
    _print_thresholds(classifier.fit["precision"])
    click.echo(f"Written to {file}")


def _calibrate_from_reviews(resolved: Resolved, yes: bool, as_json: bool) -> None:
    from dedup.classifier import save_classifier
    from dedup.explanation import Explainer
    from dedup.in_service import settings_in_service
    from dedup.recalibration import recalibrate
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        settings = settings_in_service(store, resolved)
        made = recalibrate(store, Explainer.load(store, settings), settings, shown_progress())
    if not as_json:
        rows = table(f"{made.labels:,} reviewed pairs", "before>", "after>")
        for name, score in (
            ("log-loss", "log_loss"),
            ("calibration error", "ece"),
            ("average precision", "average_precision"),
        ):
            rows.add_row(name, f"{getattr(made.before, score):.3f}", f"{getattr(made.after, score):.3f}")
        print_table(rows)
    accepted = yes or (not as_json and click.confirm("Put it in the place of the installed classifier?"))
    file = save_classifier(made.classifier, settings.indexes) if accepted else None
    if as_json:
        scores = {"before": asdict(made.before), "after": asdict(made.after)}
        written = None if file is None else str(file)
        print_json({"identity": made.classifier.identity, "labels": made.labels, **scores, "file": written})
    elif file is not None:
        click.echo(f"Written to {file}; the next run judges with it")


def _calibrate_reranking(
    pairs: tuple[str, ...], settings: Settings, prior: float, output: Path | None, as_json: bool
) -> None:
    from dedup.rerank_calibration import calibrate_reranking
    from dedup.reranking import save_rescoring

    rescoring = calibrate_reranking(pairs, settings, prior=prior, progress=shown_progress())
    file = save_rescoring(rescoring, output or settings.indexes)
    if as_json:
        print_json({**rescoring.to_json(), "identity": rescoring.identity, "file": str(file)})
        return
    click.echo(
        f"From {rescoring.low:g} to {rescoring.high:g}, log-odds = {rescoring.classifier_weight:.3f} * the "
        f"classifier's {rescoring.reranker_weight:+.3f} * the score by {rescoring.reranker} "
        f"{rescoring.intercept:+.3f}, fitted on {rescoring.fit['labelled']:,} pairs at a prior of {prior:g}"
    )
    _print_thresholds(rescoring.fit["precision"])
    click.echo(f"Written to {file}")


def _print_thresholds(thresholds: Sequence[Mapping[str, float]]) -> None:
    if not thresholds:
        return
    rows = table("--precision", "threshold>", "95% interval>", "recall>")
    for at in thresholds:
        interval = f"{at['low']:.3f} to {at['high']:.3f}"
        rows.add_row(f"{at['wanted']:g}", f"{at['threshold']:.3f}", interval, f"{at['recall']:.3f}")
    print_table(rows)
