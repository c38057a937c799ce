"""`dedup evaluate`: how good the installed classifier, or a whole clustering, is on labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dedup.cli.options import json_option, prior_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved, Settings

if TYPE_CHECKING:
    from dedup.evaluation import ClusterEvaluation
    from dedup.judging import Judged


@click.command()
@click.argument("pairs", metavar="PAIRS...", nargs=-1)
@prior_option
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the evaluation as a page too.",
)
@click.option(
    "--clusters",
    metavar="FILE",
    help="Judge a clustering instead: a file of `dedup export clusters`, or `recorded` for the one in the database.",
)
@click.option(
    "--labelled-clusters",
    metavar="FILE",
    help="With --clusters, in the place of PAIRS: questions (or ids) and the clusters they truly belong to.",
)
@setting_options(
    "db",
    "indexes",
    "source",
    "format",
    "max_bytes",
    "encoder",
    "metric",
    "threshold",
    "rerank",
    "reranker",
    "batch_size",
)
@json_option
def evaluate(
    pairs: tuple[str, ...],
    prior: float,
    html: Path | None,
    clusters: str | None,
    labelled_clusters: str | None,
    resolved: Resolved,
    as_json: bool,
) -> None:
    """Score the installed classifier and threshold, unchanged, on labelled pairs it was not fitted on.

    PAIRS are files of labelled pairs (question1, question2, is_duplicate), or a PostLinks.xml whose questions are
    recorded. With --clusters, a whole clustering is scored on them: how it parts the labelled pairs, and B-cubed.
    """
    if bool(pairs) == (labelled_clusters is not None):
        raise click.UsageError("Give either PAIRS or --labelled-clusters.")
    if clusters is None:
        if labelled_clusters is not None:
            raise click.UsageError("--labelled-clusters judges a clustering; name it with --clusters.")
        _evaluate_classifier(pairs, resolved.settings, prior, html, as_json)
        return
    if html is not None:
        raise click.UsageError("--html shows the evaluation of a classifier; leave it out with --clusters.")
    from dedup.cluster_judging import evaluate_clustering, evaluate_clustering_by_clusters

    if labelled_clusters is None:
        against = "the connected components of the duplicate labels"
        found = evaluate_clustering(pairs, clusters, resolved.settings, prior=prior)
    else:
        against = "the labelled clusters"
        found = evaluate_clustering_by_clusters(labelled_clusters, clusters, resolved.settings)
    _print_clusters(found, against, as_json)


def _evaluate_classifier(
    pairs: tuple[str, ...], settings: Settings, prior: float, html: Path | None, as_json: bool
) -> None:
    from dedup.artifacts import require_writable
    from dedup.judging import evaluate as evaluate_files

    if html is not None:
        require_writable(html.parent)
    judged = evaluate_files(pairs, settings, prior=prior, progress=shown_progress())
    found, classifier = judged.evaluation, judged.classifier
    if html is not None:
        from dedup.report.evaluation_contents import describe_evaluation
        from dedup.report.evaluation_page import write_evaluation

        described = describe_evaluation(
            found,
            probability=judged.probability,
            duplicate=judged.labelled.duplicate,
            component=judged.component,
            distance=judged.distance,
            texts=judged.labelled.texts,
            labels=tuple(Path(file).name for file in pairs),
            encoder=classifier.encoder,
            metric=classifier.metric,
            classifier=_named(judged),
        )
        write_evaluation(described, html)
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
                "intervals": _as_lists(found.intervals),
                **_as_asked(judged, html),
            }
        )
        return
    click.echo(
        f"{found.n:,} pairs, {found.positives:,} duplicates, weighted to a prior of {prior:g}; "
        f"{classifier.encoder}, {classifier.metric} distance, threshold {found.threshold:g}"
    )
    if judged.rescoring is not None:
        click.echo(f"{judged.reranked:,} uncertain pairs were judged again by {judged.rescoring.reranker}")
    _print_scores(found.scores, found.intervals)
    if html is not None:
        click.echo(f"Written to {html}")


def _as_asked(judged: Judged, html: Path | None) -> dict[str, object]:
    """Return what is told only of an evaluation with --rerank or --html."""
    told: dict[str, object] = {}
    if judged.rescoring is not None:
        told |= {"reranker": judged.rescoring.reranker, "reranked": judged.reranked}
    if html is not None:
        told["html"] = str(html)
    return told


def _named(judged: Judged) -> str:
    """Return what says how probable a pair is."""
    if judged.rescoring is None:
        return judged.classifier.identity
    return f"{judged.classifier.identity}, {judged.reranked:,} pairs judged again by {judged.rescoring.reranker}"


def _print_clusters(found: ClusterEvaluation, against: str, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "n": found.n,
                "positives": found.positives,
                "prior": found.prior,
                "clusters": found.clusters,
                "pairwise": found.pairwise,
                "b_cubed": found.b_cubed,
                "intervals": {
                    "pairwise": _as_lists(found.pairwise_intervals),
                    "b_cubed": _as_lists(found.b_cubed_intervals),
                },
                "b_cubed_against": against,
            }
        )
        return
    click.echo(f"{found.clusters:,} clusters of two questions or more")
    click.echo(f"On {found.n:,} pairs, {found.positives:,} of them duplicates, at a prior of {found.prior:.3g}:")
    _print_scores(found.pairwise, found.pairwise_intervals)
    click.echo(f"B-cubed, against {against}:")
    _print_scores(found.b_cubed, found.b_cubed_intervals)


def _print_scores(scores: Mapping[str, float], intervals: Mapping[str, tuple[float, float]]) -> None:
    rows = table("score", "value>", "95% interval>")
    for name, score in scores.items():
        low, high = intervals[name]
        rows.add_row(name.replace("_", " "), f"{score:.4f}", f"{low:.4f} to {high:.4f}")
    print_table(rows)


def _as_lists(intervals: Mapping[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {name: list(interval) for name, interval in intervals.items()}
