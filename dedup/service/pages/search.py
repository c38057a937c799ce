"""Search as you type, for whether a question was asked before."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from dedup.service.pages.rendering import render
from dedup.service.pages.routing import PageRoute
from dedup.service.pages.sessions import ReaderVisit
from dedup.service.routes.queries import answer_all
from dedup.service.routes.state import TheMeasures, TheService
from dedup.service.schemas import QueryIn

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_SHOWN = 8  # matches


@router.get("/")
def search(request: Request, visit: ReaderVisit) -> Response:
    """Ask for a question."""
    return render(request, visit, "search", text="", answer=None, fault="")


@router.post("/")
async def found(request: Request, visit: ReaderVisit, service: TheService, measures: TheMeasures) -> Response:
    """Show what is nearest to a question; not in an address, which others keep, but in a form."""
    text = visit.text("text")
    if not text.strip():
        return render(request, visit, "search", text="", answer=None, fault="")
    try:
        asked = QueryIn(text=text, k=_SHOWN)
    except ValidationError as error:
        fault = error.errors()[0]["msg"].removeprefix("Value error, ")
        return render(request, visit, "search", text=text, answer=None, fault=fault, status=422)
    (answer,) = await answer_all([asked], service, measures)
    return render(request, visit, "search", text=text, answer=answer, fault="")
