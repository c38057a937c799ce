"""The page shows what the run found; its file is whole or not there."""

import errno
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from report_pages import classed, parsed, percent, rows, said, section
from run_reports import COFFEE, NOTHING, REPORT, changed

from dedup.errors import DedupError
from dedup.report import render_report, write_report


def test_every_number_is_on_the_page() -> None:
    page = " ".join(" ".join(parsed(REPORT).find("body").itertext()).split())
    for number in (
        *("Run 12", "9 March 2026, 02:05 UTC", "0.1.0", REPORT.database, REPORT.generation, REPORT.encoder),
        *(REPORT.fingerprint, "Euclidean distance, smaller is closer", "pq", "0.9968", ">0.9999"),
        *("probability 0.55, distance 0.74442", "probability 0.21", "probability 0.13", "7.9321", "−6.10551"),
        *("own/pairs.tsv", "10,210", "0.3", "scikit-learn 1.7", "28.3%"),
        *("crowding", "4.5123 for each unit above 0.91287", "swapped", "−1.61803 for each unit above 0"),
        *("641,050", "14", "640,000", "639,173", "827", "5,318", "24,771", "9,064", "31,204", "78,890"),
        *("21.40", "1,480.33", "74.40", "3.91", "0.00", "1,580.05", "26 min 20 s"),
        *("11", "3", "the text is empty", "not valid UTF-8", "reports/rejects-000012.csv", "<0.1%"),
    ):
        assert re.search(rf"(?<![\w.,]){re.escape(number)}(?![\w]|[.,]\d)", page), number


def test_the_headline_is_the_share_of_questions_that_ask_what_another_asks() -> None:
    page = parsed(REPORT)
    assert said(page.find(".//h1")) == "12.3% of 640,000 questions ask what another one asks."  # 78,890 / 640,000
    assert said(classed(page, "lede")[0]) == (
        "Keeping only the canonical question of each cluster would leave 592,314 questions, 47,686 fewer."
    )
    figures = {said(group.find("dt")): said(group.find("dd/b")) for group in page.iterfind(".//dl/div")}
    assert figures == {
        "Questions": "640,000",
        "Exact duplicates": "827",
        "Duplicate pairs": "9,064",
        "Clusters": "31,204",
    }


def test_a_card_has_its_canonical_question_first_and_says_how_many_are_not_shown() -> None:
    largest = section(parsed(REPORT), "The largest clusters")
    coffee, tea = largest.iterfind("article")
    assert said(coffee.find("h3")) == "Cluster 3105"
    assert said(classed(coffee, "size")[0]) == "9 questions"
    assert said(classed(coffee, "weakest")[0]) == "weakest link 0.117"
    assert [said(text) for text in classed(coffee, "text")] == [
        "How do I make coffee?",
        "What is the way to make coffee?",
        "How is coffee made?",
        "Where does coffee come from?",
    ]
    assert [said(origin) for origin in classed(coffee, "origin")] == [
        "kitchen c0 canonical",
        "kitchen c1",
        "barista c2",
        "kitchen c3",
    ]
    assert said(classed(coffee, "more")[0]) == "and 5 more"  # 9, less the canonical one and three shown
    assert not classed(tea, "more")


def test_a_members_bar_is_as_long_as_its_probability_and_coloured_from_the_threshold() -> None:
    (card,) = section(parsed(REPORT), "The least certain clusters").iterfind("article")
    shown = [said(number).removeprefix("probability ") for number in classed(card, "probability")]
    assert shown == [">0.999", "0.812", "0.231"]
    bars = [bar for bar in card.iter("rect") if bar.get("class") != "track"]
    assert [percent(bar, "width") for bar in bars] == pytest.approx(
        [100 * member.probability for member in COFFEE.members], abs=0.01
    )
    assert [bar.get("class") for bar in bars] == ["duplicate", "duplicate", "candidate"]
    assert {percent(tick, "x1") for tick in card.iter("line")} == {55.0}


