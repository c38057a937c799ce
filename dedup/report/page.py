"""The page: a report's contents put into the templates, and the file written."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dedup.artifacts import replacing
from dedup.report import figures
from dedup.report.charts import draw_histogram
from dedup.report.contents import RunReport

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS = ("headline", "clusters", "distances", "stages", "counts", "provenance", "rejects")
"""The sections in the order of the page: each is the template of its name."""

# What a question may hold and a page may not: control characters and halves of surrogate pairs, which no encoding of
# a file can carry. They are shown as U+FFFD, so that a reader sees that something stood there.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def render_report(report: RunReport) -> str:
    """Return the report as one HTML page that loads nothing: no script, no font, no picture from elsewhere.

    A function of ``report`` alone. Question texts are shown exactly as they are, and never read as HTML.
    """
    page = _templates().get_template("page.html.j2")
    rendered = page.render(
        report=report,
        sections=SECTIONS,
        histogram=draw_histogram(report.histogram_edges, report.histogram_counts, report.cutoff, report.classifier),
    )
    return _UNPRINTABLE.sub("\ufffd", rendered)


def run_name(run_id: int, started: datetime) -> str:
    """Return what the files of a run are named by: its start, and its number, which two databases may share."""
    return f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{run_id:06d}"


def write_report(report: RunReport, folder: Path) -> Path:
    """Write the report as ``run-<time>-000012.html`` into ``folder`` and return the file.

    Raises
    ------
    DedupError
        Where it cannot be written (permissions, disk full). What was there before stays.
    """
    file = folder / f"run-{run_name(report.run_id, report.started)}.html"
    page = render_report(report)
    with replacing(file) as beside:
        beside.write_text(page, "utf-8", newline="\n")
    return file


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("dedup.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        whole=figures.whole,
        counted=figures.counted,
        fraction=figures.fraction,
        share=figures.share,
        measure=figures.measure,
        seconds=figures.seconds,
        duration=figures.duration,
        rate=figures.rate,
        megabytes=figures.megabytes,
        fact=figures.fact,
    )
    return templates
