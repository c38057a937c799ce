"""MinHash by datasketch end to end: words, 128 permutations, LSH, connected components.

The library's default threshold of 0.9 finds next to nothing among short questions; 0.5 is what its own guide shows.
"""

from __future__ import annotations

import re

import numpy as np
from datasketch import MinHash, MinHashLSH

from benchmarks.competitors.components import components, several
from benchmarks.competitors.script import given, say, write_clusters
from benchmarks.corpora import read_corpus
from dedup.progress import Silent, Stopwatch

THRESHOLD = 0.5
_PERMUTATIONS = 128
_WORD = re.compile(r"\w+")


def main() -> None:
    asked, watch = given(), Stopwatch(Silent())
    with watch.stage("read", "questions"):
        ids, texts = read_corpus(asked.read)
    with watch.stage("hash", "questions"):
        words = [[word.encode() for word in set(_WORD.findall(text.lower()))] or [text.encode()] for text in texts]
        hashes = MinHash.bulk(words, num_perm=_PERMUTATIONS)
    with watch.stage("index", "questions"):
        index = MinHashLSH(threshold=THRESHOLD, num_perm=_PERMUTATIONS)
        with index.insertion_session() as session:
            for row, each in enumerate(hashes):
                session.insert(row, each)
    with watch.stage("join", "questions"):
        found = [(row, other) for row, each in enumerate(hashes) for other in index.query(each) if row < other]
        near = [(one, other) for one, other in found if hashes[one].jaccard(hashes[other]) >= THRESHOLD]
        pairs = np.array(near, dtype=np.int64).reshape(-1, 2)
    with watch.stage("cluster", "pairs"):
        component = components(pairs, len(texts))
    with watch.stage("write", "questions"):
        write_clusters(zip(ids, texts, component.tolist(), strict=True))
    say(watch.seconds, duplicate_pairs=len(pairs), clusters=several(component))


if __name__ == "__main__":
    main()