def test_the_histogram_has_bars_as_high_as_the_counts_and_the_threshold_in_its_place() -> None:
    part = section(parsed(REPORT), "How far apart the candidate pairs are")
    plot = part.find(".//figure/div/svg")
    bars = plot.findall("rect")
    counts = [3, 1_250, 11_000, 11_000, 12_518]  # the bin from 0.6 to 0.8 is drawn on both sides of the threshold
    height = [percent(bar, "height") for bar in bars]
    assert [h / height[-1] for h in height] == pytest.approx([count / 12_518 for count in counts], abs=1e-5)
    for bar in bars:
        assert percent(bar, "y") + percent(bar, "height") == pytest.approx(100)  # they stand on the floor
    assert [bar.get("class") for bar in bars] == ["duplicate"] * 3 + ["candidate"] * 2
    (threshold,) = (line for line in plot.iter("line") if line.get("class") == "threshold")
    assert percent(threshold, "x1") == percent(threshold, "x2") == pytest.approx(74.442)
    assert percent(bars[2], "x") + percent(bars[2], "width") == pytest.approx(74.442)
    assert percent(bars[3], "x") == pytest.approx(74.442)
    assert "threshold 0.55 at 0.74442" in [said(text) for text in plot.iter("text")]


def test_the_histogram_has_a_name_a_description_and_a_table_that_says_the_same() -> None:
    part = section(parsed(REPORT), "How far apart the candidate pairs are")
    plot = part.find(".//figure/div/svg")
    named = {element.get("id"): said(element) for element in plot if element.get("id")}
    assert plot.get("aria-labelledby").split() == list(named)
    assert "Euclidean distance" in named["distances-title"]
    assert "24,771 pairs in 5 bins from 0 to 1" in named["distances-desc"]
    assert "from 0.8 to 1, has 12,518" in named["distances-desc"]
    table = rows(part)
    assert [row[:3] for row in table] == [
        ["0", "0.2", "3"],
        ["0.2", "0.4", "0"],
        ["0.4", "0.6", "1,250"],
        ["0.6", "0.8", "11,000"],
        ["0.8", "1", "12,518"],
    ]
    middles = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
    expected = 1 / (1 + np.exp(7.9321 * middles - 6.10551))
    assert [float(row[3]) for row in table] == pytest.approx(expected, abs=0.0006)


def test_stages_keep_their_order_and_their_bars_are_their_shares() -> None:
    part = section(parsed(REPORT), "Where the time went")
    assert rows(part)[:5] == [
        ["read", "", "21.40", "1.4%"],
        ["encode", "", "1,480.33", "93.7%"],
        ["join", "", "74.40", "4.7%"],
        ["cluster", "", "3.91", "0.2%"],
        ["again", "", "0.00", "<0.1%"],
    ]
    bars = [percent(bar, "width") for bar in part.iter("rect") if bar.get("class") == "time"]
    total = sum(stage.seconds for stage in REPORT.stages)
    assert bars == pytest.approx([100 * stage.seconds / total for stage in REPORT.stages], abs=0.006)
    assert "together 26 min 20 s, in 1,235 MB of memory at the most" in said(part)


def test_each_stage_says_what_it_did_and_which_limit_it_came_nearest_to() -> None:
    (profile,) = section(parsed(REPORT), "Where the time went").iterfind(".//details")
    assert rows(profile) == [
        ["read", "641,050 questions", "29,956", "0.9", "writing", "18.4 MB/s", "310 MB/s", "5.9%"],
        ["encode", "5,318 questions", "3.6", "2.0", "bf16 products", "857 GFLOP/s", "1,740 GFLOP/s", "49.3%"],
        ["join", "4,096 cells", "55.1", "1.9", "fp32 products", "88.9 GFLOP/s", "151 GFLOP/s", "58.7%"],
        ["cluster", "24,771 pairs", "6,332", "1.0", "–", "–", "–", "–"],
        ["again", "1 files", "250", "1.0", "–", "–", "–", "–"],
    ]


def test_how_a_run_was_cut_into_shards_is_said_where_it_was() -> None:
    cut = {
        "shards": 40,
        "tasks": 118,
        "cells": 4096,
        "hot_cells": 3,
        "largest_cell": 20_123,
        "skew": 1.25,
        "replication": 2.5,
        "spilled": 3_456_000_000,
    }
    times = section(parsed(changed(cut=cut)), "Where the time went")
    (table,) = (table for table in times.iterfind(".//table") if said(table.find("caption")).startswith("Shards"))
    assert [said(cell) for cell in table.iterfind(".//td")] == (
        ["40", "118", "4,096", "3", "20,123", "2.50", "1.25", "3,456 MB"]
    )
    assert "cut into shards" not in said(section(parsed(REPORT), "Where the time went"))


def test_rejects_are_listed_by_reason_with_their_file() -> None:
    part = section(parsed(REPORT), "Rejected rows")
    assert rows(part) == [["the text is empty", "11"], ["not valid UTF-8", "3"]]
    assert "Set aside: 14 of 641,050 rows (<0.1%). Each is in reports/rejects-000012.csv." in said(part)
    assert "Each is in" not in said(section(parsed(changed(rejects_file=None)), "Rejected rows"))


