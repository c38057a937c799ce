"""Indexes: the vectors of a corpus, held so that the nearest of them are found fast, in L1 or in L2."""

from dedup.index.amend import Amendment, amend_index, plan_amendment
from dedup.index.build import FLAT_UP_TO, IndexedRows, approximates, build_index, build_table
from dedup.index.faiss_index import FaissIndex
from dedup.index.generations import (
    Generation,
    Sample,
    check_generation,
    generation_names,
    living_keys,
    load_generation,
    load_reference,
    needed_segments,
    new_generation_name,
    read_rows,
    remove_generations,
    save_generation,
    stored_vectors,
    table_of,
)
from dedup.index.overlay import Overlay
from dedup.index.protocol import Index, VectorTable, VectorTables
from dedup.index.table_index import TableIndex

__all__ = [
    "FLAT_UP_TO",
    "Amendment",
    "FaissIndex",
    "Generation",
    "Index",
    "IndexedRows",
    "Overlay",
    "Sample",
    "TableIndex",
    "VectorTable",
    "VectorTables",
    "amend_index",
    "approximates",
    "build_index",
    "build_table",
    "check_generation",
    "generation_names",
    "living_keys",
    "load_generation",
    "load_reference",
    "needed_segments",
    "new_generation_name",
    "plan_amendment",
    "read_rows",
    "remove_generations",
    "save_generation",
    "stored_vectors",
    "table_of",
]
