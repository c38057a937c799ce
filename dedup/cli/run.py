"""`dedup run`: dumps in, duplicates recorded and clusters out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dedup.cli.options import OF_DUMPS, OF_JOBS, json_option, setting_options, threshold_options, wait_option
from dedup.cli.output import print_json
from dedup.cli.progress import shown_progress
from dedup.interruption import interruptible
from dedup.settings import Resolved, Settings

if TYPE_CHECKING:
    from dedup.pipeline import RunResult


@click.command()
@click.argument("dumps", metavar="DUMP...", nargs=-1, required=True)
@setting_options(*OF_JOBS, *OF_DUMPS)
@threshold_options
@wait_option
@json_option
def run(
    dumps: tuple[str, ...], resolved: Resolved, at_threshold: Callable[[Settings], Settings], wait: int, as_json: bool
) -> None:
    """Find the duplicates among the questions of some dumps and those recorded before.

    DUMP is a CSV, TSV, JSONL or Parquet file, a Stack Exchange Posts.xml, or a file of labelled pairs, plain or
    compressed (.gz .bz2 .xz .zst .7z); - is standard input. A PostLinks.xml is read as labels.

    Ctrl-C and SIGTERM stop it after the batch under way; run again, it goes on from there.
    """
    from dedup.pipeline import run as run_pipeline
    from dedup.update import PUBLISHING

    settings = at_threshold(resolved.settings)
    with interruptible(shown_progress(), until=PUBLISHING) as progress:
        result = run_pipeline(dumps, settings, wait=wait, progress=progress)
    if as_json:
        print_json(asdict(result.summary))
    else:
        _print(result)


def _print(result: RunResult) -> None:
    done = result.summary
    ingested = result.ingested
    click.echo(
        f"Run {done.run_id}, {done.seconds:.1f} s, {result.peak_memory_bytes / 1e6:,.0f} MB: "
        f"{done.read:,} rows read, {ingested.added:,} new questions, "
        f"{ingested.changed:,} changed, {ingested.repeated:,} known, {done.rejected:,} rejected; "
        f"{ingested.labels:,} new labels."
    )
    for reason, count in ingested.rejected.items():
        click.echo(f"  {count:,} x {reason}")
    if ingested.rejects_file:
        click.echo(f"  The rejected rows are kept in {ingested.rejects_file}.")
    if ingested.changed:
        click.echo(
            f"  {ingested.changed:,} recorded questions had another text under the same id, and have the new one now; "
            "if this dump is of another site, give it a --source of its own."
        )
    if result.reused:
        click.echo("Nothing has changed since the last run: its pairs, clusters and index stand.")
    click.echo(f"On record: {result.questions:,} questions,")
    click.echo(
        f"  {done.exact_duplicates:>12,}  exact duplicates (equal once case, punctuation and spaces are set aside)"
    )
    click.echo(f"  {done.duplicate_pairs:>12,}  duplicate pairs, of {done.candidate_pairs:,} candidates")
    if done.reranked:
        click.echo(f"  {done.reranked:>12,}  uncertain pairs were judged again by the reranker")
    click.echo(f"  {done.clusters:>12,}  clusters of two questions or more")
    click.echo(f"Report: {result.report}")
    click.echo(f"Database: {done.database}")
    click.echo('Next: `dedup clusters`, `dedup query "a question"`, `dedup export clusters clusters.csv`')
