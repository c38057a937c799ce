"""Who looks at a page: known by a cookie; and what they send is taken only from a form that we gave them.

The cookie holds a random secret. Once there are tokens it must be that of a session (`dedup.store.sessions`); before,
it only ties a browser to its forms. Every form carries a code that follows from the secret, and that no other site can
know (OWASP, "Cross-Site Request Forgery Prevention", signed double submit): SameSite alone would leave it to browsers.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qs

from anyio.to_thread import run_sync
from fastapi import Depends, Request
from fastapi.responses import Response

from dedup.service.access import Caller, Gate
from dedup.service.problems import Problem
from dedup.store import Scope

COOKIE = "dedup_session"
LIFETIME = timedelta(hours=12)
"""For which a login is good."""

CODE = "code"
"""The field of a form, and ``X-Form-Code`` the header, that says the form is ours."""

_CODE_HEADER = "x-form-code"
_SECRET_BYTES = 32
_MOST_FIELDS = 10_000


@dataclass(frozen=True, slots=True)
class Visit:
    """A browser at a page: ``caller`` is None where nobody had to be known."""

    caller: Caller | None
    secret: str
    is_new: bool  # the browser does not have the secret yet
    needs_login: bool  # there are tokens
    form: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def code(self) -> str:
        """What every form of this browser carries."""
        return hmac.digest(self.secret.encode(), b"form", hashlib.sha256).hex()

    @property
    def actor(self) -> str:
        """Who looks."""
        return "" if self.caller is None else self.caller.actor

    def may(self, scope: str) -> bool:
        """Whether they may do what needs a scope."""
        return self.caller is not None and self.caller.may(Scope(scope))

    def text(self, name: str) -> str:
        """Return a field of the form; empty where it has none."""
        return next(iter(self.form.get(name, ())), "")

    def number(self, name: str) -> int:
        """Return a field of the form that is a whole number; Problem where it is none, or of more than 63 bits."""
        return whole_number(name, self.text(name))

    def numbers(self, name: str) -> list[int]:
        """Return a field of the form that may come several times, each a whole number, without repetition."""
        return sorted({whole_number(name, value) for value in self.form.get(name, ())})


def whole_number(name: str, value: str) -> int:
    """Return the number that a field holds; Problem where it holds none, or one of more than 63 bits."""
    if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) < 2**63):
        raise Problem(422, "invalid", f"{name}: {value[:40]!a} is no whole number; mend the form")
    return int(value)


def remember(response: Response, request: Request, secret: str, lifetime: timedelta | None = None) -> None:
    """Have the browser keep a secret, where no script and no other site can use it."""
    response.set_cookie(
        COOKIE,
        secret,
        max_age=None if lifetime is None else int(lifetime.total_seconds()),
        path="/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def new_secret() -> str:
    """Return a secret that ties a browser to its forms."""
    return secrets.token_urlsafe(_SECRET_BYTES)


async def anyone(request: Request) -> Visit:
    """Return the visit of somebody who needs not be known; a form they send must be ours."""
    gate: Gate = request.app.state.gate
    kept = request.cookies.get(COOKIE)
    is_open = await run_sync(lambda: gate.is_open)
    visit = Visit(None, kept or new_secret(), kept is None, not is_open, await _form(request))
    _require_own_form(request, visit)
    return visit


def visiting(scope: Scope) -> Callable[..., object]:
    """Return a dependency that gives the `Visit` of somebody who may do what needs ``scope``.

    What they send must come from a form of ours: else it is a problem, 403.
    """

    async def admitted(request: Request, visit: Annotated[Visit, Depends(anyone)]) -> Visit:
        gate: Gate = request.app.state.gate
        peer = request.client.host if request.client else ""
        secret = None if visit.is_new else visit.secret
        caller = await run_sync(gate.admit_session, secret, scope, peer)
        return Visit(caller, visit.secret, visit.is_new, visit.needs_login, visit.form)

    return admitted


Anyone = Annotated[Visit, Depends(anyone)]
ReaderVisit = Annotated[Visit, Depends(visiting(Scope.READ))]
ReviewerVisit = Annotated[Visit, Depends(visiting(Scope.REVIEW))]
AdminVisit = Annotated[Visit, Depends(visiting(Scope.ADMIN))]


async def _form(request: Request) -> Mapping[str, Sequence[str]]:
    if request.method != "POST":
        return {}
    body = await request.body()
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Problem(400, "unreadable", "the form cannot be read; expected one of ours, URL-encoded") from error


def _require_own_form(request: Request, visit: Visit) -> None:
    if request.method != "POST":
        return
    shown = request.headers.get(_CODE_HEADER) or visit.text(CODE)
    if visit.is_new or not hmac.compare_digest(shown.encode(), visit.code.encode()):
        raise Problem(403, FORGED, "the form is not one that this browser was given; load the page again and repeat it")


FORGED = "form"
"""The name of the problem that a form is not ours."""
