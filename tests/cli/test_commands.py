"""The commands: what they print, as text and as JSON, and how they end."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from corpora import KITCHEN, read_csv, write_csv
from fakes import HashingEncoder

from dedup.classifier import load_classifier
from dedup.cli import main
from dedup.questions import Metric
from dedup.settings import Settings


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


Dedup = Callable[..., Ended]


@pytest.fixture
def dedup(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Dedup:
    """Run a command in an empty folder, with the database and the indexes set through the environment."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("DEDUP_DB", settings.db)
    monkeypatch.setenv("DEDUP_INDEXES", str(settings.indexes))

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["dedup", *arguments])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@pytest.fixture
def kitchen(dedup: Dedup, tmp_path: Path) -> str:
    """The name of a dump that has been run."""
    dump = write_csv(tmp_path / "kitchen.csv", KITCHEN)
    assert dedup("run", dump).code == 0
    return dump


RUN_FIELDS = [
    "run_id",
    "read",
    "rejected",
    "exact_duplicates",
    "encoded",
    "candidate_pairs",
    "duplicate_pairs",
    "clusters",
    "seconds",
    "database",
    "generation",
]


def test_run_prints_one_object_with_the_promised_fields(dedup: Dedup, tmp_path: Path) -> None:
    dump = write_csv(tmp_path / "kitchen.csv", [*KITCHEN, ("9", "", 1)])
    ended = dedup("-q", "run", dump, "--json")
    assert ended.code == 0
    done = ended.json
    assert isinstance(done, dict)
    assert list(done) == RUN_FIELDS
    assert (done["run_id"], done["read"], done["rejected"], done["exact_duplicates"]) == (1, 8, 1, 2)
    assert done["encoded"] == 5
    assert done["clusters"] == 2


def test_run_says_what_was_rejected_and_where_it_is_kept(dedup: Dedup, tmp_path: Path) -> None:
    ended = dedup("run", write_csv(tmp_path / "kitchen.csv", [*KITCHEN, ("9", "", 1)]))
    (file,) = Path("reports").glob("rejects-*-000001.csv")
    assert "8 rows read, 7 new questions, 0 changed, 0 known, 1 rejected" in ended.out
    assert f"The rejected rows are kept in {file}." in ended.out
    assert "1 x the text (column question) is empty" in ended.out
    assert read_csv(file)[0]["row"] == "8"


def test_query_gives_the_promised_fields_nearest_first(dedup: Dedup, kitchen: str) -> None:
    answer = dedup("query", "How do I boil an egg", "-k", "3", "--json").json
    assert isinstance(answer, dict)
    assert list(answer) == ["query", "encoder", "metric", "matches"]
    assert (answer["query"], answer["encoder"], answer["metric"]) == ("How do I boil an egg", "trigrams", "euclidean")
    matches = answer["matches"]
    assert [list(match) for match in matches] == [
        ["id", "text", "distance", "probability", "duplicate", "cluster", "canonical"]
    ] * 3
    assert matches[0]["id"] == matches[0]["canonical"] == "2"
    assert [match["distance"] for match in matches] == sorted(match["distance"] for match in matches)


def test_the_source_is_shown_where_there_is_more_than_one(dedup: Dedup, kitchen: str, tmp_path: Path) -> None:
    dump = write_csv(tmp_path / "forum.csv", [("1", "Can dogs eat rice?", 1)])
    dedup("run", dump, "--source", "forum")
    answer = dedup("query", "Can dogs eat rice?", "-k", "2", "--json").json
    assert isinstance(answer, dict)
    assert [match["source"] for match in answer["matches"]] == ["forum", "default"]
    assert "forum" in dedup("query", "Can dogs eat rice?").out


def test_query_uses_the_metric_of_the_last_run_and_refuses_another(dedup: Dedup, tmp_path: Path) -> None:
    dedup("run", write_csv(tmp_path / "kitchen.csv", KITCHEN), "--metric", "manhattan")
    answer = dedup("query", "Can cats eat rice?", "--json").json
    assert isinstance(answer, dict)
    assert answer["metric"] == "manhattan"
    refused = dedup("query", "Can cats eat rice?", "--metric", "euclidean")
    assert refused.code == 1
    assert "has the metric manhattan, asked for was euclidean" in refused.err


