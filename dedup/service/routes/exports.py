"""Everything that was found, as a file: what `dedup export` writes."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, BinaryIO

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response, StreamingResponse

from dedup.export import export_canonical, export_clusters, export_labels, export_pairs
from dedup.service.access import Reader
from dedup.service.lists import CSV, JSON_LINES, preferred
from dedup.service.problems import Problem, documented
from dedup.service.routes.state import TheService
from dedup.store import Store

router = APIRouter(prefix="/v1/exports", tags=["exports"], responses=documented(401, 403, 422, 429, 500, 503))

_SUFFIXES = {CSV: ".csv", JSON_LINES: ".jsonl"}
_READ = 1 << 16  # bytes sent at once
_one_at_a_time = threading.Lock()  # each reads everything, beside the queries


class Export(StrEnum):
    """What is exported."""

    PAIRS = "pairs"
    CLUSTERS = "clusters"
    CANONICAL = "canonical"
    LABELS = "labels"


@router.get(
    "/{what}",
    summary="Everything that was found",
    response_class=Response,
    responses={200: {"content": {kind: {"schema": {"type": "string"}} for kind in _SUFFIXES}}},
)
def export(
    what: Export,
    caller: Reader,
    service: TheService,
    min_probability: Annotated[
        float | None, Query(ge=0, le=1, description="Pairs: those at least this probable; by default duplicates.")
    ] = None,
    accept: Annotated[str, Header(description=f"{CSV} or {JSON_LINES}.")] = CSV,
) -> Response:
    """Return the duplicate pairs, every question with its cluster, the canonical questions, or the labels.

    Of one state of the database, whatever is recorded meanwhile: it is written to a file that has no name any more when
    it is sent, so that a client that reads slowly holds up nobody.
    """
    threshold = service.snapshot.settings.threshold if min_probability is None else min_probability
    kind = preferred(accept, tuple(_SUFFIXES))
    if not _one_at_a_time.acquire(blocking=False):
        raise Problem(503, "exporting", "another export is being written; try again in some seconds", 5)
    try:
        with TemporaryDirectory(prefix="dedup-export-") as folder:
            path = Path(folder) / f"{what}{_SUFFIXES[kind]}"
            _write(service.store, what, path, threshold)
            file = path.open("rb")
    finally:
        _one_at_a_time.release()
    headers = {
        "Content-Disposition": f'attachment; filename="{path.name}"',
        "Content-Length": str(os.fstat(file.fileno()).st_size),
    }
    return StreamingResponse(_sent(file), media_type=f"{kind}; charset=utf-8", headers=headers)


def _write(store: Store, what: Export, path: Path, threshold: float) -> None:
    match what:
        case Export.PAIRS:
            export_pairs(store, path, threshold)
        case Export.CLUSTERS:
            export_clusters(store, path)
        case Export.CANONICAL:
            export_canonical(store, path)
        case Export.LABELS:
            export_labels(store, path)


def _sent(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while some := file.read(_READ):
            yield some
