"""Who may do what: bearer tokens with scopes, and how many requests each may send.

Before the first token is made everybody may do everything, and the service listens on the loopback interface alone.
From then on nobody is let in without one.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address
from math import ceil
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from dedup.errors import DedupError
from dedup.service.problems import Problem
from dedup.store import Scope, Store, TokenRecord

REMEMBERED = 1.0
"""Seconds for which what is on record of a token is remembered: a revoked one works no longer than that."""

_MOST_REMEMBERED = 4096
LOCAL = "local"
"""Who is at work while there are no tokens."""


class _Way(Enum):
    """What someone is known by."""

    TOKEN = auto()
    SESSION = auto()


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request."""

    actor: str
    token: TokenRecord | None  # None while there are no tokens

    def may(self, scope: Scope) -> bool:
        """Whether they may do what needs this scope."""
        return self.token is None or self.token.allows(scope)


class Gate:
    """Lets in who may come in."""

    def __init__(self, store: Store, *, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._rates = Rates(rate, clock)
        self._known: OrderedDict[tuple[_Way, str], tuple[float, TokenRecord | None]] = OrderedDict()
        self._closed: tuple[float, bool] = (-REMEMBERED, False)
        self._lock = threading.Lock()

    @property
    def is_open(self) -> bool:
        """Whether no token was ever made."""
        asked, closed = self._closed
        if not closed and self._clock() - asked >= REMEMBERED:
            closed = self._store.has_tokens()
            self._closed = (self._clock(), closed)
        return not closed

    def remembers(self, token: str | None) -> bool:
        """Whether `admit` would answer from memory now, without asking the database."""
        asked, closed = self._closed
        if not closed:
            return self._clock() - asked < REMEMBERED
        found = None if token is None else self._known.get((_Way.TOKEN, token))
        return token is None or (found is not None and self._clock() - found[0] < REMEMBERED)

    def admit(self, token: str | None, scope: Scope, peer: str) -> Caller:
        """Return who it is that may do what needs ``scope``; ``peer`` is the address, for who needs no token.

        Raises
        ------
        Problem
            Where no token came with the request, it is unknown or revoked, it does not allow this, or it has been used
            too often.
        """
        return self._admit(_Way.TOKEN, token, scope, peer)

    def admit_session(self, secret: str | None, scope: Scope, peer: str) -> Caller:
        """Return who it is by the secret of a browser's session; as `admit`."""
        return self._admit(_Way.SESSION, secret, scope, peer)

    def log_in(self, token: str, peer: str) -> TokenRecord:
        """Return what is on record of a token that someone logs in with; Problem where it is worth nothing."""
        self._rates.count(f"login {peer}")
        record = self._store.token(token)
        if record is None or record.revoked_at is not None:
            raise _unauthorized("the token is unknown or revoked; `dedup token create` makes one")
        return record

    def forget_session(self, secret: str) -> None:
        """Have a session that was ended be worthless at once."""
        with self._lock:
            self._known.pop((_Way.SESSION, secret), None)

    def _admit(self, way: _Way, shown: str | None, scope: Scope, peer: str) -> Caller:
        if self.is_open:
            self._rates.count(f"{LOCAL} {peer}")
            return Caller(LOCAL, None)
        if shown is None:
            raise _unauthorized("this needs a token; send it as `Authorization: Bearer TOKEN`")
        record = self._record(way, shown)
        if record is None or record.revoked_at is not None:
            raise _unauthorized("the token is unknown or revoked; `dedup token create` makes one")
        if not record.allows(scope):
            raise Problem(403, "forbidden", f"this needs a token of scope {scope}; `dedup token create` makes one")
        self._rates.count(record.actor)
        return Caller(record.actor, record)

    def _record(self, way: _Way, shown: str) -> TokenRecord | None:
        now = self._clock()
        with self._lock:
            found = self._known.get((way, shown))
        if found is not None and now - found[0] < REMEMBERED:
            return found[1]
        record = self._store.token(shown) if way is _Way.TOKEN else self._store.session_token(shown)
        with self._lock:
            self._known[way, shown] = (now, record)
            self._known.move_to_end((way, shown))
            while len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return record


class Rates:
    """A token bucket for each of many: ``rate`` requests a second on average, and as many at once."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = max(1.0, rate)
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, who: str) -> None:
        """Count a request; Problem, with the time after which to try again, where it is one too many."""
        now = self._clock()
        with self._lock:
            left, since = self._left.pop(who, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._rate)
            allowed = left >= 1
            self._left[who] = (left - allowed, now)
            while len(self._left) > _MOST_REMEMBERED:
                self._left.popitem(last=False)
        if not allowed:
            after = max(1, ceil((1 - left) / self._rate))
            detail = f"a token may send {self._rate:g} requests a second; try again in {after} s"
            raise Problem(429, "rate-limited", detail, after)


def is_loopback(host: str) -> bool:
    """Whether an address to listen at, or a client's, is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def require_safe_host(store: Store, host: str) -> None:
    """Refuse to listen for others than this machine while everybody may do everything.

    Raises
    ------
    DedupError
        If ``host`` is not a loopback address and no token was ever made.
    """
    if not is_loopback(host) and not store.has_tokens():
        raise DedupError(
            f"--host {host} is open to other machines, and no access token exists; make one with "
            "`dedup token create --scope read`, or listen on 127.0.0.1"
        )


_bearer = HTTPBearer(auto_error=False, description="A token of `dedup token create`.")


def needs(scope: Scope) -> Callable[..., object]:
    """Return a dependency that gives the `Caller` of a request, who may do what needs ``scope``."""

    async def admitted(
        request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> Caller:
        gate: Gate = request.app.state.gate
        peer = request.client.host if request.client else ""
        token = None if shown is None else shown.credentials
        if gate.remembers(token):  # a thread for nothing would make a query wait longer than its arithmetic takes
            return gate.admit(token, scope, peer)
        return await run_sync(gate.admit, token, scope, peer)

    return admitted


Reader = Annotated[Caller, Depends(needs(Scope.READ))]
Writer = Annotated[Caller, Depends(needs(Scope.WRITE))]
Reviewer = Annotated[Caller, Depends(needs(Scope.REVIEW))]
Admin = Annotated[Caller, Depends(needs(Scope.ADMIN))]


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})
