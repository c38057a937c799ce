"""What every route can reach of its application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from dedup.service.engine import Service
from dedup.service.measures import Measures


# Coroutines, so that FastAPI does not have a thread look up an attribute.
async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _measures(request: Request) -> Measures:
    measures: Measures = request.app.state.measures
    return measures


TheService = Annotated[Service, Depends(_service)]
TheMeasures = Annotated[Measures, Depends(_measures)]
