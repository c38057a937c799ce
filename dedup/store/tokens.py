"""Access tokens: made once, shown once, kept as a hash.

A token is 256 random bits, so that a plain SHA-256 of it is as hard to turn round as to guess it; a slow hash is for
passwords, which people choose.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import insert, select, update

from dedup.errors import UnknownRecord
from dedup.store.audit import record_act
from dedup.store.database import Database, storable
from dedup.store.service_models import TokenRow

_PREFIX = "dedup_"  # tells what it is, where one turns up in a log or in a repository
SECRET_BYTES = 32


class Scope(StrEnum):
    """What a token lets its bearer do; write and review let them read too, admin lets them do everything."""

    READ = "read"
    WRITE = "write"
    REVIEW = "review"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token as it is on record: without itself."""

    id: int
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None

    @property
    def actor(self) -> str:
        """What the audit log calls the token's bearer."""
        return f"token {self.id}" + (f" ({self.name})" if self.name else "")

    def allows(self, scope: Scope) -> bool:
        """Whether the token is good for what needs this scope."""
        if self.revoked_at is not None:
            return False
        return scope in self.scopes or Scope.ADMIN in self.scopes or (scope is Scope.READ and bool(self.scopes))


class Tokens:
    """The store's tokens."""

    _database: Database

    def create_token(self, scopes: Collection[Scope], name: str = "", *, actor: str) -> tuple[str, TokenRecord]:
        """Make a token; the text that is returned is on record nowhere."""
        token = _PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        created = datetime.now(UTC)
        row = {
            "name": storable(name),
            "digest": digest(token),
            "scopes": sorted(scopes),
            "created_at": created,
        }
        with self._database.writing() as connection:
            statement = insert(TokenRow).returning(TokenRow.id)
            made = connection.scalars(statement, row).one()
            record_act(connection, actor, "create token", {"token": made, "scopes": sorted(scopes)})
        return token, TokenRecord(made, storable(name), frozenset(scopes), created, None)

    def revoke_token(self, token_id: int, *, actor: str) -> TokenRecord:
        """Make a token worthless from now on; one that is so already stays as it is.

        Raises UnknownRecord where none has this id.
        """
        with self._database.writing() as connection:
            changed = connection.execute(
                update(TokenRow)
                .where(TokenRow.id == token_id, TokenRow.revoked_at.is_(None))
                .values(revoked_at=datetime.now(UTC))
            )
            if changed.rowcount:
                record_act(connection, actor, "revoke token", {"token": token_id})
        found = [token for token in self.tokens() if token.id == token_id]
        if not found:
            raise UnknownRecord(f"no token {token_id} is recorded; `dedup token list` shows them")
        return found[0]

    def tokens(self) -> list[TokenRecord]:
        """Return every token that was ever made, by id."""
        with self._database.reading() as connection:
            rows = connection.execute(TOKEN.order_by(TokenRow.id)).all()
        return [token_record(*row) for row in rows]

    def has_tokens(self) -> bool:
        """Whether a token was ever made: from then on nobody is let in without one, also when all are revoked."""
        with self._database.reading() as connection:
            return connection.execute(select(TokenRow.id).limit(1)).first() is not None

    def token(self, token: str) -> TokenRecord | None:
        """Return what is on record of a token that someone shows; None where it was never made."""
        with self._database.reading() as connection:
            row = connection.execute(TOKEN.where(TokenRow.digest == digest(token))).one_or_none()
        return None if row is None else token_record(*row)


TOKEN = select(TokenRow.id, TokenRow.name, TokenRow.scopes, TokenRow.created_at, TokenRow.revoked_at)


def token_record(
    id: int, name: str, scopes: Collection[str], created_at: datetime, revoked_at: datetime | None
) -> TokenRecord:
    """Return a row of `TOKEN` as a record."""
    return TokenRecord(id, name, frozenset(map(Scope, scopes)), created_at, revoked_at)


def digest(token: str) -> str:
    """Return what is kept of a secret: its SHA-256, as hexadecimal digits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
