"""Templates filled in, and the two files that pages load beside themselves."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from dedup.report import figures
from dedup.service.pages.sessions import CODE, Visit, remember
from dedup.service.problems import Problem

FILES: Mapping[str, str] = {"pages.css": "text/css", "pages.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""What pages load, with its media type; from here, and from nowhere else."""

# As in reports: control characters and halves of surrogate pairs are shown as U+FFFD.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def render(request: Request, visit: Visit, page: str, *, status: int = 200, **shown: Any) -> Response:
    """Return a page: the template ``page`` with what it shows; texts are never read as HTML."""
    written = _templates().get_template(f"{page}.html.j2").render(visit=visit, code_field=CODE, here=page, **shown)
    response = HTMLResponse(_UNPRINTABLE.sub("\ufffd", written), status)
    if visit.is_new:
        remember(response, request, visit.secret)
    return response


def render_problem(request: Request, problem: Problem) -> Response:
    """Return a page that tells a problem."""
    nobody = Visit(None, "", is_new=False, needs_login=False)
    response = render(request, nobody, "problem", status=problem.status, problem=problem)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


@cache
def file(name: str) -> bytes:
    """Return one of `FILES`."""
    return (resources.files("dedup.service.pages") / "static" / name).read_bytes()


@cache
def address(name: str) -> str:
    """Return where a browser finds one of `FILES`: it changes with the file, which may be kept for ever."""
    return f"/static/{hashlib.sha256(file(name)).hexdigest()[:12]}/{name}"


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("dedup.service.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        whole=figures.whole,
        counted=figures.counted,
        fraction=figures.fraction,
        measure=figures.measure,
        seconds=figures.seconds,
        percent=percent,
        short=lambda value: f"{value:.3g}".replace("-", "−"),
        moment=lambda time: f"{time:%Y-%m-%d %H:%M} UTC",
    )
    templates.globals.update(address=address)
    return templates


def percent(value: float) -> str:
    """Return a probability as a percentage with one decimal; what only rounds to 0 or 1 is not shown as that."""
    return figures.share(value, 1.0)
