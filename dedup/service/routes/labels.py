"""What people agree on: as labels, where they contradict each other, and what it says of the classifier."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from dedup.contradictions import contradictions
from dedup.recalibration import Scores
from dedup.service.access import Admin, Reader
from dedup.service.lists import CSV
from dedup.service.problems import documented
from dedup.service.routes.state import TheService
from dedup.service.schemas import Incoming, QuestionOut
from dedup.store import Store, Verdict

router = APIRouter(prefix="/v1", tags=["labels"], responses=documented(401, 403, 422, 429, 500, 503))


class SaidOut(BaseModel):
    """What one reviewer says of a pair."""

    review: int
    reviewer: str
    verdict: Verdict
    at: datetime


class ContradictionOut(BaseModel):
    """Two questions on which people contradict each other.

    ``chain``: the questions from the left to the right one, each confirmed with the one before it, where these hold a
    rejected pair together; empty where reviewers disagree on the pair itself.
    """

    left: QuestionOut
    right: QuestionOut
    reviews: list[SaidOut]
    chain: list[QuestionOut]


class ContradictionsOut(BaseModel):
    """Every contradiction; no run follows any of these decisions."""

    contradictions: list[ContradictionOut]


class ScoresOut(BaseModel):
    """How good probabilities are on the reviewed pairs."""

    log_loss: float
    ece: float
    average_precision: float

    @classmethod
    def of(cls, scores: Scores) -> ScoresOut:
        """Return scores as they go out."""
        return cls(log_loss=scores.log_loss, ece=scores.ece, average_precision=scores.average_precision)


class RecalibrateIn(Incoming):
    """What to do: nothing given, the classifier is fitted and shown; its identity given, it is put in place."""

    accept: Annotated[str | None, Field(pattern="^[0-9a-f]{16}$", description="The `classifier` shown last.")] = None


class RecalibrationOut(BaseModel):
    """A classifier as the reviews move it: judged on held-out pairs, beside the one that is installed."""

    classifier: str
    labels: int
    duplicates: int
    before: ScoresOut
    after: ScoresOut
    accepted: bool


@router.get(
    "/labels.csv",
    summary="Labels",
    response_class=Response,
    responses={200: {"content": {CSV: {"schema": {"type": "string"}}}}},
)
def labels(caller: Reader, service: TheService) -> Response:
    """Return what all reviewers of a pair agree on, as `dedup train` and `dedup calibrate` read it."""
    return labels_csv(service.store)


@router.get("/contradictions", summary="Decisions that cannot all be right")
def contradicted(caller: Reader, service: TheService) -> ContradictionsOut:
    """List pairs on which reviewers disagree, and rejected ones that confirmed ones hold together."""
    return ContradictionsOut(
        contradictions=[
            ContradictionOut(
                left=QuestionOut.of(each.left),
                right=QuestionOut.of(each.right),
                reviews=[
                    SaidOut(review=said.id, reviewer=said.reviewer, verdict=said.verdict, at=said.at)
                    for said in each.reviews
                ],
                chain=[QuestionOut.of(question) for question in each.chain],
            )
            for each in contradictions(service.store)
        ]
    )


@router.post("/recalibrate", summary="Fit the classifier to the reviews", responses=documented(400, 404, 413, 415))
def recalibrate(asked: RecalibrateIn, caller: Admin, service: TheService) -> RecalibrationOut:
    """Fit the classifier and judge it on held-out pairs; the installed one stays until the new one is accepted."""
    made = service.recalibrate() if asked.accept is None else service.accept(asked.accept, actor=caller.actor)
    return RecalibrationOut(
        classifier=made.classifier.identity,
        labels=made.labels,
        duplicates=made.duplicates,
        before=ScoresOut.of(made.before),
        after=ScoresOut.of(made.after),
        accepted=asked.accept is not None,
    )


def labels_csv(store: Store) -> Response:
    """Return the labels as a file."""
    headers = {"Content-Disposition": 'attachment; filename="labels.csv"'}
    return StreamingResponse(_lines(store), media_type=f"{CSV}; charset=utf-8", headers=headers)


def _lines(store: Store) -> Iterator[str]:
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    writer.writerow(("question1", "question2", "is_duplicate"))
    for label in store.review_labels():
        writer.writerow((label.left_text, label.right_text, int(label.duplicate)))
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()
