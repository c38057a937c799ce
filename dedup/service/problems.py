"""Errors as problem details (RFC 9457): every answer that is not a success has one shape.

``type`` is a stable name for programs, ``title`` says what kind of problem it is, ``detail`` what was found, what was
expected and what to do.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from dedup.errors import (
    AmbiguousQuestion,
    DedupError,
    KeyReused,
    NoGeneration,
    NoRoom,
    StoreError,
    UnknownQuestion,
    UnknownRecord,
)
from dedup.service.batching import QueueClosed, QueueFull

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:question-dedup:problem:"
_SOON = 1  # seconds after which a request that was refused for want of capacity may be sent again


class ProblemDetails(BaseModel):
    """A problem, after RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None


@dataclass
class Problem(Exception):
    """A problem to be told to the client; ``retry_after`` is in seconds."""

    status: int
    name: str
    detail: str
    retry_after: int | None = None
    headers: Mapping[str, str] | None = None

    @property
    def title(self) -> str:
        """What kind of problem it is."""
        return _TITLES.get(self.status, "Problem")

    def response(self, errors: list[dict[str, str]] | None = None) -> Response:
        """Return it as an answer."""
        headers = dict(self.headers or {})
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        details = ProblemDetails(
            type=_TYPE + self.name,
            title=self.title,
            status=self.status,
            detail=self.detail,
            errors=errors,
        )
        content = details.model_dump(exclude_none=True)
        return JSONResponse(content, self.status, headers, media_type=MEDIA_TYPE)


_TITLES = {
    400: "The request cannot be read",
    401: "A token is needed",
    403: "The token does not allow this",
    404: "Not found",
    405: "The resource has no such method",
    409: "The request conflicts with what is recorded",
    413: "The request is too large",
    415: "The body is of another type than is read here",
    421: "The request is for another host",
    422: "The request has values that it cannot have",
    429: "Too many requests",
    500: "An error of the service",
    503: "The service cannot answer now",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says of problems with these statuses."""
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {
        status: {"description": _TITLES[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses
    }


def problem_of(error: Exception) -> Problem:
    """Return an error as the problem that the client is told."""
    match error:
        case Problem():
            return error
        case AmbiguousQuestion():
            return Problem(409, "ambiguous", str(error))
        case UnknownQuestion() | UnknownRecord():
            return Problem(404, "not-found", str(error))
        case KeyReused():
            return Problem(409, "key-reused", str(error))
        case NoGeneration():
            return Problem(503, "not-ready", str(error), _SOON)
        case NoRoom():
            return Problem(503, "no-room", str(error), 60)
        case StoreError():
            log.error("%s", error)
            return Problem(503, "store", "the database does not answer; try again", _SOON)
        case DedupError():
            return Problem(422, "invalid", str(error))
        case QueueFull():
            return Problem(503, "overloaded", "as many queries wait as may; try again in a second", _SOON)
        case QueueClosed():
            return Problem(503, "stopping", "the service stops; try again in some seconds", 5)
        case TimeoutError():
            return Problem(503, "too-slow", "the query waited as long as it may; try again in a second", _SOON)
    log.error("an error that nobody foresaw", exc_info=error)
    return Problem(500, "internal", "an error that nobody foresaw; the log of the service says more")


def handle_problems(app: FastAPI) -> None:
    """Make every error of an application a problem."""
    foreseen = (Problem, DedupError, QueueFull, QueueClosed, TimeoutError, Exception)
    for kind in foreseen:
        app.add_exception_handler(kind, _told)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_http)


async def _told(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


async def _invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # What was given is left out: it may be a question, and may be no Unicode.
    errors = [
        {"where": _storable(".".join(map(str, each["loc"]))), "what": _storable(each["msg"])} for each in error.errors()
    ]
    first = errors[0] if errors else {"where": "the request", "what": "it cannot be read"}
    return Problem(422, "invalid", f"{first['where']}: {first['what']}; mend the request").response(errors)


async def _of_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    names = {413: "too-large", 404: "not-found", 405: "method", 400: "unreadable", 415: "media-type"}
    detail = {
        404: "nothing is at this path; /openapi.json lists what there is",
        405: "this path has no such method; /openapi.json lists those it has",
        400: "the body cannot be read; expected JSON",
    }.get(error.status_code, str(error.detail))
    name = names.get(error.status_code, "http")
    return Problem(error.status_code, name, detail, headers=error.headers).response()


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
