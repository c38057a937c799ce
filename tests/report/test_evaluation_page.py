"""The page of an evaluation shows what was found, loads nothing, and is not changed by what a text holds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from evaluation_reports import ARRAYS, EVALUATION, TEXTS, N, changed, described, parsed
from lxml import etree, html
from report_pages import classed, percent, rows, said, section
from test_hostile_texts import HOSTILE, skeleton

from dedup.errors import DedupError
from dedup.report.evaluation_page import ABOUT, SECTIONS, render_evaluation, write_evaluation


def test_every_score_is_shown_with_its_interval_and_what_it_says() -> None:
    found = EVALUATION.evaluation
    table = rows(section(parsed(EVALUATION), "All scores"))
    assert [row[0].replace(" ", "_") for row in table] == list(found.scores) == list(ABOUT)
    for row, (name, score) in zip(table, found.scores.items(), strict=True):
        assert [float(cell) for cell in row[1:4]] == pytest.approx([score, *found.intervals[name]], abs=5e-5)
        assert row[4] == ABOUT[name]


def test_the_headline_names_the_average_precision_the_pairs_and_the_prior() -> None:
    page = parsed(EVALUATION)
    precision = EVALUATION.evaluation.scores["average_precision"]
    assert said(page.find(".//h1")) == f"{precision:.3f} average precision on 400 labelled pairs."
    assert "as if they were 36.9% of the pairs" in said(classed(page, "lede")[0])


def test_the_threshold_is_marked_where_its_precision_and_recall_are() -> None:
    part = section(parsed(EVALUATION), "Precision and recall at every threshold")
    (point,) = part.iter("circle")
    scores = EVALUATION.evaluation.scores
    assert percent(point, "cx") == pytest.approx(100 * scores["recall"], abs=1e-3)
    assert percent(point, "cy") == pytest.approx(100 - 100 * scores["precision"], abs=1e-3)
    assert "threshold 0.5" in [said(text) for text in part.iter("text")]


def test_tables_say_what_the_pictures_show() -> None:
    page = parsed(EVALUATION)
    curve = rows(section(page, "Precision and recall at every threshold"))
    assert [row[0] for row in curve] == [f"{recall / 100:.2f}" for recall in range(0, 101, 5)]
    assert [float(row[1]) for row in curve[1:]] == pytest.approx(
        EVALUATION.precision_recall.precision[10::10], abs=6e-4
    )
    reliability = rows(section(page, "Whether the probability can be believed"))
    bins = [row for row in reliability if len(row) == 7]
    assert sum(int(row[2]) for row in bins) == N
    points = list(section(page, "Whether the probability can be believed").iter("circle"))
    assert len(points) == len(bins) == len(EVALUATION.reliability)
    for point, one in zip(points, EVALUATION.reliability, strict=True):
        assert percent(point, "cx") == pytest.approx(100 * one.said, abs=1e-3)
        assert percent(point, "cy") == pytest.approx(100 - 100 * one.came_true, abs=1e-3)
    distances = rows(section(page, "How far apart duplicates and other pairs are"))
    assert sum(int(row[2]) for row in distances) == ARRAYS["duplicate"].sum()
    assert sum(int(row[3]) for row in distances) == (~ARRAYS["duplicate"]).sum()


def test_every_picture_has_a_name_a_description_and_its_figures() -> None:
    page = parsed(EVALUATION)
    pictures = [picture for picture in page.iter("svg") if picture.get("role") == "img"]
    assert len(pictures) == 4
    identifiers = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers))
    for picture in pictures:
        named = {element.get("id"): said(element) for element in picture if element.get("id")}
        assert picture.get("aria-labelledby").split() == list(named)
        assert all(named.values())
    for heading in (
        "Precision and recall at every threshold",
        "Whether the probability can be believed",
        "How far apart duplicates and other pairs are",
    ):
        assert section(page, heading).find("details/div/table/caption") is not None


def test_the_worst_mistakes_are_shown_worst_first_and_the_rest_are_counted() -> None:
    probability, duplicate = ARRAYS["probability"], ARRAYS["duplicate"]
    for heading, wrong, sign in (
        ("Found to be duplicates, labelled as different", (probability >= 0.5) & ~duplicate, -1),
        ("Labelled as duplicates, not found", (probability < 0.5) & duplicate, 1),
    ):
        part = section(parsed(EVALUATION), heading)
        worst = sorted(np.flatnonzero(wrong), key=lambda row: sign * probability[row])
        shown = [[said(text) for text in classed(item, "text")] for item in part.iter("li")]
        assert shown == [list(TEXTS[row]) for row in worst[:20]]
        left = len(worst) - len(shown)
        assert [said(more) for more in classed(part, "more")] == ([f"and {left} more"] if left else [])


def test_words_that_the_other_question_lacks_are_marked() -> None:
    part = section(parsed(EVALUATION), "Found to be duplicates, labelled as different")
    left, right = classed(next(part.iter("li")), "text")
    assert [said(mark) for mark in left.iter("mark")] == ["how", "do", "I"]
    assert [said(mark) for mark in right.iter("mark")] == ["what", "is", "the", "way", "to"]


def test_no_mistakes_are_said_to_be_none() -> None:
    page = parsed(changed(false_positives=(), false_negatives=(), mistakes=(0, 0)))
    assert [said(empty) for empty in classed(page, "empty")] == [
        "None: no pair that is labelled as different reaches the threshold.",
        "None: every duplicate reaches the threshold.",
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is_and_makes_no_element(text: str) -> None:
    hostile = described(tuple((text, text) for _ in range(N)), text)
    page = parsed(hostile)
    shown = {"".join(element.itertext()) for element in classed(page, "text")}
    assert shown == {text}
    assert skeleton(page) == skeleton(parsed(described(tuple(("plain", "plain") for _ in range(N)), "plain")))
    lenient = html.fromstring(render_evaluation(hostile).encode(), parser=html.HTMLParser(encoding="utf-8"))
    assert lenient.xpath("string(//main)") == page.xpath("string(//main)")


def test_the_page_refers_to_nothing_outside_itself() -> None:
    page = render_evaluation(EVALUATION)
    for outside in ("http:", "https:", "//", "src=", "href", "@import", "url(", "javascript:"):
        assert outside not in page, outside
    policy = parsed(EVALUATION).find(".//meta[@http-equiv='Content-Security-Policy']").get("content")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")


def test_every_class_that_is_used_is_styled() -> None:
    page = parsed(EVALUATION)
    style = page.find(".//style").text
    used = {name for element in page.find("body").iter() for name in (element.get("class") or "").split()}
    unstyled = {name for name in used if not re.search(rf"\.{name}\b", style)}
    assert unstyled <= {"role"}


def test_the_page_has_every_section_in_its_order() -> None:
    page = parsed(EVALUATION)
    assert len(page.find("body/main")) == len(SECTIONS) + 2  # scores and mistakes have two each
    levels = [int(element.tag[1]) for element in page.iter("h1", "h2", "h3")]
    assert levels == [1] + [2] * 7


def test_the_file_holds_the_page_and_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "not there" / "page.html"
    write_evaluation(EVALUATION, file)
    assert file.read_bytes() == render_evaluation(EVALUATION).encode()
    assert etree.parse(file).getroot().tag == "html"
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DedupError, match="cannot be written"):
        write_evaluation(EVALUATION, tmp_path / "file" / "page.html")
