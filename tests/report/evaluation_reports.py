"""The page of an evaluation of made-up labels, to change and to read back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from lxml import etree

from dedup.evaluation import evaluate_pairs
from dedup.questions import Metric
from dedup.report.evaluation_contents import EvaluationReport, describe_evaluation
from dedup.report.evaluation_page import render_evaluation

N = 400


def made_up() -> dict[str, np.ndarray]:
    """Make up pairs whose probability falls with the distance, as (n_pairs,) arrays by name."""
    random = np.random.default_rng(11)
    duplicate = random.random(N) < 0.6
    distance = np.clip(random.normal(np.where(duplicate, 0.6, 0.95), 0.18), 0.01, 1.5).astype(np.float32)
    probability = 1 / (1 + np.exp(9 * distance.astype(np.float64) - 7))
    return {"probability": probability, "duplicate": duplicate, "component": np.arange(N) // 2, "distance": distance}


ARRAYS = made_up()
TEXTS = tuple((f"how do I boil {n} eggs", f"what is the way to boil {n} eggs?") for n in range(N))


def described(
    texts: tuple[tuple[str, str], ...] = TEXTS, name: str = "dev.tsv", threshold: float = 0.5
) -> EvaluationReport:
    evaluation = evaluate_pairs(
        ARRAYS["probability"], ARRAYS["duplicate"], component=ARRAYS["component"], prior=0.369, threshold=threshold
    )
    return describe_evaluation(
        evaluation,
        probability=ARRAYS["probability"],
        duplicate=ARRAYS["duplicate"],
        component=ARRAYS["component"],
        distance=ARRAYS["distance"],
        texts=texts,
        labels=(name,),
        encoder=name,
        metric=Metric.EUCLIDEAN,
        classifier="0123456789abcdef",
    )


EVALUATION = described()


def changed(**fields: Any) -> EvaluationReport:
    return replace(EVALUATION, **fields)


def parsed(report: EvaluationReport) -> etree._Element:
    """Read the page as XML, which forgives nothing: every element closed, every attribute quoted."""
    return etree.fromstring(render_evaluation(report).encode(), etree.XMLParser(huge_tree=True))