def test_clusters_lists_the_largest_first(dedup: Dedup, kitchen: str) -> None:
    listed = dedup("clusters", "--json").json
    assert isinstance(listed, dict)
    assert [cluster["size"] for cluster in listed["clusters"]] == [4, 2]
    assert listed["clusters"][0]["canonical"] == listed["clusters"][0]["members"][0]["id"] == "2"
    assert len(dedup("clusters", "--limit", "1", "--json").json["clusters"]) == 1  # type: ignore[index]
    assert "Which is the tallest tree in the world?" in dedup("clusters").out


def test_explain_tells_both_distances_classifier_and_chain(dedup: Dedup, kitchen: str) -> None:
    told = dedup("explain", "1", "3", "--json").json
    assert isinstance(told, dict)
    assert set(told["distance"]) == {"manhattan", "euclidean"}
    assert told["duplicate"] is True
    assert told["classifier"]["slope"] == 10.0
    assert (told["chain"][0]["left"], told["chain"][-1]["right"]) == ("1", "3")
    assert "Joined in one cluster by" in dedup("explain", "1", "3").out


@pytest.mark.parametrize(
    ("what", "columns"),
    [
        ("clusters", ["id", "question", "cluster", "canonical_id", "probability"]),
        ("pairs", ["left_id", "right_id", "left", "right", "distance", "probability"]),
        ("canonical", ["id", "question", "cluster", "size"]),
    ],
)
def test_exports_have_the_promised_columns(dedup: Dedup, kitchen: str, what: str, columns: list[str]) -> None:
    ended = dedup("export", what, "out.csv", "--json")
    rows = read_csv(Path("out.csv"))
    assert ended.json == {"what": what, "file": "out.csv", "rows": len(rows)}
    assert list(rows[0]) == columns


def test_export_pairs_holds_the_duplicates_or_as_many_as_asked_for(dedup: Dedup, kitchen: str) -> None:
    dedup("export", "pairs", "duplicates.csv")
    dedup("export", "pairs", "candidates.csv", "--min-probability", "0")
    duplicates, candidates = read_csv(Path("duplicates.csv")), read_csv(Path("candidates.csv"))
    assert duplicates == [pair for pair in candidates if float(pair["probability"]) >= 0.5]


def test_status_before_and_after_a_run(dedup: Dedup, tmp_path: Path) -> None:
    before = dedup("status")
    assert before.code == 1
    assert "run `dedup run DUMP` first" in before.err
    dedup("run", write_csv(tmp_path / "kitchen.csv", KITCHEN))
    status = dedup("status", "--json").json
    assert isinstance(status, dict)
    assert (status["questions"], status["texts"], status["clusters"]) == (7, 5, 2)
    assert status["generation"]["present"] is True
    assert status["last_run"]["state"] == "done"
    assert "generation" in dedup("status").out


