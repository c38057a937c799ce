"""The book of runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import Response

from dedup.service.access import Reader
from dedup.service.lists import JSON, Accept, Cursor, Key, Limit, also_as_rows, answer_list
from dedup.service.problems import documented
from dedup.service.routes.state import TheService
from dedup.service.schemas import Page, RunRow
from dedup.store import RunRecord

router = APIRouter(prefix="/v1/runs", tags=["runs"], responses=documented(401, 403, 422, 429, 500, 503))


@router.get("", summary="Runs", response_model=Page[RunRow], responses=also_as_rows())
def runs(
    caller: Reader, service: TheService, limit: Limit = 50, cursor: Cursor = None, accept: Accept = JSON
) -> Page[RunRow] | Response:
    """List runs, the newest first, a page at a time, or all of them as CSV or JSON lines."""

    def page(before: Key | None) -> tuple[list[RunRow], Key | None]:
        found = service.store.run_page(limit, before=None if before is None else int(before[0]))
        return [_row(run) for run in found], (found[-1].id,) if len(found) == limit else None

    return answer_list(page, cursor, accept, length=1)


@router.get("/{run}", summary="A run", responses=documented(404))
def run(run: Annotated[int, Path(ge=0, lt=2**31)], caller: Reader, service: TheService) -> RunRow:
    """Return a run, as it is on record."""
    return _row(service.store.run(run))


def _row(run: RunRecord) -> RunRow:
    return RunRow(
        run=run.id,
        kind=run.kind,
        state=run.state,
        started_at=run.started_at,
        finished_at=run.finished_at,
        generation=run.generation,
        metric=run.metric,
        threshold=run.threshold,
        error=run.error,
        counts=dict(run.counts),
        seconds=dict(run.seconds),
    )
