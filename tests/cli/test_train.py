"""`dedup train`, with a tiny network: what it prints, what it refuses, and that its model is then used."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Dedup
from toy import save_tiny_transformer, toy_rows, write_pairs

FIELDS = [
    "output",
    "architecture",
    "metric",
    "base",
    "pairs",
    "duplicates",
    "dev_pairs",
    "dev",
    "best_step",
    "steps",
    "seconds",
    "seed",
    "precision",
    "fingerprint",
]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Options of a training that takes a second."""
    save_tiny_transformer(tmp_path / "tiny")
    dev = write_pairs(tmp_path / "dev.csv", toy_rows(dev=True))
    return ["--base", str(tmp_path / "tiny"), "--dev", dev, "--epochs", "1", "--precision", "fp32", "--output", "made"]


@pytest.fixture
def pairs(tmp_path: Path) -> str:
    return write_pairs(tmp_path / "pairs.csv", toy_rows(dev=False))


def test_it_prints_one_object_with_the_promised_fields(dedup: Dedup, pairs: str, arguments: list[str]) -> None:
    ended = dedup("-q", "train", pairs, *arguments, "--metric", "manhattan", "--json")
    assert (ended.code, ended.err) == (0, "")
    made = ended.json
    assert list(made) == FIELDS
    assert (made["output"], made["architecture"], made["metric"]) == ("made", "transformer", "manhattan")
    assert (made["base"], made["pairs"], made["duplicates"], made["dev_pairs"]) == ("tiny", 300, 180, 80)
    assert set(made["dev"]) == {"average_precision_balanced", "accuracy_balanced", "average_precision", "roc_auc"}
    assert (made["steps"], made["seed"], made["precision"]) == (5, 0, "fp32")
    refused = dedup("train", pairs, *arguments)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("dedup: made holds a trained model; give another --output, or --fresh")


def test_it_says_how_good_it_is_and_what_comes_next(
    dedup: Dedup, pairs: str, arguments: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    ended = dedup("train", pairs, *arguments)
    assert "transformer encoder for the euclidean distance, from tiny: 300 pairs, 180 duplicates, 5 steps" in ended.out
    assert "score on 80 dev pairs" in ended.out
    assert "average precision balanced" in ended.out
    assert "`dedup calibrate PAIRS --encoder made --metric euclidean`" in ended.out
    assert "step 3 of 5: loss " in caplog.text
    assert "step 5 of 5: dev average precision " in caplog.text


def test_a_cross_encoder_is_trained_and_what_comes_next_is_said(
    dedup: Dedup, pairs: str, arguments: list[str], tmp_path: Path
) -> None:
    pairwise = [*arguments, "--architecture", "cross-encoder"]
    ended = dedup("train", pairs, *pairwise)
    assert "cross-encoder, from tiny: 300 pairs, 180 duplicates, " in ended.out
    assert "`dedup calibrate PAIRS --rerank --reranker made`" in ended.out
    made = dedup("-q", "train", pairs, *pairwise, "--fresh", "--json").json
    assert list(made) == FIELDS
    assert (made["architecture"], made["metric"]) == ("cross-encoder", None)
    for given, said in (
        (["--metric", "manhattan"], "a cross-encoder measures no distance; leave --metric out"),
        (["--keep", pairs], "leave --teacher and --keep out"),
        (["--teacher", "all-MiniLM-L6-v2"], "leave --teacher and --keep out"),
    ):
        refused = dedup("-q", "train", pairs, *pairwise, *given)
        assert (refused.code, refused.err.count("\n")) == (1, 1)
        assert said in refused.err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--teacher", "all-MiniLM-L6-v2"], "a transformer starts from its base and learns from no teacher"),
        (["--base", "no/such"], "no/such"),
    ],
)
def test_what_cannot_be_trained_is_refused_in_one_line(
    dedup: Dedup, pairs: str, arguments: list[str], given: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    ended = dedup("-q", "train", pairs, *arguments, *given)
    assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
    assert said in ended.err
    assert not Path("made").exists()
