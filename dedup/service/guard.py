"""Around every request: what is refused before it is read, what is measured, logged and added to every answer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dedup.service.access import Gate, is_loopback
from dedup.service.batching import QueueFull
from dedup.service.engine import Limits
from dedup.service.measures import Measures
from dedup.service.problems import Problem, problem_of

log = logging.getLogger(__name__)

_ALWAYS = ("/healthz", "/readyz")  # answered however much is under way: a busy service is alive
_QUEUED = ("/v1/query", "/v1/query/batch")
_SAFE = ("GET", "HEAD", "OPTIONS")
_HEADERS = {
    # Nothing from elsewhere, no script or style but our own files, no frame, no form that goes elsewhere.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware; the outermost."""

    def __init__(
        self, app: ASGIApp, *, gate: Gate, limits: Limits, measures: Measures, is_full: Callable[[], bool]
    ) -> None:
        self._app = app
        self._is_full = is_full
        self._gate = gate
        self._limits = limits
        self._measures = measures
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request; see ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        self._under_way += 1
        try:
            self._refuse(scope)
            await self._app(scope, _bounded(receive, self._limits.body_bytes), sent)
        except Problem as problem:
            await problem.response()(scope, receive, sent)
        except Exception as error:
            if status != 500:  # the answer has begun: nothing can be said any more
                raise
            await problem_of(error).response()(scope, receive, sent)
        finally:
            self._under_way -= 1
            seconds = time.perf_counter() - start
            route = getattr(scope.get("route"), "path", "none")
            self._measures.count_request(_method(scope), route, status, seconds)
            # The route, not the path, and no query string: either may hold a question.
            log.info("%s %s %d in %.1f ms", _method(scope), route, status, 1000 * seconds)

    def _refuse(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._under_way > self._limits.requests and scope["path"] not in _ALWAYS:
            raise Problem(503, "overloaded", f"{self._limits.requests} requests are under way; try again", 1)
        if scope["path"] in _QUEUED and self._is_full():  # before it costs those who wait any time
            raise problem_of(QueueFull())
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._limits.body_bytes:
            raise _too_large(self._limits.body_bytes)
        if self._gate.is_open:
            _refuse_other_sites(headers, scope["method"])


def _refuse_other_sites(headers: Headers, method: str) -> None:
    """Refuse what a page of another site sends through a browser of this machine, while no token is needed.

    Such a page may name this machine by a host of its own (DNS rebinding), or send a form.
    """
    host = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    if not is_loopback(host):
        raise Problem(421, "host", "without a token the service answers to localhost alone; `dedup token create`")
    origin = headers.get("origin")
    if origin is not None and method not in _SAFE and urlsplit(origin).netloc != headers.get("host"):
        raise Problem(403, "origin", "the request comes from a page of another site; send it from here")


def _bounded(receive: Receive, most: int) -> Receive:
    """Return a ``receive`` that raises HTTPException once the body is longer than ``most`` bytes."""
    read = 0

    async def bounded() -> Message:
        nonlocal read
        message = await receive()
        if message["type"] == "http.request":
            read += len(message.get("body", b""))
            if read > most:  # FastAPI makes any other exception one of a body that cannot be read
                raise HTTPException(413, _too_large(most).detail)
        return message

    return bounded


def _too_large(most: int) -> Problem:
    return Problem(413, "too-large", f"a body may have {most:,} bytes; send less at once")


def _method(scope: Scope) -> str:
    known: Sequence[str] = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"
