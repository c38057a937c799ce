"""Logging in and out, and the files that pages load."""

from __future__ import annotations

from datetime import timedelta

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import Response

from dedup.service.access import Gate
from dedup.service.pages.rendering import FILES, address, file, render
from dedup.service.pages.routing import PageRoute, see_other
from dedup.service.pages.sessions import LIFETIME, Anyone, new_secret, remember
from dedup.service.problems import Problem
from dedup.service.routes.state import TheService

router = APIRouter(route_class=PageRoute, include_in_schema=False)

_FOR_EVER = "public, max-age=31536000, immutable"


@router.get("/login")
def login(request: Request, visit: Anyone, to: str = "/") -> Response:
    """Ask for a token."""
    if not visit.needs_login:
        return see_other("/")
    return render(request, visit, "login", to=_own_path(to), problem=None)


@router.post("/login")
async def log_in(request: Request, visit: Anyone, service: TheService) -> Response:
    """Begin a session, with a new secret: one that somebody planted before is worth nothing afterwards."""
    gate: Gate = request.app.state.gate
    to = _own_path(visit.text("to"))
    peer = request.client.host if request.client else ""
    try:
        token = await run_sync(gate.log_in, visit.text("token").strip(), peer)
    except Problem as problem:
        return render(request, visit, "login", status=problem.status, to=to, problem=problem)
    secret = await run_sync(service.store.open_session, token, LIFETIME)
    response = see_other(to)
    remember(response, request, secret, LIFETIME)
    return response


@router.post("/logout")
async def log_out(request: Request, visit: Anyone, service: TheService) -> Response:
    """End the session."""
    gate: Gate = request.app.state.gate
    token = await run_sync(service.store.session_token, visit.secret)
    if token is not None:
        await run_sync(lambda: service.store.close_session(visit.secret, actor=token.actor))
    gate.forget_session(visit.secret)
    response = see_other("/login")
    remember(response, request, new_secret(), timedelta(0))
    return response


@router.get("/static/{version}/{name}")
def static(version: str, name: str) -> Response:
    """Return a file that pages load; its address changes with it."""
    if name not in FILES or address(name) != f"/static/{version}/{name}":
        raise Problem(404, "not-found", "no such file is there; load the page again")
    return Response(file(name), media_type=FILES[name], headers={"Cache-Control": _FOR_EVER})


def _own_path(to: str) -> str:
    """Return a path of ours to go to, and the start in the place of any other address."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"
