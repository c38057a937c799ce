"""`dedup evaluate`: the page it writes, and the scores of clusterings, against the tool that judges them elsewhere."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from command_line import Dedup
from corpora import KITCHEN, read_csv, write_csv
from labels import HEADER, write_pairs
from lxml import etree

ORACLE = Path(__file__).resolve().parents[2] / "../shared/tools/pairs_f1.py"

KITCHEN_PAIRS = [
    ("1", "3", "How do I boil an egg?", "How do I boil eggs?", 1),
    ("1", "2", "How do I boil an egg?", "how do i boil an egg", 1),
    ("4", "5", "What is the tallest tree in the world?", "Which is the tallest tree in the world?", 1),
    ("4", "6", "What is the tallest tree in the world?", "Can cats eat rice?", 1),
    ("3", "6", "How do I boil eggs?", "Can cats eat rice?", 0),
    ("3", "10", "How do I boil eggs?", "HOW DO I BOIL AN EGG???", 0),
    ("7", "6", "Can dogs eat rice?", "Can cats eat rice?", 0),
]


@pytest.fixture
def kitchen(dedup: Dedup, tmp_path: Path) -> str:
    """A file of labelled pairs of questions that have been clustered."""
    assert dedup("run", write_csv(tmp_path / "kitchen.csv", KITCHEN)).code == 0
    return write_csv(tmp_path / "labels.csv", KITCHEN_PAIRS, HEADER)


def test_the_page_shows_the_scores_that_are_printed(dedup: Dedup, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv")
    found = dedup("-q", "evaluate", pairs, "--html", "out/page.html", "--json").json
    assert found["html"] == "out/page.html"
    plain = dedup("-q", "evaluate", pairs, "--json").json
    assert found == {**plain, "html": "out/page.html"}
    page = etree.parse("out/page.html")
    shown = " ".join(page.xpath("string(//main)").split())
    for name in ("average_precision", "f1", "ece"):
        low, high = found["intervals"][name]
        assert f"{name.replace('_', ' ')}{found[name]:.4f}{low:.4f}{high:.4f}" in shown.replace(" 0.", "0.")
    assert "Written to other.html" in dedup("evaluate", pairs, "--html", "other.html").out


def test_a_page_that_cannot_be_written_is_refused_before_any_work(dedup: Dedup, tmp_path: Path, trigrams) -> None:
    Path("file").write_text("not a folder")
    ended = dedup("evaluate", write_pairs(tmp_path / "pairs.csv"), "--html", "file/page.html")
    assert ended.code == 1
    assert "cannot be written" in ended.err
    assert not trigrams.encoded


def test_clusters_in_service_and_exported_ones_score_alike(dedup: Dedup, kitchen: str) -> None:
    recorded = dedup("-q", "evaluate", kitchen, "--clusters", "recorded", "--json").json
    for file in ("clusters.csv", "clusters.parquet"):
        dedup("export", "clusters", file)
        assert dedup("-q", "evaluate", kitchen, "--clusters", file, "--json").json == recorded
    assert list(recorded) == [
        "n",
        "positives",
        "prior",
        "clusters",
        "pairwise",
        "b_cubed",
        "intervals",
        "b_cubed_against",
    ]
    assert (recorded["n"], recorded["positives"], recorded["prior"], recorded["clusters"]) == (7, 4, 0.369, 2)
    # Of four duplicates three are together, of three others one.
    precision = 0.369 * 0.75 / (0.369 * 0.75 + 0.631 / 3)
    assert recorded["pairwise"]["recall"] == 0.75
    assert recorded["pairwise"]["precision"] == pytest.approx(precision)
    # Labelled as one: {1, 2, 3, 10} (by text key, 10 is 1), {4, 5, 6} and {7}; found: {1, 2, 3, 10}, {4, 5}, {6}, {7}.
    assert recorded["b_cubed"]["precision"] == 1.0
    assert recorded["b_cubed"]["recall"] == pytest.approx((4 * 1 + 2 * 2 / 3 + 1 / 3 + 1) / 8)
    for scores in recorded["intervals"].values():
        assert all(low <= high for low, high in scores.values())


def test_questions_in_no_cluster_are_on_their_own_and_counted(
    dedup: Dedup, kitchen: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended = dedup("evaluate", kitchen, "--clusters", "recorded")
    assert "1 of 8 labelled questions are not among the clusters of the database" in caplog.text
    assert "B-cubed, against the connected components of the duplicate labels:" in ended.out


@pytest.mark.skipif(not ORACLE.is_file(), reason="the tool that judges clusterings elsewhere is not here")
@pytest.mark.parametrize("prior", [0.3692, 0.5])
def test_pairwise_scores_are_those_of_the_tool_that_judges_elsewhere(
    dedup: Dedup, kitchen: str, tmp_path: Path, prior: float
) -> None:
    spec = importlib.util.spec_from_file_location("pairs_f1", ORACLE)
    assert spec is not None
    assert spec.loader is not None
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    # A clustering that parts texts of one key, knows not every question and has one twice: it counts as it is written.
    rows = [(text, number % 3) for number, (_, text, _) in enumerate(KITCHEN[:-1])] + [(KITCHEN[0][1], 1)]
    clusters = write_csv(tmp_path / "clusters.csv", rows, ("question", "cluster"))
    expected = oracle.score(
        {row["question"]: row["cluster"] for row in read_csv(Path(clusters))}, read_csv(Path(kitchen)), prior
    )
    found = dedup("-q", "evaluate", kitchen, "--clusters", clusters, "--prior", str(prior), "--json").json
    for name, score in found["pairwise"].items():
        assert round(score, 4) == expected[name], name
    assert 0 < found["pairwise"]["f1"] < 1


@pytest.mark.parametrize("column", ["question", "id"])
def test_labelled_clusters_judge_by_text_or_by_id(dedup: Dedup, kitchen: str, tmp_path: Path, column: str) -> None:
    truth = {"1": "egg", "2": "egg", "3": "egg", "10": "egg", "4": "tree", "5": "other", "6": "other"}
    rows = [(own_id if column == "id" else text, truth[own_id]) for own_id, text, _ in KITCHEN]
    labels = write_csv(tmp_path / "truth.csv", rows, (column, "cluster"))
    ended = dedup("-q", "evaluate", "--labelled-clusters", labels, "--clusters", "recorded", "--json")
    # Found: {1, 2, 3, 10}, {4, 5}, {6}. Of 7 pairs found 6 are true, of 7 true ones 6 are found.
    found = ended.json
    assert (found["n"], found["positives"], found["prior"]) == (21, 7, pytest.approx(1 / 3))
    assert found["pairwise"] == pytest.approx({"precision": 6 / 7, "recall": 6 / 7, "f1": 6 / 7})
    assert found["b_cubed"]["precision"] == pytest.approx((4 + 0.5 + 0.5 + 1) / 7)
    assert found["b_cubed"]["recall"] == pytest.approx((4 + 1 + 0.5 + 0.5) / 7)
    assert found["b_cubed_against"] == "the labelled clusters"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Give either PAIRS or --labelled-clusters"),
        (("x.csv", "--labelled-clusters", "y.csv"), 2, "Give either PAIRS or --labelled-clusters"),
        (("--labelled-clusters", "y.csv"), 2, "name it with --clusters"),
        (("x.csv", "--clusters", "recorded", "--html", "p.html"), 2, "leave it out with --clusters"),
        (("x.csv", "--clusters", "missing.csv"), 1, "x.csv"),
        (("--labelled-clusters", "y.csv", "--clusters", "recorded"), 1, "y.csv"),
    ],
)
def test_what_does_not_go_together_is_said(dedup: Dedup, arguments: tuple[str, ...], code: int, said: str) -> None:
    ended = dedup("evaluate", *arguments)
    assert (ended.code, said in ended.err) == (code, True)


def test_labels_that_the_clustering_cannot_know_are_refused(dedup: Dedup, kitchen: str, tmp_path: Path) -> None:
    by_id = write_csv(tmp_path / "ids.csv", [("1", "a"), ("2", "a"), ("3", "b")], ("id", "cluster"))
    ended = dedup("evaluate", kitchen, "--clusters", by_id)
    assert ended.code == 1
    assert "ids.csv has no question to know by its question" in ended.err
