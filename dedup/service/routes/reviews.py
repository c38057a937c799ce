"""People decide: what to look at next, their verdicts, and what these say of all pairs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import isnan
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel

from dedup.questions import question_key
from dedup.reviewing import Share, estimates, next_pairs
from dedup.service.access import Reader, Reviewer
from dedup.service.lists import JSON, Accept, Cursor, Key, Limit, also_as_rows, answer_list
from dedup.service.problems import documented
from dedup.service.routes.state import TheService
from dedup.service.schemas import Incoming, Name, Page, QuestionOut, Threshold
from dedup.store import ReviewRecord, Store, Stratum, Verdict

router = APIRouter(prefix="/v1/reviews", tags=["reviews"], responses=documented(401, 403, 422, 429, 500, 503))


class AskedOut(BaseModel):
    """A pair that a person is asked about; the stratum goes back with the verdict."""

    left: QuestionOut
    right: QuestionOut
    distance: float
    probability: float
    stratum: Stratum


class QueueOut(BaseModel):
    """The pairs to look at next."""

    pairs: list[AskedOut]


class Named(Incoming):
    """A recorded question, by its own id."""

    id: Name
    source: Name = "default"

    @property
    def number(self) -> int:
        """The number it is recorded under."""
        return question_key(self.source, self.id)


class VerdictIn(Incoming):
    """What a person says of two questions."""

    left: Named
    right: Named
    verdict: Verdict
    stratum: Stratum = Stratum.CHOSEN


class ReviewRow(BaseModel):
    """A verdict that was given; ``undone_at`` where it was taken back. A question that was deleted since has no id."""

    review: int
    left: str | None
    left_source: str | None
    right: str | None
    right_source: str | None
    verdict: Verdict
    reviewer: str
    stratum: Stratum
    distance: float | None
    probability: float | None
    at: datetime
    undone_at: datetime | None

    @classmethod
    def all_of(cls, store: Store, reviews: Sequence[ReviewRecord]) -> list[ReviewRow]:
        """Return records as they go out."""
        questions = store.questions([number for review in reviews for number in (review.left, review.right)])
        rows = []
        for review in reviews:
            left, right = questions.get(review.left), questions.get(review.right)
            rows.append(
                cls(
                    review=review.id,
                    left=left.id if left else None,
                    left_source=left.source if left else None,
                    right=right.id if right else None,
                    right_source=right.source if right else None,
                    verdict=review.verdict,
                    reviewer=review.reviewer,
                    stratum=review.stratum,
                    distance=review.distance,
                    probability=review.probability,
                    at=review.at,
                    undone_at=review.undone_at,
                )
            )
        return rows


class ShareOut(BaseModel):
    """A share of n pairs with its 95% interval; null where n is 0."""

    value: float | None
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, share: Share) -> ShareOut:
        """Return a share as it goes out."""
        value, low, high = (None if isnan(each) else each for each in (share.value, share.low, share.high))
        return cls(value=value, low=low, high=high, n=share.n)


class EstimatesOut(BaseModel):
    """What the randomly drawn pairs say of all recorded ones."""

    threshold: float
    precision: ShareOut
    recall: ShareOut
    disagreements: int
    agreement: ShareOut  # of the pairs that two or more have judged
    judged: int


@router.get("", summary="What to look at next")
def queue(
    caller: Reviewer, service: TheService, limit: Annotated[int, Query(ge=1, le=50, description="How many pairs.")] = 10
) -> QueueOut:
    """Return pairs that are worth a verdict: some that another has judged, uncertain ones, and some drawn at random."""
    threshold = service.snapshot.settings.threshold
    pairs = next_pairs(service.store, caller.actor, limit, threshold=threshold, random=np.random.default_rng())
    return QueueOut(
        pairs=[
            AskedOut(
                left=QuestionOut.of(each.left),
                right=QuestionOut.of(each.right),
                distance=each.distance,
                probability=each.probability,
                stratum=each.stratum,
            )
            for each in pairs
        ]
    )


@router.post("", summary="Give a verdict", responses=documented(400, 404, 413, 415))
def give(verdict: VerdictIn, caller: Reviewer, service: TheService) -> ReviewRow:
    """Record what a person says of two questions; it counts instead of what they said of them before."""
    review = service.store.record_review(
        verdict.left.number, verdict.right.number, verdict.verdict, caller.actor, verdict.stratum
    )
    (row,) = ReviewRow.all_of(service.store, [review])
    return row


@router.delete("/{review}", summary="Take a verdict back", responses=documented(404))
def undo(review: Annotated[int, Path(ge=0, lt=2**31)], caller: Reviewer, service: TheService) -> ReviewRow:
    """Take back one's own verdict; it stays on record, with the time."""
    (row,) = ReviewRow.all_of(service.store, [service.store.undo_review(review, caller.actor)])
    return row


@router.get("/given", summary="Verdicts", response_model=Page[ReviewRow], responses=also_as_rows())
def given(
    caller: Reader, service: TheService, limit: Limit = 50, cursor: Cursor = None, accept: Accept = JSON
) -> Page[ReviewRow] | Response:
    """List the verdicts, the newest first, a page at a time, or all of them as CSV or JSON lines."""

    def page(before: Key | None) -> tuple[list[ReviewRow], Key | None]:
        found = service.store.reviews(limit, before=None if before is None else int(before[0]))
        return ReviewRow.all_of(service.store, found), (found[-1].id,) if len(found) == limit else None

    return answer_list(page, cursor, accept, length=1)


@router.get("/estimates", summary="What the verdicts say of all pairs")
def estimated(caller: Reader, service: TheService, threshold: Threshold | None = None) -> EstimatesOut:
    """Estimate the precision and the recall of the recorded pairs from those that were drawn at random."""
    at = service.snapshot.settings.threshold if threshold is None else threshold
    found = estimates(service.store.reviewed(), at)
    return EstimatesOut(
        threshold=at,
        precision=ShareOut.of(found.precision),
        recall=ShareOut.of(found.recall),
        disagreements=found.disagreements,
        agreement=ShareOut.of(found.agreement),
        judged=found.judged,
    )
