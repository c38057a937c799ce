"""The settings of the result in service, for those who read it or go on from it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dedup.settings import IndexKind, Resolved, Settings
from dedup.store import InService, Store

log = logging.getLogger(__name__)


def settings_in_service(store: Store, resolved: Resolved) -> Settings:
    """Return the settings with which to read results: what the user did not set is as the run had it that made them.

    So `dedup run --metric manhattan` is followed by a plain `dedup query`; what the user does set stays, and is refused
    where it does not fit the generation.
    """
    service = store.in_service()
    if service is None:
        return resolved.settings
    if not service.current:
        log.warning("questions came or went since the last run; `dedup reindex` brings the results up to date")
    return _as_recorded(service, resolved, {"prior": (service.run.classifier or {}).get("prior")})


def settings_to_go_on(store: Store, resolved: Resolved) -> Settings:
    """Return the settings of a reindex: what the user did not set is as the last run had it."""
    service = store.in_service()
    if service is None:
        return resolved.settings
    run = service.run.settings
    taken_over = {name: run.get(name, getattr(resolved.settings, name)) for name in ("prior", "recall_floor")}
    taken_over["index"] = index_as_built(store, service)
    return _as_recorded(service, resolved, taken_over)


def index_as_built(store: Store, service: InService) -> IndexKind:
    """Return the kind of index that the run in service was told to build.

    Where its vectors were in PostgreSQL, and a backup was restored into SQLite, what fits the corpus.
    """
    kind = IndexKind(service.run.settings["index"])
    return IndexKind.AUTO if kind is IndexKind.PGVECTOR and not store.takes_vectors else kind


def _as_recorded(service: InService, resolved: Resolved, others: Mapping[str, Any]) -> Settings:
    run = service.run.settings
    recorded = {
        "encoder": run["encoder"],
        "rerank": run.get("rerank", False),  # older runs knew of none
        "reranker": run.get("reranker", resolved.settings.reranker),
        "metric": service.generation.metric,
        "threshold": service.run.threshold,
        **others,
    }
    unset = {name: value for name, value in recorded.items() if resolved.origin[name] == "default"}
    if "threshold" in unset:
        unset |= {name: run[name] for name in ("candidate_floor", "cluster_floor")}
    return replace(resolved.settings, **unset)
