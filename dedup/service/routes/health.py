"""Is the service alive, is it ready, and how is it doing."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from dedup.service.access import Reader
from dedup.service.measures import MEDIA_TYPE
from dedup.service.problems import documented
from dedup.service.routes.state import TheMeasures, TheService
from dedup.service.schemas import Health

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> Health:
    """Say that the process is alive; whether it is ready is another question."""
    return Health(status="alive")


@router.get("/readyz", summary="Ready", responses=documented(503))
def readyz(service: TheService) -> Health:
    """Say that a generation is loaded and the database answers, so that queries will be answered."""
    snapshot = service.snapshot
    service.store.service_state()
    return Health(status="ready", generation=snapshot.state.generation)


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}, **documented(401, 403, 429, 503)},
)
def metrics(caller: Reader, measures: TheMeasures) -> Response:
    """Return latencies by route, the queue's depth, the generation's age and size, and answers by decision."""
    return Response(measures.text(), media_type=MEDIA_TYPE)
