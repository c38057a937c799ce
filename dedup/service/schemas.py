"""What comes in and what goes out, as JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dedup.errors import DedupError
from dedup.queries import Answer, Match, asked_text
from dedup.questions import DEFAULT_SOURCE, MAX_NAME_BYTES, Metric, Question
from dedup.store import ClusterSummary, Duplicate, EventKind, QuestionRecord

MOST_MATCHES = 100  # k
MOST_QUERIES = 64  # of one batch
MOST_QUESTIONS = 64  # of one addition
MOST_ROWS = 200  # of one page
LONGEST_QUERY = 10_000  # characters
LONGEST_QUESTION = 1_000_000

Row = TypeVar("Row", bound=BaseModel)


def _asks(text: str) -> str:
    try:
        asked_text(text)
    except DedupError as error:
        raise ValueError(str(error)) from None
    return text


def _fits(name: str) -> str:
    if len(name.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"it has {len(name.encode())} bytes in UTF-8, expected at most {MAX_NAME_BYTES}")
    return name


def _aware(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("it has no time zone; expected one, as in 2026-01-31T12:00:00Z")
    return time.astimezone(UTC)


_NO_NUL = r"^[^\u0000]*$"  # no database can hold it
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_BYTES, pattern=_NO_NUL), AfterValidator(_fits)]
QueryText = Annotated[str, Field(min_length=1, max_length=LONGEST_QUERY), AfterValidator(_asks)]
QuestionText = Annotated[str, Field(min_length=1, max_length=LONGEST_QUESTION, pattern=_NO_NUL), AfterValidator(_asks)]
Count = Annotated[int, Field(ge=-(2**63) + 1, lt=2**63)]
Threshold = Annotated[float, Field(ge=0.001, le=0.999)]


class Incoming(BaseModel):
    """What comes in; a name that is not known is refused."""

    model_config = ConfigDict(extra="forbid")


class QueryIn(Incoming):
    """A question that may have been asked before."""

    text: QueryText
    k: Annotated[int, Field(ge=1, le=MOST_MATCHES, description="How many of the nearest.")] = 5
    threshold: Annotated[
        Threshold | None, Field(description="The probability from which one is a duplicate; by default the run's.")
    ] = None


class QueryBatchIn(Incoming):
    """Several questions, answered together."""

    queries: Annotated[list[QueryIn], Field(min_length=1, max_length=MOST_QUERIES)]


class QuestionIn(Incoming):
    """A question to be recorded under its own id, which is unique within its source."""

    id: Name
    text: QuestionText
    source: Name = DEFAULT_SOURCE
    created: Annotated[datetime, AfterValidator(_aware)] | None = None
    score: Count | None = None
    views: Count | None = None
    tags: Annotated[list[Annotated[str, Field(max_length=200, pattern=_NO_NUL)]], Field(max_length=50)] = []

    def question(self) -> Question:
        """Return it as the store takes it."""
        return Question(self.id, self.text, self.source, self.created, self.score, self.views, tuple(self.tags))


class QuestionsIn(Incoming):
    """Questions to be recorded in one transaction; of several with one id the last counts."""

    questions: Annotated[list[QuestionIn], Field(min_length=1, max_length=MOST_QUESTIONS)]


class ExplainIn(Incoming):
    """Two questions, each the id of a recorded one, or a text."""

    left: QueryText
    right: QueryText
    source: Annotated[Name | None, Field(description="The source that the ids belong to.")] = None
    threshold: Threshold | None = None


class QuestionOut(BaseModel):
    """A recorded question."""

    id: str
    source: str
    text: str
    cluster: int | None
    created: datetime | None
    score: int | None
    views: int | None
    tags: list[str]

    @classmethod
    def of(cls, question: QuestionRecord) -> QuestionOut:
        """Return a record as it goes out."""
        return cls(
            id=question.id,
            source=question.source,
            text=question.text,
            cluster=question.cluster_id,
            created=question.created,
            score=question.score,
            views=question.views,
            tags=list(question.tags),
        )


class MatchOut(BaseModel):
    """A recorded question near a text."""

    id: str
    source: str
    text: str
    distance: float
    probability: float
    duplicate: bool
    cluster: int | None
    canonical: str | None
    canonical_source: str | None

    @classmethod
    def of(cls, match: Match) -> MatchOut:
        """Return a match as it goes out."""
        return cls(
            id=match.question.id,
            source=match.question.source,
            text=match.question.text,
            distance=match.distance,
            probability=match.probability,
            duplicate=match.duplicate,
            cluster=match.question.cluster_id,
            canonical=match.canonical.id if match.canonical else None,
            canonical_source=match.canonical.source if match.canonical else None,
        )


class AnswerOut(BaseModel):
    """What is nearest to a text, nearest first."""

    query: str
    encoder: str
    metric: Metric
    threshold: float
    duplicate: bool  # whether any of the matches is one
    matches: list[MatchOut]

    @classmethod
    def of(cls, answer: Answer, threshold: float) -> AnswerOut:
        """Return an answer as it goes out."""
        matches = [MatchOut.of(match) for match in answer.matches]
        return cls(
            query=answer.query,
            encoder=answer.encoder,
            metric=answer.metric,
            threshold=threshold,
            duplicate=any(match.duplicate for match in matches),
            matches=matches,
        )


class AnswersOut(BaseModel):
    """The answers to several questions, in their order."""

    answers: list[AnswerOut]


class EditedOut(BaseModel):
    """What became of some questions; each is counted once."""

    added: int
    changed: int
    unchanged: int
    revision: int
    repeated: bool


class DuplicateOut(BaseModel):
    """A question that asks the same as another."""

    id: str
    source: str
    text: str
    distance: float
    probability: float
    cluster: int | None

    @classmethod
    def of(cls, duplicate: Duplicate) -> DuplicateOut:
        """Return a duplicate as it goes out."""
        return cls(
            id=duplicate.question.id,
            source=duplicate.question.source,
            text=duplicate.question.text,
            distance=duplicate.distance,
            probability=duplicate.probability,
            cluster=duplicate.question.cluster_id,
        )


class DuplicatesOut(BaseModel):
    """A question and those that ask the same, the most probable first."""

    question: QuestionOut
    threshold: float
    pending: bool  # recorded since the last run: compared just now with what is in service
    duplicates: list[DuplicateOut]


class ClusterRow(BaseModel):
    """A cluster without its members."""

    cluster: int
    size: int
    weakest_probability: float
    canonical: str
    canonical_source: str
    canonical_text: str
    run: int

    @classmethod
    def of(cls, summary: ClusterSummary) -> ClusterRow:
        """Return a cluster as it goes out."""
        return cls(
            cluster=summary.id,
            size=summary.size,
            weakest_probability=summary.weakest_probability,
            canonical=summary.canonical.id,
            canonical_source=summary.canonical.source,
            canonical_text=summary.canonical.text,
            run=summary.run_id,
        )


class MemberOut(BaseModel):
    """A question of a cluster, and how probably it asks what the canonical question asks."""

    question: QuestionOut
    probability: float


class LinkOut(BaseModel):
    """A recorded pair of a cluster."""

    left: str
    left_source: str
    right: str
    right_source: str
    distance: float
    probability: float


class ClusterEventOut(BaseModel):
    """What became of a cluster in a run; ``into`` is null where nothing is left of it."""

    run: int
    at: datetime | None
    kind: EventKind
    cluster: int
    into: int | None


class ClusterOut(ClusterRow):
    """A cluster with its members, the canonical question first, and its recorded pairs, the weakest first.

    ``history`` has what became of it and what came into it, the latest first.
    """

    members: list[MemberOut]
    links: list[LinkOut]
    history: list[ClusterEventOut]


class RunRow(BaseModel):
    """A run, as it is on record."""

    run: int
    kind: str
    state: str
    started_at: datetime
    finished_at: datetime | None
    generation: str | None
    metric: str
    threshold: float
    error: str | None
    counts: dict[str, Any]
    seconds: dict[str, Any]


class Page(BaseModel, Generic[Row]):
    """A page of a list; ``next`` is the ``cursor`` of the page after it, null on the last."""

    items: list[Row]
    next: str | None


class Health(BaseModel):
    """Whether the process is alive, or ready to answer."""

    status: str
    generation: str | None = None
