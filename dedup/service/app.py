"""The application: the routes around one service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from anyio.to_thread import current_default_thread_limiter, run_sync
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from dedup import __version__
from dedup.service.access import Gate
from dedup.service.engine import Service
from dedup.service.guard import Guard
from dedup.service.measures import Measures
from dedup.service.pages import router as pages
from dedup.service.pages.queues import ReviewQueues
from dedup.service.problems import ProblemDetails, handle_problems
from dedup.service.routes import clusters, exports, health, labels, queries, questions, reviews, runs

_THREADS = 12  # each may hold a connection to the database: SQLAlchemy's pool has 15, of which the service uses two


def create_app(service: Service) -> FastAPI:
    """Return the application of a service; it starts the service and stops it."""

    @asynccontextmanager
    async def alive(_: FastAPI) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = _THREADS
        service.start()
        yield
        await run_sync(service.stop)

    app = FastAPI(
        title="question-dedup",
        version=__version__,
        description="Finds questions that ask the same thing. Distances, never similarities: smaller is closer.",
        lifespan=alive,
        docs_url=None,  # FastAPI's page loads scripts from elsewhere
        redoc_url=None,
    )
    measures = Measures(service)
    app.state.service = service
    app.state.measures = measures
    app.state.review_queues = ReviewQueues()
    app.state.gate = Gate(service.store, rate=service.limits.rate)
    for routes in (queries, questions, clusters, reviews, labels, exports, runs, health, pages):
        app.include_router(routes.router)
    handle_problems(app)
    app.add_middleware(
        Guard, gate=app.state.gate, limits=service.limits, measures=measures, is_full=lambda: service.is_full
    )
    app.openapi = lambda: _schema(app)  # type: ignore[method-assign]
    return app


def _schema(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI schema; errors of validation are problems too, so FastAPI's own have no place in it."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = schema["components"]["schemas"]
        components.pop("HTTPValidationError", None)
        components.pop("ValidationError", None)
        components["ProblemDetails"] = ProblemDetails.model_json_schema()
        app.openapi_schema = schema
    return app.openapi_schema
