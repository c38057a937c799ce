"""Encoders: a text in, a unit vector out, the same network for both questions of a pair (the Siamese network)."""

from dedup.encoders.places import (
    VECTORS,
    Places,
    StoredVectors,
    open_segment,
    segment_folder,
    stored_keys,
    stored_segments,
)
from dedup.encoders.protocol import Encoder
from dedup.encoders.registry import BASE_ENCODER, SHIPPED_ENCODERS, load_encoder, runtime_of
from dedup.encoders.vectors import VectorStore, encode_missing

__all__ = [
    "BASE_ENCODER",
    "SHIPPED_ENCODERS",
    "VECTORS",
    "Encoder",
    "Places",
    "StoredVectors",
    "VectorStore",
    "encode_missing",
    "load_encoder",
    "open_segment",
    "runtime_of",
    "segment_folder",
    "stored_keys",
    "stored_segments",
]
