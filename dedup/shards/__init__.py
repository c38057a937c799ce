"""Comparing a corpus shard by shard, on any engine: the same pairs as in one piece."""

from dedup.shards.comparing import Compared, Cut, ShardedCorpus, compare_in_shards
from dedup.shards.context import in_shards, require_shards
from dedup.shards.encoding import Encoded, Refused, encode_in_shards
from dedup.shards.layout import rows_of_a_bin

__all__ = [
    "Compared",
    "Cut",
    "Encoded",
    "Refused",
    "ShardedCorpus",
    "compare_in_shards",
    "encode_in_shards",
    "in_shards",
    "require_shards",
    "rows_of_a_bin",
]
