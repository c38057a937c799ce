"""How much there is to do in each stage of a run, counted in what its time grows with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dedup.reference import REFERENCE_SIZE

EXACT_UP_TO = 20_000
"""Texts up to which everything is compared with everything (`dedup.index.FLAT_UP_TO`)."""

TERMS: Mapping[str, tuple[str, ...]] = {
    "read": ("questions",),
    "encode": ("texts",),
    "cells": ("products",),
    "describe": ("texts",),
    "tune join": ("texts",),
    "join": ("texts", "comparisons", "pairs"),
    "judge": ("pairs",),
    "cluster": ("texts", "pairs"),
    "index": ("texts",),
    "write": ("questions", "pairs"),
    "report": (),
}
"""The stages of `dedup run`, in order, and what the processor time of each grows with beside what it always takes."""

STARTING = ("cells", "describe", "tune join", "index", "report")
"""The stages that take some time whatever the corpus: torch is loaded, a sample described, codes made."""

SERIAL = ("read", "cluster", "index", "write", "report")
"""What one process does, however many there are: a database has one writer at a time, clusters are of all pairs, and an
index is of all vectors."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The size of a corpus, and how it is cut."""

    questions: float
    texts: float  # distinct ones
    dimension: int
    cells: float  # 1: all is compared with all
    overlap: float  # how many times more comparisons there are than of residents of equally large cells
    pairs: float  # that are found within the cut-off

    @property
    def products(self) -> float:
        """Products of vectors by which all find their nearest reference vectors; 0 where there are no cells."""
        return 0.0 if self.cells == 1 else self.texts * min(self.texts, REFERENCE_SIZE)

    @property
    def comparisons(self) -> float:
        """Pairs of vectors that are compared: all of them, or of each cell's residents with residents and visitors."""
        if self.cells == 1:
            return self.texts**2 / 2
        return self.overlap * self.texts**2 / self.cells

    def units(self, term: str) -> float:
        """Return how much there is of what a stage's time grows with; products of more components take longer."""
        wide = self.dimension
        return {
            "questions": self.questions,
            "texts": self.texts,
            "products": self.products * wide,
            "comparisons": self.comparisons * wide,
            "pairs": self.pairs,
        }[term]
