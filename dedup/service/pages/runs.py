"""The book of runs, and the report of each."""

from __future__ import annotations

from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse, Response

from dedup.errors import UnknownRecord
from dedup.service.pages.rendering import render
from dedup.service.pages.routing import PageRoute
from dedup.service.pages.sessions import ReaderVisit
from dedup.service.routes.state import TheService

router = APIRouter(prefix="/runs", route_class=PageRoute, include_in_schema=False)

_ON_A_PAGE = 25
Id = Annotated[int, Path(ge=0, lt=2**31)]

# A report brings its style with it, and nothing else.
_REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"


@router.get("")
def runs(
    request: Request,
    visit: ReaderVisit,
    service: TheService,
    before: Annotated[int | None, Query(ge=0, lt=2**31)] = None,
) -> Response:
    """List runs, the newest first."""
    found = service.store.run_page(_ON_A_PAGE + 1, before=before)
    shown = found[:_ON_A_PAGE]
    following = shown[-1].id if len(found) > len(shown) else None
    return render(request, visit, "runs", runs=shown, following=following, is_first=before is None)


@router.get("/{run}")
def run(request: Request, run: Id, visit: ReaderVisit, service: TheService) -> Response:
    """Show what is on record of a run."""
    found = service.store.run(run)
    in_service = service.store.in_service()
    return render(
        request,
        visit,
        "run",
        run=found,
        has_report=found.report is not None and File(found.report).is_file(),
        in_service=in_service is not None and in_service.run.id == run,
    )


@router.get("/{run}/report")
def report(run: Id, visit: ReaderVisit, service: TheService) -> Response:
    """Give the report of a run as it was written."""
    written = service.store.run(run).report
    if written is None or not (file := File(written)).is_file():
        raise UnknownRecord(f"run {run} has no report; those past their time are removed")
    return FileResponse(file, media_type="text/html", headers={"Content-Security-Policy": _REPORT_POLICY})
