"""The commands: what they print, as text and as JSON, and how they end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command_line import Dedup
from corpora import KITCHEN, fake_classifier, made_up_features, read_csv, write_csv
from fakes import HashingEncoder
from labels import write_pairs

from dedup.classifier import load_classifier, save_classifier
from dedup.pipeline import run
from dedup.questions import Metric
from dedup.settings import FAST_ENCODER, Settings
from dedup.store import HEAD


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
    "reranked",
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
    assert status["encoding"].keys() == {"encoder", "runtime", "precision", "reason"}
    assert "generation" in dedup("status").out


def test_status_tells_what_is_pending_and_what_went_wrong(
    dedup: Dedup, kitchen: str, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    status = dedup("status", "--json").json
    assert (status["pending_questions"], status["generation"]["current"]) == (0, True)
    assert (status["last_success"]["run_id"], status["last_error"], status["job"]) == (1, None, None)
    assert status["generation"]["pair_recall"] == 1.0
    trigrams.fails_after = 0
    with pytest.raises(InterruptedError):
        run(
            [write_csv(tmp_path / "more.csv", [("7", "Why is it so?", 1), ("8", "Who says so?", 1)])],
            Settings(db=status["database"], indexes=tmp_path / "indexes", reports=tmp_path / "reports"),
        )
    later = dedup("status", "--json").json
    assert (later["pending_questions"], later["generation"]["current"]) == (2, False)
    assert later["generation"]["name"] == status["generation"]["name"]
    assert later["generation"]["age_seconds"] >= status["generation"]["age_seconds"] >= 0
    assert later["last_success"] == status["last_success"]
    assert (later["last_error"]["run_id"], later["last_error"]["error"]) == (2, "the encoder was stopped")


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
    pairs = write_pairs(tmp_path / "pairs.csv")
    ended = dedup("-q", "calibrate", pairs, "--prior", "0.5", "--json")
    assert isinstance(ended.json, dict)
    found = load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, Metric.EUCLIDEAN)
    assert list(ended.json) == [
        *("format", "encoder", "fingerprint", "metric", "slope", "intercept", "features", "prior", "fit"),
        *("identity", "file"),
    ]
    assert (ended.json["slope"], ended.json["identity"]) == (found.slope, found.identity)
    dedup("run", write_csv(tmp_path / "kitchen.csv", KITCHEN))
    told = dedup("explain", "1", "3", "--json").json
    assert isinstance(told, dict)
    assert told["classifier"]["slope"] == found.slope
    assert told["classifier"]["identity"] == found.identity
    assert (found.fit["labelled"], found.prior) == (40, 0.5)
    assert "fitted on 40 pairs at a prior of 0.5" in dedup("calibrate", pairs, "--prior", "0.5", "--anew").out


def test_calibrate_adapts_the_shipped_classifier_unless_told_to_forget_it(
    dedup: Dedup, settings: Settings, trigrams: HashingEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = fake_classifier(Metric.EUCLIDEAN, trigrams, made_up_features(Metric.EUCLIDEAN))
    monkeypatch.setattr("dedup.calibration.shipped_classifier", lambda fingerprint, metric: shipped)
    pairs = write_pairs(tmp_path / "pairs.csv")
    ended = dedup("calibrate", pairs, "--prior", "0.369")
    assert "adapted to 40 pairs at a prior of 0.369" in ended.out
    assert "to the log-odds for each unit of rare word missing above 0.600" in ended.out
    adapted = load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, Metric.EUCLIDEAN)
    assert adapted.fit["adapted_from"] == shipped.identity
    assert adapted.feature_names == shipped.feature_names
    assert "adapted" not in dedup("calibrate", pairs, "--anew").out
    anew = load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, Metric.EUCLIDEAN)
    assert anew.feature_names == ()


def test_explain_tells_what_each_feature_adds_and_what_is_not_known(
    dedup: Dedup, settings: Settings, trigrams: HashingEncoder, kitchen: str
) -> None:
    classifier = fake_classifier(Metric.EUCLIDEAN, trigrams, made_up_features(Metric.EUCLIDEAN))
    save_classifier(classifier, settings.indexes)
    told = dedup("explain", "Can 3 cats eat rice?", "Can 4 cats eat rice?", "--json").json
    crowding, missing, numbers = told["classifier"]["features"]
    assert crowding == {"name": "crowding", "value": None, "typical": 2.3, "log_odds": 0.0}  # of five questions
    assert numbers == {"name": "different_numbers", "value": 1.0, "typical": 0.0, "log_odds": -2.0}
    assert 0 < missing["value"] <= 1
    text = dedup("explain", "Can 3 cats eat rice?", "Can 4 cats eat rice?").out
    assert "crowding not known: +0.00 to the log-odds" in text
    assert "different numbers 1.000, typically 0.000: -2.00 to the log-odds" in text


def test_fast_is_short_for_the_static_encoder(dedup: Dedup) -> None:
    shown = dedup("config", "show", "--fast", "--json").json
    assert shown["encoder"] == {"value": FAST_ENCODER, "origin": "--encoder"}
    refused = dedup("config", "show", "--fast", "--encoder", "other")
    assert (refused.code, "--fast chooses an encoder; leave --encoder out" in refused.err) == (2, True)


def with_thresholds(settings: Settings, encoder: HashingEncoder, metric: Metric, threshold: float) -> None:
    classifier = fake_classifier(metric, encoder)
    at = {"wanted": 0.9, "threshold": threshold, "precision": 0.9, "low": 0.8, "high": 0.95, "recall": 0.5}
    save_classifier(replace(classifier, fit={**classifier.fit, "precision": [at]}), settings.indexes)


def test_a_wanted_precision_or_a_cost_is_a_threshold(
    dedup: Dedup, settings: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    with_thresholds(settings, trigrams, Metric.EUCLIDEAN, 0.88)
    dump = write_csv(tmp_path / "kitchen.csv", KITCHEN)
    by_threshold = dedup("run", dump, "--threshold", "0.88", "--json").json
    by_precision = dedup("run", dump, "--precision", "0.85", "--json").json
    assert by_precision["duplicate_pairs"] == by_threshold["duplicate_pairs"]
    assert by_precision["generation"] == by_threshold["generation"]  # nothing had changed
    told = dedup("explain", "1", "3", "--json").json
    assert told["threshold"] == 0.88
    dedup("run", dump, "--cost-ratio", "3")
    assert dedup("explain", "1", "3", "--json").json["threshold"] == 0.75
    dedup("run", dump, "--cost-ratio", "0.05")  # a low threshold pulls the floors down
    assert dedup("explain", "1", "3", "--json").json["threshold"] == pytest.approx(0.05 / 1.05)


def test_a_precision_of_a_query_is_that_of_the_classifier_in_service(
    dedup: Dedup, settings: Settings, trigrams: HashingEncoder, tmp_path: Path
) -> None:
    with_thresholds(settings, trigrams, Metric.EUCLIDEAN, 0.999)
    with_thresholds(settings, trigrams, Metric.MANHATTAN, 0.01)
    dedup("run", write_csv(tmp_path / "kitchen.csv", KITCHEN), "--metric", "manhattan")
    matches = dedup("query", "How do I boil two eggs?", "--precision", "0.9", "--json").json["matches"]
    assert [match["duplicate"] for match in matches] == [match["probability"] >= 0.01 for match in matches]
    assert any(0.01 <= match["probability"] < 0.5 for match in matches)
    matches = dedup("query", "How do I boil two eggs?", "--cost-ratio", "99", "--json").json["matches"]
    assert not any(match["duplicate"] for match in matches)


def test_a_prior_is_taken_up_by_those_who_read_the_result(dedup: Dedup, tmp_path: Path) -> None:
    dump = write_csv(tmp_path / "kitchen.csv", KITCHEN)
    dedup("run", dump)
    before = dedup("explain", "1", "3", "--json").json
    dedup("run", dump, "--prior", "0.1")
    after = dedup("explain", "1", "3", "--json").json
    odds = [told["probability"] / (1 - told["probability"]) for told in (before, after)]
    assert odds[1] / odds[0] == pytest.approx((0.1 / 0.9) / (0.369 / 0.631))
    assert after["classifier"]["prior"] == 0.1
    nearest = dedup("query", "how do i boil eggs", "-k", "2", "--json").json["matches"][1]
    assert nearest["probability"] == pytest.approx(after["probability"])


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
    assert f"to revision {HEAD}" in dedup("db", "upgrade", "--db", url).out
    assert f"Already at revision {HEAD}" in dedup("db", "upgrade", "--db", url).out
    assert dedup("db", "current", "--db", url, "--json").json == {"revision": HEAD, "head": HEAD}


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
        (["run", "x.csv", "--prior", "1"], 2, "prior is '1' (from --prior); expected a number from 0.0001 to 0.9999"),
        (["run", "x.csv", "--precision", "1"], 2, "'--precision': 1.0 is not in the range"),
        (["run", "x.csv", "--cost-ratio", "0"], 2, "'--cost-ratio': 0.0 is not in the range"),
        (["run", "x.csv", "--precision", "0.9"], 1, "carries no threshold for a precision of 0.9"),
        (["run", "x.csv", "--precision", "0.9", "--cost-ratio", "2"], 2, "give one of --threshold, --precision and"),
        (["query", "why?", "--threshold", "0.9", "--precision", "0.9"], 2, "give one of --threshold, --precision and"),
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
