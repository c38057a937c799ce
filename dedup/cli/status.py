"""`dedup status`: what is recorded and what is in service."""

from __future__ import annotations

from dataclasses import asdict

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json
from dedup.settings import Resolved


@click.command()
@setting_options("db", "indexes")
@json_option
def status(resolved: Resolved, as_json: bool) -> None:
    """Show the database, the generation in service, the counts and the last run."""
    from dedup.in_service import settings_in_service
    from dedup.store import HEAD, Store

    with Store.open(resolved.settings.db, create=False) as store:
        threshold = settings_in_service(store, resolved).threshold
        counts = asdict(store.counts(threshold))
        published, last = store.published_generation(), store.last_run()
        encoder = store.encoder(published.encoder_id) if published else None
        shown = {
            "database": store.display_url,
            "revision": HEAD,  # a store of another revision is not opened
            "sources": store.sources(),
            **counts,
            "threshold": threshold,
            "generation": None
            if published is None or encoder is None
            else {
                "name": published.name,
                "folder": str(resolved.settings.indexes / published.name),
                "present": (resolved.settings.indexes / published.name).is_dir(),
                "published_at": published.published_at.isoformat() if published.published_at else None,
                "encoder": encoder.name,
                "fingerprint": encoder.fingerprint,
                "metric": str(published.metric),
                "kind": published.kind,
                "vectors": published.vectors,
                "recall": published.recall,
            },
            "last_run": None
            if last is None
            else {
                "run_id": last.id,
                "state": str(last.state),
                "started_at": last.started_at.isoformat(),
                "finished_at": last.finished_at.isoformat() if last.finished_at else None,
                "error": last.error,
                "report": last.report,
            },
        }
    if as_json:
        print_json(shown)
        return
    for name, value in shown.items():
        label = name.replace("_", " ")
        if isinstance(value, dict):
            click.echo(f"{label}:")
            for inner, of_it in value.items():
                click.echo(f"  {inner.replace('_', ' '):<16} {_plain(of_it)}")
        else:
            click.echo(f"{label:<18} {_plain(value)}")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else str(value)
