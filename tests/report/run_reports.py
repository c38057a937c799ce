"""A run's report with numbers that cannot be mistaken for each other, to change and to render."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from dedup.classifier import Classifier, Feature
from dedup.profile import StageProfile, Use
from dedup.questions import Metric
from dedup.report import ClusterCard, Member, RunReport

COFFEE = ClusterCard(
    number=3105,
    size=9,
    weakest=0.117,
    canonical=Member("c0", "kitchen", "How do I make coffee?", 1.0),
    members=(
        Member("c1", "kitchen", "What is the way to make coffee?", 0.99987),
        Member("c2", "barista", "How is coffee made?", 0.812),
        Member("c3", "kitchen", "Where does coffee come from?", 0.231),
    ),
)
TEA = ClusterCard(
    number=7,
    size=2,
    weakest=0.664,
    canonical=Member("t0", "kitchen", "How long should tea steep?", 1.0),
    members=(Member("t1", "kitchen", "For how long do I leave the tea in?", 0.664),),
)

REPORT = RunReport(
    run_id=12,
    started=datetime(2026, 3, 9, 2, 5, 14, tzinfo=UTC),
    version="0.1.0",
    database="postgresql+psycopg://dedup:***@db/questions",
    generation="20260309T020514-7c1e",
    encoder="all-MiniLM-L6-v2",
    fingerprint="9f2c41" * 10 + "abcd",
    metric=Metric.EUCLIDEAN,
    index_kind="pq",
    recall=0.99682,
    pair_recall=0.99999,
    threshold=0.55,
    candidate_floor=0.21,
    cluster_floor=0.13,
    cutoff=0.74442,
    classifier=Classifier(
        "all-MiniLM-L6-v2",
        "9f2c41" * 10 + "abcd",
        Metric.EUCLIDEAN,
        slope=7.9321,
        intercept=-6.10551,
        features=(Feature("crowding", 4.5123, 0.91287, 0.5, 1.2), Feature("swapped", -1.61803, 0.0, 0.0, 1.0)),
        prior=0.283,
        fit={
            "pairs": "own/pairs.tsv",
            "labelled": 10210,
            "freedom": 0.3,
            "library": "scikit-learn 1.7",
            "precision": [{"wanted": 0.9, "threshold": 0.71}],
        },
    ),
    rescoring=None,
    counts={
        "read": 641_050,
        "rejected": 14,
        "questions": 640_000,
        "texts": 639_173,
        "exact_duplicates": 827,
        "encoded": 5_318,
        "candidate_pairs": 24_771,
        "reranked": 0,
        "duplicate_pairs": 9_064,
        "clusters": 31_204,
        "clustered_questions": 78_890,
        "peak_memory_bytes": 1_234_567_890,
    },
    stages=(
        StageProfile("read", 21.4, "questions", 641_050, 29_955.6, 0.94, Use("writing", "MB/s", 18.4, 310.0)),
        StageProfile("encode", 1480.333, "questions", 5_318, 3.6, 1.98, Use("bf16 products", "GFLOP/s", 857.1, 1740.2)),
        StageProfile("join", 74.4, "cells", 4_096, 55.1, 1.91, Use("fp32 products", "GFLOP/s", 88.88, 151.3)),
        StageProfile("cluster", 3.912, "pairs", 24_771, 6_332.1, 1.0, None),
        StageProfile("again", 0.004, "files", 1, 250.0, 1.0, None),
    ),
    histogram_edges=np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
    histogram_counts=np.array([3, 0, 1_250, 11_000, 12_518]),
    largest=(COFFEE, TEA),
    least_certain=(COFFEE,),
    rejects={"the text is empty": 11, "not valid UTF-8": 3},
    rejects_file="reports/rejects-000012.csv",
)

NOTHING = dict.fromkeys(REPORT.counts, 0)


def changed(**fields: Any) -> RunReport:
    return replace(REPORT, **fields)
