"""Recorded questions: added, changed, deleted, and those that ask the same."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from dedup.errors import AmbiguousQuestion, UnknownQuestion
from dedup.queries import Query as Asked
from dedup.service.access import Reader, Writer
from dedup.service.engine import Service
from dedup.service.problems import documented
from dedup.service.routes.state import TheService
from dedup.service.schemas import (
    MOST_MATCHES,
    DuplicateOut,
    DuplicatesOut,
    EditedOut,
    Name,
    QuestionOut,
    QuestionsIn,
    Threshold,
)
from dedup.store import QuestionRecord

router = APIRouter(prefix="/v1/questions", tags=["questions"], responses=documented(401, 403, 422, 429, 500, 503))

IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
        description="Names this request: sent again within 24 hours, nothing is done and the first answer comes back.",
    ),
]
Source = Annotated[Name | None, Query(description="The source that the id belongs to, where several have it.")]


@router.post("", summary="Add questions, or change them", responses=documented(400, 409, 413, 415))
def put(given: QuestionsIn, caller: Writer, service: TheService, idempotency_key: IdempotencyKey = None) -> EditedOut:
    """Record questions under their ids, whatever was recorded there; when this returns, every query finds them."""
    questions = [each.question() for each in given.questions]
    edited = service.put(questions, actor=caller.actor, key=idempotency_key)
    return EditedOut(
        added=edited.added,
        changed=edited.changed,
        unchanged=edited.unchanged,
        revision=edited.revision,
        repeated=edited.repeated,
    )


@router.get("/{id:path}/duplicates", summary="The questions that ask the same", responses=documented(404, 409))
def duplicates(
    id: str, caller: Reader, service: TheService, source: Source = None, threshold: Threshold | None = None
) -> DuplicatesOut:
    """Return the duplicates that the last run found; of a question recorded since, those that a query finds now."""
    question = _the_question(service, id, source)
    lowest = service.snapshot.settings.threshold if threshold is None else threshold
    pending = question.cluster_id is None
    found = (
        _found_now(service, question, lowest)
        if pending
        else [DuplicateOut.of(each) for each in service.store.duplicates(question, lowest)]
    )
    return DuplicatesOut(question=QuestionOut.of(question), threshold=lowest, pending=pending, duplicates=found)


@router.get("/{id:path}", summary="A question", responses=documented(404, 409))
def question(id: str, caller: Reader, service: TheService, source: Source = None) -> QuestionOut:
    """Return a recorded question."""
    return QuestionOut.of(_the_question(service, id, source))


@router.delete("/{id:path}", summary="Delete a question", status_code=204, responses=documented(404, 409))
def delete(id: str, caller: Writer, service: TheService, source: Source = None) -> Response:
    """Delete a recorded question; when this returns, no query finds it."""
    service.delete([_the_question(service, id, source).number], actor=caller.actor)
    return Response(status_code=204)


def _the_question(service: Service, id: str, source: str | None) -> QuestionRecord:
    """Return the question with an id, never one with that text; refuse an id that several sources have."""
    found = [each for each in service.store.find_question(id, source) if each.id == id]
    if not found:
        raise UnknownQuestion(
            f"no recorded question has the id {id[:80]!a}; POST /v1/query finds questions by their text"
        )
    if len(found) > 1:
        sources = ", ".join(each.source for each in found)
        raise AmbiguousQuestion(f"the id {id[:80]!a} is in the sources {sources}; say which with ?source=")
    return found[0]


def _found_now(service: Service, question: QuestionRecord, lowest: float) -> list[DuplicateOut]:
    """Compare a question with what is in service; more and more are looked at until the last is no duplicate."""
    k = MOST_MATCHES
    while True:
        (answer,) = service.snapshot.searcher.answer([Asked(question.text, k, lowest)])
        if len(answer.matches) < k or not answer.matches[-1].duplicate:
            break
        k *= 2
    probable = {match.question.text_key: match for match in answer.matches if match.duplicate}
    copies = service.store.with_keys(sorted(probable))
    found = [
        DuplicateOut(
            id=each.id,
            source=each.source,
            text=each.text,
            distance=probable[each.text_key].distance,
            probability=probable[each.text_key].probability,
            cluster=each.cluster_id,
        )
        for each in copies
        if each.number != question.number
    ]
    return sorted(found, key=lambda each: (-each.probability, each.source, each.id))
