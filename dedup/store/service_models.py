"""The tables of the service: who may do what, what was done, and what people decided."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from dedup.store.models import Base, Name
from dedup.text import KEY_BYTES


class TokenRow(Base):
    """An access token, by its SHA-256; the token itself is shown once and kept nowhere."""

    __tablename__ = "tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AuditRow(Base):
    """One write through the service: who did what to which questions, and when. It has no text of a question."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    action: Mapped[str]
    about: Mapped[dict[str, Any]]


class IdempotencyRow(Base):
    """What was answered to a write that may be sent again, by who sent it and the key they gave it."""

    __tablename__ = "idempotency_keys"

    actor: Mapped[str] = mapped_column(Name, primary_key=True)
    key: Mapped[str] = mapped_column(Name, primary_key=True)
    request: Mapped[str]  # its SHA-256
    answer: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(index=True)


class ReviewRow(Base):
    """A person's verdict on two texts, as two questions had them; one that was taken back stays, with the time.

    No foreign keys: what was decided about two texts holds when one of the questions is deleted and comes back.
    """

    __tablename__ = "reviews"
    __table_args__ = (
        CheckConstraint("left_id < right_id", name="order"),
        CheckConstraint("verdict IN ('same', 'different', 'skip')", name="verdict"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    left_id: Mapped[int] = mapped_column(BigInteger, index=True)
    right_id: Mapped[int] = mapped_column(BigInteger, index=True)
    left_key: Mapped[bytes] = mapped_column(LargeBinary(KEY_BYTES))
    right_key: Mapped[bytes] = mapped_column(LargeBinary(KEY_BYTES))
    verdict: Mapped[str]
    reviewer: Mapped[str]
    stratum: Mapped[str]
    distance: Mapped[float | None]
    probability: Mapped[float | None]
    at: Mapped[datetime]
    undone_at: Mapped[datetime | None]


class SessionRow(Base):
    """A browser that has shown a token, by the SHA-256 of the secret in its cookie."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ChoiceRow(Base):
    """A question that a person wants to be the canonical one of whatever cluster it is in.

    No foreign key: the choice holds when the question is deleted and comes back.
    """

    __tablename__ = "canonical_choices"

    question_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    actor: Mapped[str]
    at: Mapped[datetime]
