"""`dedup status`: what is recorded and what is in service."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json
from dedup.errors import EncoderError
from dedup.settings import Resolved


@click.command()
@setting_options("db", "indexes")
@json_option
def status(resolved: Resolved, as_json: bool) -> None:
    """Show what is recorded, the generation in service, what is pending, and the runs."""
    from dedup.in_service import settings_in_service
    from dedup.jobs import last_run
    from dedup.store import HEAD, RunState, Store

    with Store.open(resolved.settings.db, create=False) as store:
        threshold = settings_in_service(store, resolved).threshold
        counts = asdict(store.counts(threshold))
        service, published = store.in_service(), store.published_generation()
        encoder = store.encoder(published.encoder_id) if published else None
        last, holder = last_run(store, resolved.settings)
        done, failed = store.last_run(RunState.DONE), store.last_run(RunState.FAILED)
        if last is not None and last.state is RunState.FAILED:
            failed = last
        name = encoder.name if encoder else resolved.settings.encoder
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
                "pair_recall": service.run.counts.get("pair_recall") if service else None,
                "age_seconds": _seconds_since(published.published_at),
                "current": service is not None and service.current,
            },
            "results_of_run": service.results_of_run if service else None,
            "drift": service.run.counts.get("drift", []) if service else [],
            "encoding": _encoding(name),
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
            "last_success": None
            if done is None
            else {"run_id": done.id, "finished_at": done.finished_at.isoformat() if done.finished_at else None},
            "last_error": None
            if failed is None
            else {
                "run_id": failed.id,
                "finished_at": failed.finished_at.isoformat() if failed.finished_at else None,
                "error": failed.error,
            },
            "pending_questions": store.pending_questions(),
            "job": None
            if holder is None
            else {
                "command": holder.command,
                "pid": holder.pid,
                "host": holder.host,
                "since": holder.since.isoformat() if holder.since else None,
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


def _seconds_since(then: datetime | None) -> float | None:
    return None if then is None else round((datetime.now(UTC) - then).total_seconds(), 1)


def _encoding(name: str) -> dict[str, str]:
    """Return what runs the encoder here, and why; one that is gone is no reason not to show the rest."""
    from dedup.encoders import runtime_of

    try:
        return {"encoder": name, **asdict(runtime_of(name))}
    except EncoderError as error:
        return {"encoder": name, "runtime": "none", "precision": "none", "reason": str(error)}


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "none" if value is None else str(value)
