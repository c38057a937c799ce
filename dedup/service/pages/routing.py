"""Errors as pages: who is not known is sent to the login, everything else is told in words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from dedup.errors import DedupError
from dedup.service.batching import QueueClosed, QueueFull
from dedup.service.pages.rendering import render_problem
from dedup.service.pages.sessions import FORGED
from dedup.service.problems import Problem, problem_of


class PageRoute(APIRoute):
    """A route whose errors are pages; a form that is not ours is refused as a problem document, as in the API."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request; see FastAPI, "Custom Request and APIRoute class"."""
        answer = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await answer(request)
            except RequestValidationError:
                problem = Problem(404, "not-found", "nothing is at this address; go back, or begin at the search")
            except (Problem, DedupError, QueueFull, QueueClosed, TimeoutError) as error:
                problem = problem_of(error)
            if problem.name == FORGED:
                raise problem
            if problem.status == 401:
                return see_other(f"/login?to={quote(request.url.path)}" if request.method == "GET" else "/login")
            return render_problem(request, problem)

        return answered


def see_other(address: str) -> Response:
    """Return the answer to a form that was taken: look there now."""
    return RedirectResponse(address, status_code=303)
