"""Candidate pairs: every two vectors of a corpus that lie within a cut-off distance of each other."""

from dedup.join.cutoff import Cutoff
from dedup.join.joining import Joined, self_join
from dedup.join.kept import load_join, save_join
from dedup.join.known import Known, moved

__all__ = ["Cutoff", "Joined", "Known", "load_join", "moved", "save_join", "self_join"]
