"""`dedup serve`: the HTTP service."""

from __future__ import annotations

import os
from importlib.util import find_spec

import click

from dedup.cli.options import setting_options
from dedup.errors import DedupError
from dedup.settings import Resolved


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port to listen at.")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    default=500.0,
    show_default=True,
    help="How many requests a second one token may send.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a query may wait for its answer.",
)
@setting_options("db", "indexes", "encoder", "metric", "threshold", "prior", "rerank", "reranker")
def serve(host: str, port: int, rate: float, time_limit: float, resolved: Resolved) -> None:
    """Answer queries over HTTP, and take new questions.

    GET /openapi.json describes the interface. Without an access token the service listens on this machine alone; `dedup
    token create` makes one.
    """
    if missing := [package for package in ("fastapi", "uvicorn") if find_spec(package) is None]:
        raise DedupError(
            f"the service needs {' and '.join(missing)}, which is not installed; "
            "run `pip install 'question-dedup[service]'`"
        )
    # A query is small, and many come at once: each has a core of its own. Threads that share one query's arithmetic
    # wait for each other longer than they save, and NumPy and FAISS read this when they are loaded.
    os.environ["OMP_NUM_THREADS"] = "1"
    from dedup.service.engine import Limits
    from dedup.service.server import serve

    serve(resolved, host=host, port=port, limits=Limits(rate=rate, seconds=time_limit))
