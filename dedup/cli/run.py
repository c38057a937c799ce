"""`dedup run`: dumps in, duplicates recorded and clusters out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.pipeline import RunResult


@click.command()
@click.argument("dumps", metavar="DUMP...", nargs=-1, required=True)
@click.option("--format", "dump_format", metavar="FORMAT", help="Read the dumps as this format. [found out]")
@click.option("--id-column", metavar="NAME", help="The column of the questions' ids. [found by usual names]")
@click.option("--text-column", metavar="NAME", help="The column of the questions' texts. [found by usual names]")
@click.option("--with-body", is_flag=True, help="Posts.xml: compare title and body, not the title alone.")
@click.option(
    "--on-error",
    type=click.Choice(["reject", "stop"]),
    default="reject",
    show_default=True,
    help="Set a row at fault aside, counted and kept in a rejects file, or stop at it.",
)
@setting_options(
    "db",
    "indexes",
    "reports",
    "source",
    "encoder",
    "metric",
    "threshold",
    "candidate_floor",
    "cluster_floor",
    "index",
    "recall_floor",
    "batch_size",
    "max_bytes",
)
@json_option
def run(
    dumps: tuple[str, ...],
    dump_format: str | None,
    id_column: str | None,
    text_column: str | None,
    with_body: bool,
    on_error: str,
    resolved: Resolved,
    as_json: bool,
) -> None:
    """Find the duplicates among the questions of some dumps and those recorded before.

    DUMP is a CSV, TSV, JSONL or Parquet file, a Stack Exchange Posts.xml, or a file of labelled pairs, plain or
    compressed (.gz .bz2 .xz .zst .7z); - is standard input. A PostLinks.xml is read as labels.
    """
    from dedup.dumps import DumpOptions
    from dedup.ingest import OnError
    from dedup.pipeline import run as run_pipeline

    settings = resolved.settings
    options = DumpOptions(
        source=settings.source,
        format=dump_format,
        id_column=id_column,
        text_column=text_column,
        with_body=with_body,
        max_bytes=settings.max_bytes or None,
    )
    result = run_pipeline(dumps, settings, options, on_error=OnError(on_error), progress=shown_progress())
    if as_json:
        print_json(asdict(result.summary))
    else:
        _print(result)


def _print(result: RunResult) -> None:
    done = result.summary
    click.echo(f"Run {done.run_id}: {done.read:,} questions read in {done.seconds:.1f} s.")
    if result.reused:
        click.echo("Nothing has changed since the last run: its pairs, clusters and index stand.")
    click.echo(
        f"  {done.exact_duplicates:>12,}  exact duplicates (equal once case, punctuation and spaces are set aside)"
    )
    click.echo(f"  {done.duplicate_pairs:>12,}  duplicate pairs, of {done.candidate_pairs:,} candidates compared")
    click.echo(f"  {done.clusters:>12,}  clusters of two questions or more")
    if done.rejected:
        click.echo(f"  {done.rejected:>12,}  rows rejected, kept in {result.ingested.rejects_file}:")
        for reason, count in result.ingested.rejected.items():
            click.echo(f"  {'':>12}  {count:,} x {reason}")
    click.echo(f"Report: {result.report}")
    click.echo(f"Database: {done.database}")
    click.echo('Next: `dedup clusters`, `dedup query "a question"`, `dedup export clusters clusters.csv`')
