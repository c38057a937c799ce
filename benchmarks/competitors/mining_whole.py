"""sentence-transformers end to end: encode, mine paraphrases, connected components.

The transformer is all-MiniLM-L6-v2, as its users take it; the static model is ours, loaded by that library. Mining has
no threshold of its own: the cosine is the one that the library's `community_detection` defaults to.
"""

from __future__ import annotations

from sentence_transformers import SentenceTransformer

from benchmarks.competitors.components import components, several
from benchmarks.competitors.mining import mined_pairs
from benchmarks.competitors.protocol import ENCODERS, Tier
from benchmarks.competitors.script import given, say, write_clusters
from benchmarks.corpora import read_corpus
from dedup.encoders import BASE_ENCODER
from dedup.encoders.registry import find_folder
from dedup.progress import Silent, Stopwatch

LEAST_COSINE = 0.75


def main() -> None:
    asked, watch = given(), Stopwatch(Silent())
    with watch.stage("read", "questions"):
        ids, texts = read_corpus(asked.read)
    with watch.stage("load", "encoders"):
        folder = find_folder(BASE_ENCODER if asked.tier is Tier.TRANSFORMER else ENCODERS[asked.tier])
        model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    with watch.stage("encode", "questions"):
        vectors = model.encode(texts, convert_to_tensor=True, show_progress_bar=False)
    with watch.stage("join", "vectors"):
        pairs, mined = mined_pairs(vectors, LEAST_COSINE)
    with watch.stage("cluster", "pairs"):
        component = components(pairs, len(texts))
    with watch.stage("write", "questions"):
        write_clusters(zip(ids, texts, component.tolist(), strict=True))
    say(watch.seconds, mined=mined, duplicate_pairs=len(pairs), clusters=several(component))


if __name__ == "__main__":
    main()