def test_a_run_that_found_nothing_says_so() -> None:
    report = changed(
        counts={**NOTHING, "read": 612, "questions": 612},
        histogram_counts=np.zeros(5, np.int64),
        largest=(),
        least_certain=(),
        stages=(),
        rejects={},
        rejects_file=None,
    )
    page = parsed(report)
    assert said(page.find(".//h1")) == "None of 612 questions asks what another one asks."
    assert [said(empty) for empty in classed(page, "empty")] == [
        "There are no clusters: no two questions reach the match probability of 0.55.",
        "There are no candidate pairs: no two distinct texts reach the match probability of 0.21 from which a pair is "
        "recorded.",
        "No stage was timed.",
        "No row was rejected.",
    ]
    assert not list(page.iter("svg"))
    assert said(parsed(changed(counts=NOTHING)).find(".//h1")) == "There are no questions yet."


def test_a_threshold_that_no_distance_reaches_is_said_and_not_drawn() -> None:
    part = section(parsed(changed(cutoff=-0.2)), "How far apart the candidate pairs are")
    assert not classed(part, "threshold")
    assert "Not even equal vectors have the match probability 0.55" in said(part)
    assert {bar.get("class") for bar in part.find(".//figure/div/svg").findall("rect")} == {"candidate"}


def test_the_page_can_be_found_through_by_its_structure() -> None:
    page = parsed(REPORT)
    assert page.get("lang") == "en"
    assert said(page.find("head/title")) == "Run 12: duplicate questions"
    levels = [int(element.tag[1]) for element in page.iter("h1", "h2", "h3", "h4")]
    assert levels.count(1) == 1
    assert all(deeper <= level + 1 for level, deeper in pairwise([0, *levels]))  # no level is skipped
    assert all(table.find("caption") is not None and said(table.find("caption")) for table in page.iter("table"))
    assert all(cell.get("scope") in {"row", "col"} for cell in page.iter("th"))
    ids = [element.get("id") for element in page.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    for picture in page.iter("svg"):  # named, or hidden because the text beside it says the same
        named = picture.get("aria-labelledby") and set(picture.get("aria-labelledby").split()) <= set(ids)
        assert named or picture.get("aria-hidden") == "true" or picture.getparent().tag == "svg"


def luminance(colour: str) -> float:
    """Return relative luminance as WCAG 2.2 defines it."""
    channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_the_contrast_of_wcag_aa(scheme: str) -> None:
    style = parsed(REPORT).find(".//style").text
    light, dark = re.findall(r":root \{([^}]*--ink[^}]*)\}", style)
    colour = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", light if scheme == "light" else dark))
    for text in ("ink", "muted", "duplicate", "curve"):
        assert contrast(colour[text], colour["paper"]) >= 4.5, text
    for drawn in ("duplicate", "candidate", "curve", "ink"):
        assert contrast(colour[drawn], colour["paper"]) >= 3, drawn


def test_the_file_is_named_after_the_run_and_holds_the_page(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    file = write_report(REPORT, folder)
    assert file == folder / "run-20260309T020514Z-000012.html"
    assert file.read_bytes() == render_report(REPORT).encode()
    assert list(folder.iterdir()) == [file]


def test_a_report_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_report(REPORT, tmp_path)
    former = file.read_bytes()
    written: list[bytes] = []

    def full_disk(path: Path, target: Path) -> None:
        written.append(path.read_bytes())
        assert target == file
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", full_disk)
        with pytest.raises(DedupError, match=r"-000012\.html cannot be written: No space left on device; free"):
            write_report(changed(version="9.9.9"), tmp_path)
    assert b"9.9.9" in written[0]  # it was complete, beside the former one, before anything was replaced
    assert file.read_bytes() == former
    assert list(tmp_path.iterdir()) == [file]
    write_report(changed(version="9.9.9"), tmp_path)
    assert b"9.9.9" in file.read_bytes()


def test_a_folder_that_cannot_be_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file")
    with pytest.raises(DedupError, match="choose a writable folder") as caught:
        write_report(REPORT, tmp_path / "reports")
    assert "\n" not in str(caught.value)


def test_importing_the_room_loads_nothing_heavy() -> None:
    heavy = "{'jinja2', 'torch', 'faiss', 'sklearn', 'scipy', 'pyarrow', 'sqlalchemy'}"
    program = f"import sys, dedup.report; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
