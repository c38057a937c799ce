"""Sessions of browsers: who has shown a token is known by a cookie for some hours, and no page ever holds the token.

The cookie's secret is made as a token is, and kept as its hash.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, insert

from dedup.store.audit import record_act
from dedup.store.database import Database
from dedup.store.service_models import SessionRow, TokenRow
from dedup.store.tokens import SECRET_BYTES, TOKEN, TokenRecord, digest, token_record


class Sessions:
    """The store's sessions."""

    _database: Database

    def open_session(self, token: TokenRecord, lifetime: timedelta) -> str:
        """Begin a session of a token's bearer, and return its secret, which is on record nowhere.

        Sessions that are past their time are forgotten.
        """
        secret = secrets.token_urlsafe(SECRET_BYTES)
        now = datetime.now(UTC)
        row = {"digest": digest(secret), "token_id": token.id, "created_at": now, "expires_at": now + lifetime}
        with self._database.writing() as connection:
            connection.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
            connection.execute(insert(SessionRow), row)
            record_act(connection, token.actor, "log in", {"token": token.id})
        return secret

    def session_token(self, secret: str) -> TokenRecord | None:
        """Return the token that a session was begun with; None where there is none, or its time is over."""
        known = (SessionRow.digest == digest(secret), SessionRow.expires_at > datetime.now(UTC))
        statement = TOKEN.join(SessionRow, SessionRow.token_id == TokenRow.id).where(*known)
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return None if row is None else token_record(*row)

    def close_session(self, secret: str, *, actor: str) -> None:
        """End a session; one that is not there, or past its time, is as well ended."""
        with self._database.writing() as connection:
            ended = connection.execute(delete(SessionRow).where(SessionRow.digest == digest(secret)))
            if ended.rowcount:
                record_act(connection, actor, "log out", {})