def test_config_show_says_where_each_value_comes_from(dedup: Dedup, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("dedup.toml").write_text('threshold = 0.7\nmetric = "manhattan"\n')
    monkeypatch.setenv("DEDUP_METRIC", "euclidean")
    monkeypatch.setenv("DEDUP_DB", "postgresql+psycopg://me:secret@host/name")
    shown = dedup("config", "show", "--batch-size", "8", "--json")
    assert isinstance(shown.json, dict)
    assert shown.json["threshold"] == {"value": 0.7, "origin": "dedup.toml"}
    assert shown.json["metric"] == {"value": "euclidean", "origin": "DEDUP_METRIC"}
    assert shown.json["batch_size"] == {"value": 8, "origin": "--batch-size"}
    assert shown.json["index"] == {"value": "auto", "origin": "default"}
    assert "secret" not in shown.out + dedup("config", "show").out


def test_calibrate_writes_a_classifier_that_later_runs_use(
    dedup: Dedup, settings: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    header = ("qid1", "qid2", "question1", "question2", "is_duplicate")
    alike = [(f"a{n}", f"b{n}", f"how to boil {n} eggs", f"how do I boil {n} eggs", 1) for n in range(20)]
    unlike = [(f"c{n}", f"d{n}", f"how to boil {n} eggs", f"where do {n} cats live", 0) for n in range(20)]
    pairs = write_csv(tmp_path / "pairs.csv", [*alike, *unlike], header)
    ended = dedup("-q", "calibrate", pairs, "--prior", "0.5", "--json")
    assert isinstance(ended.json, dict)
    found = load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, Metric.EUCLIDEAN)
    assert ended.json["slope"] == found.slope
    dedup("run", write_csv(tmp_path / "kitchen.csv", KITCHEN))
    told = dedup("explain", "1", "3", "--json").json
    assert isinstance(told, dict)
    assert told["classifier"]["slope"] == found.slope
    assert found.fit["labelled"] == 40
    assert found.fit["prior"] == 0.5


def test_evaluate_judges_the_installed_classifier_and_threshold(dedup: Dedup, tmp_path: Path) -> None:
    header = ("qid1", "qid2", "question1", "question2", "is_duplicate")
    alike = [(f"a{n}", f"b{n}", f"how to boil {n} eggs", f"how do I boil {n} eggs", 1) for n in range(20)]
    unlike = [(f"c{n}", f"d{n}", f"how to boil {n} eggs", f"where do {n} cats live", 0) for n in range(10)]
    pairs = write_csv(tmp_path / "pairs.csv", [*alike, *unlike, ("e", "f", "", "no text", 1)], header)
    ended = dedup("evaluate", pairs, "--prior", "0.2", "--json")
    found = ended.json
    assert isinstance(found, dict)
    scores = ["average_precision", "roc_auc", "accuracy", "f1", "precision", "recall", "log_loss", "brier", "ece"]
    made_by = ["threshold", "encoder", "metric", "classifier", "intervals"]
    assert list(found) == ["n", "positives", "prior", *scores, *made_by]
    assert (found["n"], found["positives"], found["prior"], found["threshold"]) == (30, 20, 0.2, 0.5)
    assert list(found["intervals"]) == scores
    assert found["roc_auc"] == 1.0
    assert "average precision" in dedup("evaluate", pairs).out


def test_db_upgrade_and_current(dedup: Dedup, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    assert "empty" in dedup("db", "current", "--db", url).out
    assert "to revision 0001" in dedup("db", "upgrade", "--db", url).out
    assert "Already at revision 0001" in dedup("db", "upgrade", "--db", url).out
    assert dedup("db", "current", "--db", url, "--json").json == {"revision": "0001", "head": "0001"}


def test_escape_sequences_in_a_question_do_not_reach_the_terminal(dedup: Dedup, tmp_path: Path) -> None:
    rows = [("1", "Is this \x1b[31mred\x1b[0m?", 1), ("2", "is this \x1b[31mred\x1b[0m", 2)]
    dedup("run", write_csv(tmp_path / "red.csv", rows))
    for command in (["clusters"], ["query", "is this red"], ["explain", "1", "2"]):
        assert "\x1b" not in dedup(*command).out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "missing.csv"], 1, "missing.csv"),
        (["run", "."], 1, "."),
        (["run"], 2, "Missing argument"),
        (["run", "x.csv", "--on-error", "maybe"], 2, "maybe"),
        (["run", "x.csv", "--threshold", "2"], 2, "threshold is '2' (from --threshold); expected a number from 0.001"),
        (["run", "x.csv", "--metric", "cosine"], 2, "'cosine' is not one of 'manhattan', 'euclidean'"),
        (["run", "x.csv", "--db", "mysql://host/name"], 1, "mysql"),
        (["run", "x.csv", "--db", "nonsense"], 1, "the database's address cannot be read"),
        (["query", "why?"], 1, "run `dedup run DUMP` first"),
        (["export", "pairs", "x.xlsx"], 1, "run `dedup run DUMP` first"),
        (["--config", "none.toml", "status"], 1, "none.toml"),
    ],
)
def test_a_mistake_ends_in_one_line_and_its_exit_code(dedup: Dedup, arguments: list[str], code: int, said: str) -> None:
    ended = dedup(*arguments)
    assert ended.code == code
    assert said in ended.err
    assert "Traceback" not in ended.err
    if code == 1:
        assert len(ended.err.strip().splitlines()) == 1


def test_a_damaged_index_is_refused_by_name(dedup: Dedup, kitchen: str, settings: Settings) -> None:
    index = next(settings.indexes.glob("generation-*/index.faiss"))
    index.write_bytes(index.read_bytes()[:-4])
    ended = dedup("query", "why?")
    assert ended.code == 1
    assert index.parent.name in ended.err
    assert "run `dedup run` again" in ended.err
