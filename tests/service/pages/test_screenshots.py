"""The pictures of the documents, `make screenshots`: what the pages look like on the shipped example."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from service_site import Site, playwright

from dedup.store import Scope, Stratum, Verdict

FOLDER = os.environ.get("DEDUP_SCREENSHOTS")
MOST_BYTES = 600_000  # of all together

pytestmark = pytest.mark.skipif(FOLDER is None, reason="DEDUP_SCREENSHOTS names no folder; see `make screenshots`")


def test_pictures_of_the_documents(site: Site, visitor: Callable[..., playwright.Page]) -> None:
    assert FOLDER is not None
    judged_by_two(site)
    cluster = f"/clusters/{site.store.largest_clusters(1)[0].id}"
    for name, path, width, scheme in (
        ("search", "/", 1000, "light"),
        ("review", "/review", 1000, "light"),
        ("cluster", cluster, 1000, "dark"),
        ("labels", "/labels", 1000, "light"),
        ("review-phone", "/review", 360, "dark"),
    ):
        page = visitor(Scope.ADMIN, name="ana", width=width, height=760, scheme=scheme)
        page.goto(path)
        if name == "search":
            page.locator("#text").press_sequentially("how can i undo my last git commit?")
            page.get_by_text("Already asked").wait_for()
        if name == "labels":
            page.get_by_role("button", name="Recalibrate").click()
            page.get_by_text("Before and after").wait_for()
        if name == "review-phone":
            page.keyboard.press("s")
            page.get_by_role("button", name="Undo").wait_for()
        page.screenshot(path=Path(FOLDER) / f"{name}.png", full_page=name in ("cluster", "labels"))
    assert sum(file.stat().st_size for file in Path(FOLDER).glob("*.png")) < MOST_BYTES


def judged_by_two(site: Site) -> None:
    """Have two people judge pairs, as the example's words suggest, and disagree once in a while."""
    pairs = [pair for pair in site.store.pairs_from(0, 9_999) if pair.distance > 0]
    for at, pair in enumerate(pairs[:80]):
        same = (pair.probability >= 0.45) != (at % 9 == 0)
        for reviewer in ("bea", "cleo"):
            verdict = Verdict.SAME if same != (reviewer == "bea" and at % 20 == 0) else Verdict.DIFFERENT
            site.store.record_review(pair.left, pair.right, verdict, reviewer, Stratum.RANDOM)
