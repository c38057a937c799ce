"""The tables, as SQLAlchemy models.

Only the shape is here; migrations/ makes it, and a test holds the two together (`alembic check`). Names of constraints
follow one convention, so that a migration can name what it changes on either database.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from dedup.text import KEY_BYTES


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time, in UTC on the way in and on the way out; SQLite has no zones and keeps the UTC digits."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return ``value`` in UTC; a time without a zone is refused with ValueError: nobody could say when it is."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; the store takes aware times only")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return ``value`` aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# Compared byte by byte on both databases: PostgreSQL's default collation depends on how the cluster was made.
Name = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite keeps a table in the order of an INTEGER primary key, and of no other. Numbers of questions are hashes: in that
# order every batch of new questions would rewrite half of the texts' pages. Small rows written in order gain from it.
RowNumber = BigInteger().with_variant(Integer, "sqlite")
Json = JSON(none_as_null=True)


class Base(DeclarativeBase):
    """What the tables share: the naming convention of their constraints, and the types of their columns."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        float: Double(),
        datetime: UtcDateTime(),
        dict[str, Any]: Json,
        list[str]: Json,
    }


class EncoderRow(Base):
    """An encoder that made vectors, by its fingerprint."""

    __tablename__ = "encoders"

    id: Mapped[int] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    dimension: Mapped[int]
    normaliser_version: Mapped[int]
    created_at: Mapped[datetime]


class GenerationRow(Base):
    """An index generation that was published; its name is its folder's."""

    __tablename__ = "generations"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    encoder_id: Mapped[int] = mapped_column(ForeignKey("encoders.id"))
    metric: Mapped[str]
    kind: Mapped[str]
    vectors: Mapped[int] = mapped_column(BigInteger)
    recall: Mapped[float]
    published_at: Mapped[datetime]
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))


class RunRow(Base):
    """One job of any kind: what it was asked, what it found and how long each stage took."""

    __tablename__ = "runs"
    __table_args__ = (
        CheckConstraint("kind IN ('run', 'reindex', 'rollback', 'repair')", name="kind"),
        CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    state: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    # Runs and generations name each other; one of the two keys has to be added once both tables are there.
    generation_id: Mapped[int | None] = mapped_column(ForeignKey("generations.id", use_alter=True))
    metric: Mapped[str]
    threshold: Mapped[float]
    settings: Mapped[dict[str, Any]]
    counts: Mapped[dict[str, Any]]
    seconds: Mapped[dict[str, Any]]
    classifier: Mapped[dict[str, Any] | None]
    corpus_digest: Mapped[str | None]
    report: Mapped[str | None]
    error: Mapped[str | None]


class ServiceRow(Base):
    """What is in service, in one row: a generation, the run that published it and the corpus revision it is of."""

    __tablename__ = "service"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    generation_id: Mapped[int] = mapped_column(ForeignKey("generations.id"))
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    corpus_revision: Mapped[int] = mapped_column(BigInteger)


class CorpusRow(Base):
    """What is counted on, in one row, which the migration puts there.

    ``revision`` is how often the questions have changed, ``next_cluster`` the smallest id that no cluster ever had.
    """

    __tablename__ = "corpus"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)
    next_cluster: Mapped[int] = mapped_column(server_default="1")


class QuestionRow(Base):
    """A question, under the number that `dedup.questions.question_key` gives it."""

    __tablename__ = "questions"
    __table_args__ = (UniqueConstraint("source", "external_id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    source: Mapped[str] = mapped_column(Name)
    external_id: Mapped[str] = mapped_column(Name)
    text: Mapped[str]
    text_key: Mapped[bytes] = mapped_column(LargeBinary(KEY_BYTES), index=True)
    created_at: Mapped[datetime | None]
    score: Mapped[int | None] = mapped_column(BigInteger)
    views: Mapped[int | None] = mapped_column(BigInteger)
    tags: Mapped[list[str]]
    first_run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    last_run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))


class PairRow(Base):
    """A measured candidate pair that was probable enough to keep; ``run_id`` first recorded it as it stands.

    The one table without foreign keys: checking three for each of millions of rows takes PostgreSQL four times as long
    as writing them. `dedup.store.results` checks whole arrays instead: both questions have a cluster, which has them.
    """

    __tablename__ = "pairs"
    __table_args__ = (CheckConstraint("left_id < right_id", name="order"), {"sqlite_with_rowid": False})

    left_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    right_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False, index=True)
    distance: Mapped[float]
    probability: Mapped[float]
    run_id: Mapped[int]


class ClusterRow(Base):
    """A cluster, one question alone included; ``run_id`` first recorded it as it stands."""

    __tablename__ = "clusters"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    canonical_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("questions.id"), index=True)
    size: Mapped[int]
    weakest_probability: Mapped[float]
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))


class MemberRow(Base):
    """The cluster of a question, and how probably it asks what the canonical question asks (1.0 for itself)."""

    __tablename__ = "cluster_members"

    question_id: Mapped[int] = mapped_column(
        RowNumber, ForeignKey("questions.id"), primary_key=True, autoincrement=False
    )
    cluster_id: Mapped[int] = mapped_column(ForeignKey("clusters.id"), index=True)
    probability: Mapped[float]


class PairEventRow(Base):
    """Two questions that became duplicates in a run, or ceased to be; the first run's own are not listed.

    Without foreign keys, as the pairs themselves: a question that is deleted leaves its history.
    """

    __tablename__ = "pair_events"
    __table_args__ = (CheckConstraint("left_id < right_id", name="order"), {"sqlite_with_rowid": False})

    run_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    left_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    right_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    duplicate: Mapped[bool]  # from now on


class ClusterEventRow(Base):
    """A cluster of several questions that did not stay whole, or not by itself: see `dedup.continuity`."""

    __tablename__ = "cluster_events"
    __table_args__ = (CheckConstraint("kind IN ('merged', 'split', 'gone')", name="kind"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), index=True)
    kind: Mapped[str]
    cluster_id: Mapped[int] = mapped_column(index=True)  # as it was called before
    into_id: Mapped[int | None] = mapped_column(index=True)  # the cluster that it, or a part of it, is in now
    left_id: Mapped[int | None] = mapped_column(BigInteger)  # the pair that caused it, where there is one
    right_id: Mapped[int | None] = mapped_column(BigInteger)


class LabelRow(Base):
    """A person's word on two questions, and the file it came from (``origin``); the smaller own id is on the left."""

    __tablename__ = "labels"
    __table_args__ = (
        UniqueConstraint("source", "left_external_id", "right_external_id", "origin"),
        CheckConstraint("left_external_id <= right_external_id", name="order"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(Name)
    left_external_id: Mapped[str] = mapped_column(Name)
    right_external_id: Mapped[str] = mapped_column(Name)
    left_text: Mapped[str | None]
    right_text: Mapped[str | None]
    duplicate: Mapped[bool]
    origin: Mapped[str] = mapped_column(Name)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))


def table(model: type[Base]) -> Table:
    """Return a model's table."""
    return cast(Table, model.__table__)
