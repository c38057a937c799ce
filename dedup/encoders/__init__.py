"""Encoders: a text in, a unit vector out, the same network for both questions of a pair (the Siamese network)."""

from dedup.encoders.protocol import Encoder
from dedup.encoders.registry import DEFAULT_ENCODER, load_encoder
from dedup.encoders.vectors import VectorStore, encode_missing

__all__ = ["DEFAULT_ENCODER", "Encoder", "VectorStore", "encode_missing", "load_encoder"]
