"""Tables and picture say what was measured, and mark what was not."""

import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.chart import draw
from benchmarks.laws import law_of
from benchmarks.lines import Results, read_results
from benchmarks.results import FollowUp, Measurement
from benchmarks.tables import describe, with_tables

OURS = Measurement(
    competitor="ours",
    title="dedup run",
    task="whole",
    tier="static",
    metric="euclidean",
    about="every default",
    corpus="1000",
    size=1000,
    seconds=2.0,
    peak_mib=321.0,
    process_seconds=2.0,
    stages={"read": 0.5, "join": 1.25, "write": 0.001},
    follow_ups={"rerun": FollowUp(0.75, 100.0), "query": FollowUp(0.35, 90.0)},
)
THEIRS = replace(OURS, competitor="theirs", title="FAISS flat", follow_ups={}, stages={}, task="join", recall=0.98765)
SQUARE = [replace(THEIRS, corpus=str(size), size=size, seconds=(size / 1000) ** 2) for size in (1000, 2000)]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """Measurements at 1,000 and 2,000 of which one competitor has the third size, and the other a law."""
    ours = [replace(OURS, corpus=str(n), size=n, seconds=n / 500) for n in (1000, 2000, 10_000)]
    labelled = replace(OURS, corpus="labelled", size=77, seconds=1.0, scores={"f1": 0.8125})
    law = law_of({each.size: each.seconds for each in SQUARE if each.seconds})
    assert law is not None
    file = tmp_path / "results.json"
    said = {
        "machine": {"processor": "A & B <C>", "cores": 4, "flags": ["avx2"], "memory_gib": 8.0},
        "versions": {"python": "3.11"},
        "conditions": {"dump": "made-up.csv", "sizes": [1000, 2000, 10_000], "limit_seconds": 9.0, "threads": 2},
        "competitors": ["ours", "theirs"],
        "measurements": [asdict(each) for each in (*SQUARE, *ours, labelled)],
        "laws": {"theirs": asdict(law)},
    }
    file.write_text(json.dumps(said), "utf-8")
    return read_results(file)


def rows_of(tables: str, title: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in row.split("|")[1:-1]] for row in tables.splitlines() if row.startswith(f"| {title}")
    ]


def test_a_row_has_the_seconds_of_every_size_and_speed_memory_and_f1(results: Results) -> None:
    whole = rows_of(describe(results), "dedup run")[0]
    assert whole == ["dedup run, static, L2", "every default", "2.00", "4.00", "20.0", "500", "321 MiB", "0.812"]


def test_what_was_not_measured_is_extrapolated_and_marked(results: Results) -> None:
    (join,) = rows_of(describe(results), "FAISS flat")
    assert join == ["FAISS flat, static, L2", "1.00", "4.00", "≈ 100", "0.9877", "321 MiB"]


def test_what_was_ended_at_the_limit_is_said_to_take_longer_than_that(results: Results, tmp_path: Path) -> None:
    said = json.loads((tmp_path / "results.json").read_text("utf-8"))
    ended = replace(THEIRS, corpus="10000", size=10_000, seconds=None, process_seconds=250.0, over_limit=True)
    said["measurements"].append(asdict(ended))
    (tmp_path / "results.json").write_text(json.dumps(said), "utf-8")
    (join,) = rows_of(describe(read_results(tmp_path / "results.json")), "FAISS flat")
    assert join[3] == "> 250"  # the law of the smaller sizes says 100


def test_follow_ups_and_stages_stand_in_tables_of_their_own(results: Results) -> None:
    rows = rows_of(describe(results), "dedup run")[1:]
    assert rows[0] == ["dedup run, static, L2", "1,000", "0.75", "0.35"]
    assert rows[-1] == ["dedup run, static, L2", "10,000", "20.0", "read 0.5, join 1.2"]


def test_only_what_is_between_the_markers_is_replaced() -> None:
    document = "before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n"
    once = with_tables(document, "new")
    assert once == "before\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nafter\n"
    assert with_tables(once, "new") == once


@pytest.mark.parametrize("document", ["", "<!-- bench:begin -->", "<!-- bench:end --><!-- bench:begin -->"])
def test_a_document_without_its_markers_is_refused(document: str) -> None:
    with pytest.raises(ValueError, match="bench:begin"):
        with_tables(document, "new")


def test_the_picture_is_xml_and_has_a_dot_for_every_point(results: Results) -> None:
    picture = ElementTree.fromstring(draw(results))
    dots = [each for each in picture.iter() if each.get("class", "").startswith("dot")]
    assert len(dots) == sum(len(line.points) for line in results.lines) == 6
    assert any("A & B <C>" in (each.text or "") for each in picture.iter())


def test_a_straight_law_is_a_straight_line_and_the_part_not_measured_is_dashed(results: Results) -> None:
    dashed = re.findall(r'<path class="FAISS guess" d="M([\d.]+),([\d.]+) L([\d.]+),([\d.]+)"/>', draw(results))
    solid = re.findall(r'<path class="FAISS" d="M([\d.]+),([\d.]+) L([\d.]+),([\d.]+)"/>', draw(results))
    (x2, y2, x3, y3), (x1, y1, _, _) = map(float, dashed[0]), map(float, solid[0])
    assert (y2 - y1) / (x2 - x1) == pytest.approx((y3 - y2) / (x3 - x2), rel=0.02)
