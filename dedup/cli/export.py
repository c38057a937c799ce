"""`dedup export`: pairs, clusters, canonical questions or labels as a file."""

from __future__ import annotations

from pathlib import Path

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json
from dedup.settings import Resolved


@click.command()
@click.argument("what", type=click.Choice(["pairs", "clusters", "canonical", "labels"]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    metavar="P",
    help="Pairs: those at least this probable, recorded candidates included. [the threshold]",
)
@setting_options("db", "threshold")
@json_option
def export(what: str, file: Path, min_probability: float | None, resolved: Resolved, as_json: bool) -> None:
    """Write results to FILE (.csv, .jsonl or .parquet).

    pairs: the duplicate pairs. clusters: every question with its cluster, singletons too. canonical: one question of
    each cluster, the dump without its duplicates. labels: what reviewers agree on, to train or calibrate with.
    """
    from dedup.export import export_canonical, export_clusters, export_labels, export_pairs
    from dedup.in_service import settings_in_service
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        if what == "pairs":
            threshold = settings_in_service(store, resolved).threshold
            rows = export_pairs(store, file, threshold if min_probability is None else min_probability)
        elif what == "clusters":
            rows = export_clusters(store, file)
        elif what == "canonical":
            rows = export_canonical(store, file)
        else:
            rows = export_labels(store, file)
    if as_json:
        print_json({"what": what, "file": str(file), "rows": rows})
    else:
        click.echo(f"{rows:,} rows written to {file}")
