"""Indexes: the vectors of a corpus, held so that the nearest of them are found fast, in L1 or in L2."""

from dedup.index.build import FLAT_UP_TO, approximates, build_index
from dedup.index.faiss_index import FaissIndex
from dedup.index.generations import (
    Generation,
    check_generation,
    load_generation,
    load_reference,
    new_generation_name,
    remove_generations,
    save_generation,
)
from dedup.index.overlay import Overlay
from dedup.index.protocol import Index

__all__ = [
    "FLAT_UP_TO",
    "FaissIndex",
    "Generation",
    "Index",
    "Overlay",
    "approximates",
    "build_index",
    "check_generation",
    "load_generation",
    "load_reference",
    "new_generation_name",
    "remove_generations",
    "save_generation",
]
