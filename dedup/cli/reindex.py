"""`dedup reindex` and `dedup delete`: what is new, changed or gone, brought in line with what is in service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dedup.cli.options import OF_DUMPS, OF_JOBS, json_option, setting_options, threshold_options, wait_option
from dedup.cli.output import print_json
from dedup.cli.progress import shown_progress
from dedup.errors import ExitCode
from dedup.interruption import interruptible
from dedup.settings import Resolved, Settings

if TYPE_CHECKING:
    from dedup.pipeline import ReindexResult
    from dedup.removal import Removal


@click.command()
@click.argument("dumps", metavar="[DUMP...]", nargs=-1)
@click.option("--complete", is_flag=True, help="The dumps are whole: questions of their sources that they lack go.")
@click.option(
    "--deletions",
    type=click.Path(path_type=Path, dir_okay=False, exists=True, allow_dash=True),
    help="A file of ids to delete, one a line; those that are not on record are passed over.",
)
@setting_options(*OF_JOBS, "compact_share", *OF_DUMPS)
@threshold_options
@wait_option
@json_option
@click.pass_context
def reindex(
    context: click.Context,
    dumps: tuple[str, ...],
    complete: bool,
    deletions: Path | None,
    resolved: Resolved,
    at_threshold: Callable[[Settings], Settings],
    wait: int,
    as_json: bool,
) -> None:
    """Take in what is new, changed or gone since the last run, going on from its results.

    DUMP is as for `dedup run`; a question is known by its id, and has changed where its text has. Without a dump,
    questions that were recorded and not yet compared are. Encoder, metric, threshold and the like are those of the last
    run, where nothing else is said. The pairs and clusters are those that `dedup run` would find.

    Exits with 3 where there was nothing to do.
    """
    from dedup.removal import NOTHING_REMOVED, Removal, ids_in_file

    if complete and not dumps:
        raise click.UsageError("--complete says that the dumps are whole; give them", context)
    removal = NOTHING_REMOVED if deletions is None else Removal(ids_in_file(deletions), _source(resolved))
    result = _reindexed(dumps, resolved, at_threshold, complete=complete, removal=removal, wait=wait)
    _show(result, as_json)
    if result.summary.nothing_to_do:
        context.exit(ExitCode.NOTHING_TO_DO)


@click.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@setting_options(*OF_JOBS, "compact_share")
@threshold_options
@wait_option
@json_option
def delete(
    ids: tuple[str, ...], resolved: Resolved, at_threshold: Callable[[Settings], Settings], wait: int, as_json: bool
) -> None:
    """Delete recorded questions by their ids, with their pairs, and bring the clusters in line.

    An id that is in several sources needs --source. Where one is not on record, nothing is deleted.
    """
    from dedup.removal import Removal

    removal = Removal(ids, _source(resolved), strict=True)
    _show(_reindexed((), resolved, at_threshold, complete=False, removal=removal, wait=wait), as_json)


def _source(resolved: Resolved) -> str | None:
    return None if resolved.origin["source"] == "default" else resolved.settings.source


def _reindexed(
    dumps: tuple[str, ...],
    resolved: Resolved,
    at_threshold: Callable[[Settings], Settings],
    *,
    complete: bool,
    removal: Removal,
    wait: int,
) -> ReindexResult:
    from dedup.in_service import settings_to_go_on
    from dedup.pipeline import reindex as reindex_pipeline
    from dedup.store import Store
    from dedup.update import PUBLISHING

    with Store.open(resolved.settings.db) as store:
        settings = at_threshold(settings_to_go_on(store, resolved))
    with interruptible(shown_progress(), until=PUBLISHING) as progress:
        return reindex_pipeline(dumps, settings, complete=complete, removal=removal, wait=wait, progress=progress)


def _show(result: ReindexResult, as_json: bool) -> None:
    done, ingested = result.summary, result.ingested
    if as_json:
        print_json(asdict(done))
        return
    click.echo(
        f"Run {done.run_id}, {done.seconds:.1f} s, {done.peak_memory_bytes / 1e6:,.0f} MB: "
        f"{done.read:,} rows read, {done.added:,} new questions, "
        f"{done.changed:,} changed, {done.deleted:,} deleted, {done.rejected:,} rejected."
    )
    for reason, count in ingested.rejected.items():
        click.echo(f"  {count:,} x {reason}")
    if ingested.rejects_file:
        click.echo(f"  The rejected rows are kept in {ingested.rejects_file}.")
    if done.nothing_to_do:
        click.echo("Nothing to do: pairs, clusters and index are those of the last run.")
        return
    click.echo(f"On record: {done.questions:,} questions,")
    click.echo(
        f"  {done.duplicate_pairs:>12,}  duplicate pairs: {done.new_duplicates:,} new, {done.lost_duplicates:,} lost"
    )
    click.echo(
        f"  {done.clusters:>12,}  clusters of two questions or more: {done.merged_clusters:,} merged, "
        f"{done.split_clusters:,} split"
    )
    click.echo(
        f"Compared: {done.compared:,} texts with all others; recall {done.recall:.4f}; the index was "
        f"{'built anew' if done.compacted else 'amended'}"
    )
    click.echo(f"Report: {result.report}")
    click.echo("Next: `dedup diff` shows what is otherwise than after the run before")
