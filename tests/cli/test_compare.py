"""`dedup compare`: two encoders on the same labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import Dedup
from corpora import write_csv
from fakes import HashingEncoder
from labels import HEADER, write_pairs

from dedup.evaluation import number_texts, question_components
from dedup.judging import compare
from dedup.progress import Silent
from dedup.questions import Metric
from dedup.settings import Settings


@pytest.fixture(autouse=True)
def encoders(trigrams: HashingEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder "trigrams" has a classifier for each metric, "coarse" has none."""

    def load(name: str, metric: Metric, *, batch_size: int) -> HashingEncoder:
        return HashingEncoder(name, metric, {"trigrams": 64, "coarse": 24}[name])

    monkeypatch.setattr("dedup.judging.load_encoder", load)


def test_both_sides_have_the_scores_that_evaluate_gives_them(dedup: Dedup, tmp_path: Path) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv")
    found = dedup("-q", "compare", "trigrams", "trigrams", "--pairs", pairs, "--metric-b", "manhattan", "--json").json
    assert list(found) == ["n", "positives", "prior", "a", "b", "difference"]
    for side, metric in (("a", "euclidean"), ("b", "manhattan")):
        alone = dedup("-q", "evaluate", pairs, "--encoder", "trigrams", "--metric", metric, "--json").json
        assert list(found[side]) == ["encoder", "metric", "classifier", "scores"]
        assert found[side]["scores"] == {name: alone[name] for name in found[side]["scores"]}
        assert (found[side]["encoder"], found[side]["metric"]) == ("trigrams", metric)
        assert found[side]["classifier"] == alone["classifier"]
    for name, gap in found["difference"].items():
        assert gap["value"] == found["b"]["scores"][name] - found["a"]["scores"][name]
        assert gap["low"] <= gap["high"]


def test_a_side_without_a_classifier_is_judged_by_cross_validation_and_it_is_said(
    dedup: Dedup, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pairs = write_pairs(tmp_path / "pairs.csv")
    ended = dedup("compare", "trigrams", "coarse", "--pairs", pairs)
    assert "B: coarse, euclidean distance, classifier cross-validated" in ended.out
    assert "no classifier for the encoder coarse" in caplog.text
    assert "fitted on these pairs by cross-validation" in caplog.text
    found = dedup("-q", "compare", "coarse", "trigrams", "--pairs", pairs, "--json").json
    assert found["a"]["classifier"] == "cross-validated"
    assert len(found["b"]["classifier"]) == 16


def test_no_pair_is_judged_by_a_classifier_that_has_seen_its_questions(settings: Settings, tmp_path: Path) -> None:
    """So the labels of a component of questions say nothing of the probabilities in it, only of those elsewhere."""
    near, far, between = "how do I cook {} eggs", "where do {} cats sleep at night", "how do {} eggs become so hard"
    texts = [(f"how to cook {n // 3} eggs", (near, far, between)[n % 3].format(n // 3)) for n in range(60)]
    labels = (np.arange(60) % 3 == 0) | (np.arange(60) % 6 == 2)
    left, right = number_texts(texts)
    component = question_components(left, right)[left]

    def probability(duplicate: np.ndarray) -> np.ndarray:
        rows = [(f"a{n}", f"b{n}", *texts[n], int(duplicate[n])) for n in range(60)]
        file = write_csv(tmp_path / "pairs.csv", rows, HEADER)
        _, side, _ = compare(
            "coarse", "trigrams", [file], settings, metric_b=Metric.EUCLIDEAN, prior=0.369, progress=Silent()
        )
        return side.probability

    expected = probability(labels)
    for one in np.unique(component)[::6]:
        inside = component == one
        found = probability(labels ^ inside)
        np.testing.assert_array_equal(found[inside], expected[inside])
        assert (found != expected).any()


def test_a_certain_difference_is_marked_and_no_other(dedup: Dedup, tmp_path: Path) -> None:
    pairs = ("--pairs", write_pairs(tmp_path / "pairs.csv"), "--metric-b", "manhattan", "--threshold", "0.7")
    found = dedup("-q", "compare", "trigrams", "coarse", *pairs, "--json").json["difference"]
    certain = {name for name, gap in found.items() if gap["low"] > 0 or gap["high"] < 0}
    lines = dedup("-q", "compare", "trigrams", "coarse", *pairs).out.splitlines()
    marked = {
        name for name in found if any(line.strip().startswith(name.replace("_", " ")) and "*" in line for line in lines)
    }
    assert marked == certain
    assert 0 < len(certain) < len(found)


def test_too_few_labels_for_five_folds_are_refused(dedup: Dedup, tmp_path: Path) -> None:
    rows = [(f"a{n}", f"b{n}", "how to cook", f"how to cook {n}", n % 2) for n in range(8)]  # one question in all
    ended = dedup("compare", "coarse", "trigrams", "--pairs", write_csv(tmp_path / "pairs.csv", rows, HEADER))
    assert ended.code == 1
    assert "the labelled pairs of pairs.csv share questions so that they fall into 1 parts; 5 are needed" in ended.err


def test_labels_that_hang_together_are_said_to_make_rough_intervals(
    dedup: Dedup, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [(f"a{n}", f"b{n}", "how to cook", f"how to cook {n}", n % 2) for n in range(8)]
    dedup("compare", "trigrams", "trigrams", "--pairs", write_csv(tmp_path / "pairs.csv", rows, HEADER))
    assert "100% of the labelled pairs hang together" in caplog.text
