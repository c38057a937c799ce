"""The reference vectors of a corpus, and which of them are nearest to each vector.

They are the vectors of the smallest text keys: hashes, so that they are a uniform sample that depends on nothing but
the corpus. What is looked up here once serves two stages: how crowded it is around a question
(`dedup.features.surroundings`), and in which cells it is compared (`dedup.join`).
"""

from dedup.reference.known import KEPT, KnownNear, load_near, nearest_known, save_near
from dedup.reference.nearest import NEAREST, REFERENCE_SIZE, LookUp, Near, nearest_reference

__all__ = [
    "KEPT",
    "NEAREST",
    "REFERENCE_SIZE",
    "KnownNear",
    "LookUp",
    "Near",
    "load_near",
    "nearest_known",
    "nearest_reference",
    "save_near",
]
