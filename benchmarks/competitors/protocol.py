"""What a competitor is: a process that is given questions, or vectors, and what it says of its work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Task(StrEnum):
    """What is given, and what is wanted."""

    WHOLE = "whole"  # questions in, clusters out
    JOIN = "join"  # vectors in, pairs out


class Tier(StrEnum):
    """What a question is turned into before it is compared."""

    TRANSFORMER = "transformer"
    STATIC = "static"
    WORDS = "words"


ENCODERS = {Tier.TRANSFORMER: "dedup-minilm", Tier.STATIC: "dedup-static"}
"""Our encoder of each tier, whose vectors the joins are given."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """Questions to measure on."""

    name: str
    size: int
    questions: Path  # Parquet: id, text
    vectors: Path  # a folder of parts for each encoder
    sample: str  # the text of one question
    labelled: bool  # it holds every question that has a label


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a process that has ended says of its work."""

    stages: Mapping[str, float]  # seconds
    found: Mapping[str, int] = field(default_factory=dict)
    recall: float | None = None  # of the pairs under the cut-off, as it measured it itself
    clusters: Path | None = None  # a table of question and cluster
    pairs: Path | None = None  # (n, 2) int64 rows


class Competitor(Protocol):
    """One way of finding duplicates."""

    @property
    def name(self) -> str:
        """By which it is chosen and its figures are kept: of letters, digits and hyphens."""

    @property
    def title(self) -> str:
        """What tables call it."""

    @property
    def task(self) -> Task:
        """What it is measured on."""

    @property
    def tier(self) -> Tier:
        """What it compares."""

    @property
    def metric(self) -> str:
        """How it compares: manhattan, euclidean, cosine, jaccard."""

    @property
    def about(self) -> str:
        """Its settings, in a line."""

    @property
    def peer(self) -> bool:
        """Whether it needs packages that are installed for the benchmark alone."""

    def command(self, python: str, corpus: Corpus, folder: Path) -> list[str]:
        """Return the command that is measured; it runs in ``folder``, which is empty."""

    def follow_ups(self, python: str, corpus: Corpus, folder: Path) -> Mapping[str, list[str]]:
        """Return further commands by name, each measured on its own on what the first one left in ``folder``."""

    def outcome(self, python: str, folder: Path) -> Outcome:
        """Return what the command said and left; what this does is not measured."""
