"""Indexes: the vectors of a corpus, held so that the nearest of them are found fast, in L1 or in L2."""

from dedup.index.build import FLAT_UP_TO, approximates, build_index
from dedup.index.faiss_index import FaissIndex
from dedup.index.generations import (
    Generation,
    check_generation,
    generation_names,
    load_generation,
    load_reference,
    needed_segments,
    new_generation_name,
    read_rows,
    remove_generations,
    save_generation,
)
from dedup.index.protocol import Index

__all__ = [
    "FLAT_UP_TO",
    "FaissIndex",
    "Generation",
    "Index",
    "approximates",
    "build_index",
    "check_generation",
    "generation_names",
    "load_generation",
    "load_reference",
    "needed_segments",
    "new_generation_name",
    "read_rows",
    "remove_generations",
    "save_generation",
]
