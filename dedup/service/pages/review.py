"""The review queue: two questions side by side, a verdict, the next two; and where verdicts contradict each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from fastapi import APIRouter, Request
from fastapi.responses import Response

from dedup.contradictions import contradictions
from dedup.report.evaluation_words import differing
from dedup.reviewing import REVIEWERS, Asked, estimates
from dedup.service.engine import Service
from dedup.service.pages.queues import ReviewQueues
from dedup.service.pages.reasons import reasons
from dedup.service.pages.rendering import render
from dedup.service.pages.routing import PageRoute, see_other
from dedup.service.pages.sessions import ReaderVisit, ReviewerVisit, Visit
from dedup.service.problems import Problem
from dedup.service.routes.state import TheService
from dedup.store import QuestionRecord, Reviewed, ReviewRecord, Stratum, Verdict

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Said:
    """What a reviewer said last, and what others said of the same pair."""

    review: ReviewRecord
    left: QuestionRecord | None  # None where it is not recorded any more
    right: QuestionRecord | None
    others: tuple[ReviewRecord, ...]


@router.get("/review")
def review(request: Request, visit: ReviewerVisit, service: TheService) -> Response:
    """Show the pair that is to be judged next."""
    snapshot = service.snapshot
    threshold = snapshot.settings.threshold
    asked = _queues(request).first(service.store, visit.actor, snapshot.state.run_id, threshold=threshold)
    reviewed = service.store.reviewed()
    explanation = None if asked is None else service.explain_pair(asked.left, asked.right)
    return render(
        request,
        visit,
        "review",
        asked=asked,
        sides=() if asked is None else [_runs(side) for side in differing(asked.left.text, asked.right.text)],
        explanation=explanation,
        reasons=() if explanation is None else reasons(explanation),
        begun=asked is not None and any(_is_about(each, asked) for each in reviewed),
        said=last_said(service, visit, reviewed),
        seen=len(service.store.pairs_seen_by(visit.actor)),
        estimates=estimates(reviewed, threshold),
        reviewers=REVIEWERS,
        threshold=threshold,
    )


@router.post("/review")
def judge(request: Request, visit: ReviewerVisit, service: TheService) -> Response:
    """Record a verdict, and show the next pair."""
    left, right = visit.number("left"), visit.number("right")
    verdict, stratum = _verdict(visit), _stratum(visit)
    service.store.record_review(left, right, verdict, visit.actor, stratum)
    _queues(request).drop(visit.actor, service.snapshot.state.run_id, left, right)
    return see_other("/contradictions" if visit.text("back") == "contradictions" else "/review")


@router.post("/review/undo")
def undo(request: Request, visit: ReviewerVisit, service: TheService) -> Response:
    """Take back a verdict, with all that was said in the same moment, and show its pair again."""
    taken = service.store.undo_review(visit.number("review"), visit.actor)
    if visit.text("cluster"):
        return see_other(f"/clusters/{visit.number('cluster')}")
    found = service.store.questions([taken.left, taken.right])
    if len(found) == 2 and taken.distance is not None and taken.probability is not None:
        asked = Asked(found[taken.left], found[taken.right], taken.distance, taken.probability, taken.stratum)
        _queues(request).put_back(visit.actor, service.snapshot.state.run_id, asked)
    return see_other("/review")


@router.get("/contradictions")
def contradicted(request: Request, visit: ReaderVisit, service: TheService) -> Response:
    """Show the decisions that cannot all be right."""
    return render(request, visit, "contradictions", contradictions=contradictions(service.store))


def last_said(service: Service, visit: Visit, reviewed: list[Reviewed]) -> Said | None:
    """Return what a reviewer said last; None where there is nothing that could be taken back."""
    last = service.store.last_review(visit.actor)
    if last is None:
        return None
    keys = tuple(sorted((last.left_key, last.right_key)))
    others = [
        each
        for pair in reviewed
        if (pair.left_key, pair.right_key) == keys
        for each in pair.reviews
        if each.reviewer != last.reviewer
    ]
    found = service.store.questions([last.left, last.right])
    return Said(last, found.get(last.left), found.get(last.right), tuple(others))


def _runs(pieces: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
    """Return pieces of a text with the spaces between differing words marked like these: one mark, not several."""
    marked = [
        differs or (text.isspace() and 0 < at < len(pieces) - 1 and pieces[at - 1][1] and pieces[at + 1][1])
        for at, (text, differs) in enumerate(pieces)
    ]
    runs = groupby(zip(pieces, marked, strict=True), key=lambda each: each[1])
    return [("".join(piece[0] for piece, _ in run), differs) for differs, run in runs]


def _queues(request: Request) -> ReviewQueues:
    queues: ReviewQueues = request.app.state.review_queues
    return queues


def _is_about(reviewed: Reviewed, asked: Asked) -> bool:
    return {reviewed.left_key, reviewed.right_key} == {asked.left.text_key, asked.right.text_key}


def _verdict(visit: Visit) -> Verdict:
    try:
        return Verdict(visit.text("verdict"))
    except ValueError:
        raise Problem(422, "invalid", "verdict: expected same, different or skip; mend the form") from None


def _stratum(visit: Visit) -> Stratum:
    try:
        return Stratum(visit.text("stratum") or Stratum.CHOSEN)
    except ValueError:
        raise Problem(422, "invalid", "stratum: expected random, uncertain or chosen; mend the form") from None
