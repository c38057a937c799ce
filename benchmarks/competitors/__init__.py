"""Who is measured. Another one is a class that satisfies `Competitor`, or a module of this folder, and a line here."""

from __future__ import annotations

from benchmarks.competitors.dedup_run import DedupRun
from benchmarks.competitors.protocol import ENCODERS, Competitor, Corpus, Outcome, Task, Tier
from benchmarks.competitors.script import Script

__all__ = ["COMPETITORS", "ENCODERS", "Competitor", "Corpus", "Outcome", "Task", "Tier"]

_METRICS = ("euclidean", "manhattan")
_ENCODED = (Tier.TRANSFORMER, Tier.STATIC)

_MINING = "sentence-transformers mining"
_FLAT = "FAISS flat"

COMPETITORS: tuple[Competitor, ...] = (
    *(DedupRun(tier, metric) for tier in _ENCODED for metric in _METRICS),
    Script(
        "semhash",
        "semhash",
        Task.WHOLE,
        Tier.STATIC,
        "cosine",
        "a static encoder of 256 dimensions; threshold 0.9, its default",
        "semhash_whole",
        peer=True,
    ),
    *(
        Script(
            f"mining-{tier}",
            f"{_MINING} + components",
            Task.WHOLE,
            tier,
            "cosine",
            f"{model}; cosine of 0.75 or more",
            "mining_whole",
        )
        for tier, model in ((Tier.TRANSFORMER, "all-MiniLM-L6-v2"), (Tier.STATIC, ENCODERS[Tier.STATIC]))
    ),
    Script(
        "minhash",
        "MinHash LSH (datasketch) + components",
        Task.WHOLE,
        Tier.WORDS,
        "jaccard",
        "128 permutations of words; threshold 0.5",
        "minhash_whole",
        peer=True,
    ),
    *(
        Script(
            f"dedup-join-{tier}-{metric}",
            "dedup self-join",
            Task.JOIN,
            tier,
            metric,
            "recall floor .99",
            "dedup_join",
        )
        for tier in _ENCODED
        for metric in _METRICS
    ),
    *(
        Script(
            f"mining-join-{tier}",
            _MINING,
            Task.JOIN,
            tier,
            "cosine",
            "its defaults: 100 neighbours, 500,000 pairs",
            "mining_join",
        )
        for tier in _ENCODED
    ),
    *(
        Script(
            f"flat-join-{tier}-{metric}",
            _FLAT,
            Task.JOIN,
            tier,
            metric,
            "range search, exact",
            "flat_join",
        )
        for tier in _ENCODED
        for metric in _METRICS
    ),
)
