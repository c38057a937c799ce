"""Labelled pairs as distances: what classifiers are fitted on and judged by."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.distance import pair_distances
from dedup.dumps import DumpOptions, read_labels
from dedup.encoders import Encoder, VectorStore, encode_missing
from dedup.errors import DumpError, StoreError
from dedup.progress import Progress
from dedup.questions import Float32, Keys, Label, Rejected, question_key
from dedup.settings import Settings
from dedup.store import Store
from dedup.text import key_array, key_bytes, normalise, text_key


@dataclass(frozen=True, slots=True)
class LabelledPairs:
    """Pairs of texts with a person's word on each, and how many labels could not be used."""

    texts: tuple[tuple[str, str], ...]
    duplicate: NDArray[np.bool_]  # (n_pairs,)
    rejected: int  # rows at fault, of all files
    without_text: int  # sound labels of which a question is neither in their file nor recorded


def read_labelled_pairs(files: Sequence[str], settings: Settings, options: DumpOptions) -> LabelledPairs:
    """Read files of labelled pairs; a label without texts (PostLinks.xml) takes them from the recorded questions.

    Rows at fault and labels whose texts nobody has are left out, and counted.

    Raises
    ------
    DumpError
        If a file cannot be read (further), or no label has both its texts.
    """
    labels: list[Label] = []
    rejected = 0
    for file in files:
        for record in read_labels(file, options):
            if isinstance(record, Rejected):
                rejected += 1
            else:
                labels.append(record)
    recorded = _recorded_texts(labels, settings)
    pairs, duplicate = [], []
    for label in labels:
        left = label.left_text or recorded.get((label.source, label.left))
        right = label.right_text or recorded.get((label.source, label.right))
        if left and right:
            pairs.append((left, right))
            duplicate.append(label.duplicate)
    if not pairs:
        raise DumpError(
            f"none of the {len(labels)} labels in {', '.join(files)} has the texts of its questions, and {rejected} "
            "rows are at fault; give a pair file, or record their dump first with `dedup run`"
        )
    return LabelledPairs(tuple(pairs), np.array(duplicate, dtype=bool), rejected, len(labels) - len(pairs))


def labelled_distances(labelled: LabelledPairs, encoder: Encoder, settings: Settings, progress: Progress) -> Float32:
    """Return the distance of each pair in the encoder's metric, (n_pairs,); vectors are kept for the next time."""
    normalised = [normalise(text) for pair in labelled.texts for text in pair]
    every = key_array(text_key(text) for text in normalised)
    distinct, row = np.unique(every, return_inverse=True)
    text_of = dict(zip(key_bytes(every), normalised, strict=True))

    def texts_of(keys: Keys) -> Iterator[tuple[list[bytes], list[str]]]:
        wanted = key_bytes(keys)
        yield wanted, [text_of[key] for key in wanted]

    vectors = VectorStore(settings.indexes / "vectors", encoder.fingerprint)
    encode_missing(encoder, vectors, distinct, texts_of, progress)
    return pair_distances(vectors.gather(distinct), row[0::2], row[1::2], encoder.metric)


def _recorded_texts(labels: Sequence[Label], settings: Settings) -> dict[tuple[str, str], str]:
    """Return the texts of those questions whose labels have none, as far as they are recorded."""
    wanted = {(label.source, own) for label in labels if not label.left_text for own in (label.left, label.right)}
    if not wanted:
        return {}
    try:
        with Store.open(settings.db, create=False) as store:
            found = store.questions([question_key(*name) for name in wanted])
    except StoreError as error:
        raise DumpError(f"the labels have ids only, and their texts cannot be looked up: {error}") from error
    return {(question.source, question.id): question.text for question in found.values()}
