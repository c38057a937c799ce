"""Encoders: a text in, a unit vector out, the same network for both questions of a pair (the Siamese network)."""

from dedup.encoders.protocol import Encoder
from dedup.encoders.registry import BASE_ENCODER, SHIPPED_ENCODERS, load_encoder
from dedup.encoders.vectors import VectorStore, encode_missing

__all__ = ["BASE_ENCODER", "SHIPPED_ENCODERS", "Encoder", "VectorStore", "encode_missing", "load_encoder"]
