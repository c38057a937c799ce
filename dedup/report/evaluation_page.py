"""The page of an evaluation: its contents put into the templates, and the file written."""

from __future__ import annotations

from pathlib import Path

from dedup.artifacts import replacing
from dedup.report.evaluation_charts import draw_distances, draw_precision_recall, draw_reliability
from dedup.report.evaluation_contents import EvaluationReport
from dedup.report.page import _UNPRINTABLE, _templates

SECTIONS = ("headline", "scores", "precision_recall", "reliability", "distances", "mistakes")
"""The sections in the order of the page: each is the template of its name in the folder ``evaluation``."""

ABOUT = {
    "average_precision": "how well duplicates are ranked before other pairs, at every threshold",
    "roc_auc": "how often a duplicate is ranked before another pair",
    "accuracy": "pairs on the right side of the threshold",
    "f1": "the harmonic mean of precision and recall",
    "precision": "of the pairs at or above the threshold, those that are duplicates",
    "recall": "of the duplicates, those at or above the threshold",
    "log_loss": "how surprising the labels are; 0 is best",
    "brier": "the mean squared error of the probability; 0 is best",
    "ece": "the mean gap between probability and what came true; 0 is best",
}
"""What each score of `dedup.evaluation.Evaluation` says, for people."""


def render_evaluation(report: EvaluationReport) -> str:
    """Return the evaluation as one HTML page that loads nothing: no script, no font, no picture from elsewhere.

    A function of ``report`` alone. Question texts are shown exactly as they are, and never read as HTML.
    """
    page = _templates().get_template("evaluation/page.html.j2")
    rendered = page.render(
        report=report,
        sections=SECTIONS,
        about=ABOUT,
        curve=draw_precision_recall(report.precision_recall, report.evaluation),
        diagram=draw_reliability(report.reliability, report.said),
        histogram=draw_distances(report.distance_edges, report.duplicate_counts, report.other_counts),
    )
    return _UNPRINTABLE.sub("\ufffd", rendered)


def write_evaluation(report: EvaluationReport, file: Path) -> None:
    """Write the evaluation as a page into ``file``.

    Raises
    ------
    DedupError
        Where it cannot be written (permissions, disk full). What was there before stays.
    """
    page = render_evaluation(report)
    with replacing(file) as beside:
        beside.write_text(page, "utf-8", newline="\n")
