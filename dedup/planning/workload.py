"""How much there is to do in each stage of a run, counted in what its time grows with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dedup.reference import REFERENCE_SIZE

EXACT_UP_TO = 20_000
"""Texts up to which everything is compared with everything (`dedup.index.FLAT_UP_TO`)."""

_LEAST = 1e-15  # seconds of a product: no machine is faster, where a fit says that it takes no time

DIRECT_UP_TO = 100_000
"""Cells up to which each vector is compared with every reference vector. Beyond, the reference is searched in two
steps: the nearest of about its square root, then those that belong to them."""

TERMS: Mapping[str, tuple[str, ...]] = {
    "read": ("questions",),
    "encode": ("texts",),
    "cells": ("products",),
    "describe": ("texts",),
    "tune join": ("texts",),
    "join": ("texts", "comparisons"),
    "judge": ("pairs",),
    "cluster": ("pairs",),
    "index": ("texts",),
    "write": ("questions", "pairs"),
    "report": (),
}
"""The stages of `dedup run`, in order, and what the processor time of each grows with beside what it always takes."""

STARTING = ("cells", "describe", "tune join", "join", "index", "report")
"""The stages that take some time whatever the corpus: torch is loaded, a sample described, codes made."""

SERIAL = ("cluster", "write", "report")
"""What one process does, however many there are: clusters are of all pairs, and a database has one writer at a time."""


@dataclass(frozen=True, slots=True)
class Workload:
    """The size of a corpus, and how it is cut."""

    questions: float
    texts: float  # distinct ones
    dimension: int
    cells: int  # 1: all is compared with all
    overlap: float  # how many times more comparisons there are than of residents of equally large cells
    pairs: float  # that are found within the cut-off

    @property
    def products(self) -> float:
        """Products of vectors by which all find their nearest reference vectors; 0 where there are no cells."""
        if self.cells == 1:
            return 0.0
        return self.texts * (self.cells if self.cells <= DIRECT_UP_TO else 2 * self.cells**0.5)

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


def cut_into(texts: float, *, product: float, comparison: float, overlap: float) -> int:
    """Return the number of cells that takes least time in all, from `REFERENCE_SIZE` on; 1 for few texts.

    With ``c`` cells a text costs ``product * c`` to find its cells (``2 * product * sqrt(c)`` where that is done in two
    steps) and ``comparison * overlap * texts / c`` to be compared in them, in seconds. The sum is least where
    its derivative is 0: at ``c = sqrt(b / product)`` and ``c = (b / product) ** (2 / 3)`` with
    ``b = comparison * overlap * texts``. The overlap was measured with `REFERENCE_SIZE` cells; that it is the same with
    more of them is assumed.
    """
    if texts <= EXACT_UP_TO:
        return 1
    each = comparison * overlap * texts / max(product, _LEAST)
    direct = min(max(each**0.5, REFERENCE_SIZE), DIRECT_UP_TO)
    stepped = max(each ** (2 / 3), DIRECT_UP_TO + 1)

    def cost(cells: float, searched: float) -> float:
        return searched + each / cells

    best: float = direct if cost(direct, direct) <= cost(stepped, 2 * stepped**0.5) else stepped
    return round(best)
