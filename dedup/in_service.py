"""The settings of the result in service, for those who read it."""

from __future__ import annotations

import logging
from dataclasses import replace

from dedup.settings import Resolved, Settings
from dedup.store import Store

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
        log.warning("questions were recorded since the last complete run; `dedup run` brings the results up to date")
    run = service.run.settings
    recorded = {
        "encoder": run["encoder"],
        "rerank": run.get("rerank", False),  # older runs knew of none
        "reranker": run.get("reranker", resolved.settings.reranker),
        "prior": (service.run.classifier or {}).get("prior"),
        "metric": service.generation.metric,
        "threshold": service.run.threshold,
    }
    unset = {name: value for name, value in recorded.items() if resolved.origin[name] == "default"}
    if "threshold" in unset:
        unset |= {name: run[name] for name in ("candidate_floor", "cluster_floor")}
    return replace(resolved.settings, **unset)
