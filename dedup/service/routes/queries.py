"""Was this asked before, and why are two questions duplicates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter

from dedup.explanation import explained
from dedup.queries import Query
from dedup.service.access import Reader
from dedup.service.engine import Service
from dedup.service.measures import Measures
from dedup.service.problems import documented
from dedup.service.routes.state import TheMeasures, TheService
from dedup.service.schemas import AnswerOut, AnswersOut, ExplainIn, QueryBatchIn, QueryIn

router = APIRouter(prefix="/v1", tags=["queries"], responses=documented(400, 401, 403, 413, 415, 422, 429, 500, 503))


@router.post("/query", summary="Was this asked before?")
async def query(asked: QueryIn, caller: Reader, service: TheService, measures: TheMeasures) -> AnswerOut:
    """Return the recorded questions nearest to a text, nearest first, and which of them are duplicates."""
    (answer,) = await answer_all([asked], service, measures)
    return answer


@router.post("/query/batch", summary="Were these asked before?")
async def query_batch(asked: QueryBatchIn, caller: Reader, service: TheService, measures: TheMeasures) -> AnswersOut:
    """Answer several questions as if each were asked alone."""
    return AnswersOut(answers=await answer_all(asked.queries, service, measures))


@router.post("/explain", summary="Why are two questions duplicates, or are not?", response_model=None)
def explain(asked: ExplainIn, caller: Reader, service: TheService) -> dict[str, Any]:
    """Explain the relation of two questions as `dedup explain --json` does: distances, features and the chain."""
    return explained(service.explain(asked.left, asked.right, asked.source, asked.threshold))


async def answer_all(asked: Sequence[QueryIn], service: Service, measures: Measures) -> list[AnswerOut]:
    """Answer queries together, in their order; TimeoutError where it takes longer than the service lets it."""
    usual = service.snapshot.settings.threshold
    queries = [Query(each.text, each.k, usual if each.threshold is None else each.threshold) for each in asked]
    async with asyncio.timeout(service.limits.seconds):
        found = await asyncio.wrap_future(service.submit(queries))
    answers = [AnswerOut.of(answer, query.threshold) for answer, query in zip(found, queries, strict=True)]
    for answer in answers:
        measures.count_answer(duplicate=answer.duplicate)
    return answers
