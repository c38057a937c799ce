"""`--rerank`: what the commands print of it, what they take from each other, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from command_line import Dedup
from corpora import KITCHEN, many_questions, write_csv
from fakes import SharedWords

from dedup.settings import Settings
from dedup.text import normalise

HEADER = ("question1", "question2", "is_duplicate")


@pytest.fixture
def labels(tmp_path: Path) -> str:
    """Pairs of questions that are the likelier to be duplicates, the more words they share."""
    asked = [text for _, text, _ in many_questions(2400)]
    pairs = [
        (left, " ".join([*left.split()[:3], *right.split()[3:]]))
        for left, right in zip(asked[::2], asked[1::2], strict=True)
    ]
    score = SharedWords().score(pairs, lambda _: None)
    duplicate = np.random.default_rng(0).random(len(pairs)) < 1 / (1 + np.exp(-2 * score))
    rows = [(*pair, int(label)) for pair, label in zip(pairs, duplicate, strict=True)]
    return write_csv(tmp_path / "labels.csv", rows, HEADER)


def test_run_says_how_many_pairs_were_judged_again(dedup: Dedup, words: SharedWords, tmp_path: Path) -> None:
    dump = write_csv(tmp_path / "kitchen.csv", KITCHEN)
    assert dedup("run", dump, "--json").json["reranked"] == 0
    ended = dedup("run", dump, "--rerank", "--json")
    assert ended.json["reranked"] == len(words.scored) > 0
    shown = dedup("run", dump, "--rerank").out
    assert f"{len(words.scored):,}  uncertain pairs were judged again by the reranker" in shown
    assert "judged again" not in dedup("run", dump).out


def test_query_and_explain_follow_the_run_and_a_variable_turns_it_off(
    dedup: Dedup, words: SharedWords, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dedup("run", write_csv(tmp_path / "kitchen.csv", KITCHEN), "--rerank")
    one, other = words.scored[0]
    told = dedup("explain", one, other, "--json").json
    assert told["reranked"]["reranker"] == "words"
    assert told["reranked"]["classified"] != told["probability"]
    assert "judged again by words: " in dedup("explain", one, other).out
    matches = dedup("query", one, "-k", "5", "--json").json["matches"]
    found = {normalise(match["text"]): match["probability"] for match in matches}
    assert found[other] == pytest.approx(told["probability"])
    monkeypatch.setenv("DEDUP_RERANK", "no")
    plain = dedup("explain", one, other, "--json").json
    assert plain["reranked"] is None
    assert plain["probability"] == pytest.approx(told["reranked"]["classified"])


def test_calibrate_and_evaluate_go_together(dedup: Dedup, words: SharedWords, settings: Settings, labels: str) -> None:
    dedup("calibrate", labels, "--anew")
    refused = dedup("-q", "evaluate", labels, "--rerank")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "was fitted for the classifier" in refused.err
    assert "`dedup calibrate PAIRS --rerank --encoder trigrams --metric euclidean --reranker words`" in refused.err
    made = dedup("-q", "calibrate", labels, "--rerank", "--json").json
    file = Path(made["file"])
    assert file.parent == settings.indexes / "classifiers"
    assert json.loads(file.read_text())["classifier"] == made["classifier"]
    assert (
        f"fitted on {made['fit']['labelled']:,} pairs at a prior of 0.369" in dedup("calibrate", labels, "--rerank").out
    )
    plain = dedup("-q", "evaluate", labels, "--json").json
    found = dedup("-q", "evaluate", labels, "--rerank", "--json").json
    assert set(found) - set(plain) == {"reranker", "reranked"}
    assert (found["reranker"], found["reranked"]) == ("words", made["fit"]["labelled"])
    assert found["classifier"] == plain["classifier"] == made["classifier"]
    assert found["log_loss"] < plain["log_loss"]  # of the pairs it was fitted on
    shown = dedup("evaluate", labels, "--rerank", "--html", "page.html").out
    assert f"{found['reranked']:,} uncertain pairs were judged again by words" in shown
    assert "judged again by words" in Path("page.html").read_text("utf-8")


def test_calibrate_refuses_to_forget_the_classifier_and_keep_it(dedup: Dedup, words: SharedWords, labels: str) -> None:
    refused = dedup("calibrate", labels, "--rerank", "--anew")
    assert refused.code == 2
    assert "--anew is about the classifier, which --rerank leaves as it is" in refused.err


def test_a_variable_for_runs_does_not_change_what_calibrate_fits(
    dedup: Dedup, words: SharedWords, labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEDUP_RERANK", "1")
    assert "slope" in dedup("-q", "calibrate", labels, "--json").json
