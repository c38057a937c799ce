"""Make labelled pairs with hard negatives, by words, from labelled pairs whose negatives are random.

    python training/hard_pairs.py PAIRS OUTPUT

Every duplicate stays; for each, its left question is paired with one of the three questions of other components that
share the most words with it (TF-IDF of words and word pairs). By words, so that no encoder is favoured or punished.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from dedup.evaluation import question_components
from dedup.labelled import read_labelled_pairs
from dedup.settings import Settings
from dedup.training.examples import training_pairs

_SEED = 0
_NEAREST = 3
_AT_ONCE = 500


def main() -> None:
    """Read, pair, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs")
    parser.add_argument("output", type=Path)
    asked = parser.parse_args()
    from sklearn.feature_extraction.text import TfidfVectorizer

    pairs = training_pairs(read_labelled_pairs([asked.pairs], Settings()))
    component = question_components(pairs.left, pairs.right, pairs.duplicate)
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(pairs.texts)
    left, right = pairs.left[pairs.duplicate], pairs.right[pairs.duplicate]
    random = np.random.default_rng(_SEED)
    rows = [(one, other, 1) for one, other in zip(left, right, strict=True)]
    for start in range(0, len(left), _AT_ONCE):
        asked_for = left[start : start + _AT_ONCE]
        shared = (words[asked_for] @ words.T).toarray()
        shared[component[asked_for, None] == component[None, :]] = -1
        nearest = np.argsort(-shared, axis=1, kind="stable")[:, :_NEAREST]
        drawn = nearest[np.arange(len(asked_for)), random.integers(0, _NEAREST, len(asked_for))]
        rows += [(one, other, 0) for one, other in zip(asked_for, drawn, strict=True)]
    with asked.output.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["question1", "question2", "is_duplicate"])
        writer.writerows((pairs.texts[one], pairs.texts[other], label) for one, other, label in rows)


if __name__ == "__main__":
    main()
