"""Labelled pairs as distances and features: what classifiers are fitted on and judged by."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dedup.distance import pair_distances
from dedup.dumps import read_labels
from dedup.encoders import VECTORS, Encoder, VectorStore, encode_missing
from dedup.errors import DumpError, StoreError
from dedup.evaluation import largest_share, number_texts, question_components
from dedup.features import Background, background_of, describe_questions, needs_texts, pair_features
from dedup.ingest import dump_options
from dedup.progress import Progress
from dedup.questions import Float32, Float64, Int64, Keys, Label, Rejected, question_key
from dedup.settings import Settings
from dedup.store import Store
from dedup.text import key_array, key_bytes, normalise, text_key

log = logging.getLogger(__name__)

_TANGLED = 0.25  # where one component holds this share of the pairs, drawing components hardly varies anything else

RECORDED = "recorded"
"""Names, in the place of a file, the labels that are recorded in the database."""

REVIEWED = "reviewed"
"""Names, in the place of a file, what all reviewers of a pair agree on."""


@dataclass(frozen=True, slots=True)
class LabelledPairs:
    """Pairs of texts with a person's word on each, and how many labels could not be used."""

    texts: tuple[tuple[str, str], ...]
    duplicate: NDArray[np.bool_]  # (n_pairs,)
    rejected: int  # rows at fault, of all files
    without_text: int  # sound labels of which a question is neither in their file nor recorded


def read_labelled_pairs(files: Sequence[str], settings: Settings) -> LabelledPairs:
    """Read files of labelled pairs; a label without texts (PostLinks.xml) takes them from the recorded questions.

    The word `RECORDED` in the place of a file means every label in the database, whatever file it came from, and
    `REVIEWED` the reviews there. Rows at fault and labels whose texts nobody has are left out, and counted.

    Raises
    ------
    DumpError
        If a file cannot be read (further), or no label has both its texts.
    """
    labels: list[Label] = []
    rejected = 0
    for file in files:
        for record in _labels_of(file, settings):
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
    if rejected or len(pairs) < len(labels):
        log.warning(
            "left out: %d label rows at fault, %d labels of questions that are not recorded",
            rejected,
            len(labels) - len(pairs),
        )
    return LabelledPairs(tuple(pairs), np.array(duplicate, dtype=bool), rejected, len(labels) - len(pairs))


@dataclass(frozen=True, slots=True)
class MeasuredPairs:
    """What a classifier looks at in labelled pairs."""

    distance: Float32  # (n_pairs,) in the encoder's metric
    features: Mapping[str, Float64]  # (n_pairs,) each, by name


def measure_pairs(
    labelled: LabelledPairs,
    encoder: Encoder,
    features: Collection[str],
    settings: Settings,
    progress: Progress,
    background: Background | None = None,
) -> MeasuredPairs:
    """Measure each pair in the encoder's metric, and the features asked for; vectors are kept for the next time.

    The pairs are seen against ``background``; without one, the questions of the pairs are the corpus around them.
    """
    normalised = [normalise(text) for pair in labelled.texts for text in pair]
    text_of = {text_key(text): text for text in normalised}
    texts = [text_of[key] for key in sorted(text_of)]
    row_of = {text: row for row, text in enumerate(texts)}
    row = np.array([row_of[text] for text in normalised], dtype=np.int64)
    left, right = row[0::2], row[1::2]
    vectors, keys = text_vectors(texts, encoder, settings, progress), key_array(sorted(text_of))
    if background is None:
        background = background_of(keys, vectors, texts if needs_texts(features) else None)
    described = describe_questions(features, background, keys, vectors, texts, encoder.metric)
    return MeasuredPairs(
        pair_distances(vectors, left, right, encoder.metric),
        pair_features(features, described, left, described, right),
    )


def normalised_pairs(labelled: LabelledPairs, rows: Int64) -> list[tuple[str, str]]:
    """Return the normalised texts of some of the pairs."""
    return [(normalise(left), normalise(right)) for left, right in (labelled.texts[row] for row in rows)]


def text_vectors(texts: Sequence[str], encoder: Encoder, settings: Settings, progress: Progress) -> Float32:
    """Return the vectors of distinct normalised texts, (n_texts, dimension); they are kept for the next time."""
    keys = key_array(text_key(text) for text in texts)
    text_of = dict(zip(key_bytes(keys), texts, strict=True))

    def texts_of(keys: Keys) -> Iterator[tuple[list[bytes], list[str]]]:
        wanted = key_bytes(keys)
        yield wanted, [text_of[key] for key in wanted]

    vectors = VectorStore(settings.indexes / VECTORS, encoder.fingerprint)
    encode_missing(encoder, vectors, keys, texts_of, progress)
    return vectors.gather(keys)


def pair_components(labelled: LabelledPairs) -> Int64:
    """Return a number for each pair, (n_pairs,): pairs that share questions, directly or through others, have one."""
    left, right = number_texts(labelled.texts)
    component = question_components(left, right)[left]
    if (share := largest_share(component)) > _TANGLED:
        log.warning(
            "%.0f%% of the labelled pairs hang together by questions they share: the 95%% intervals are rough",
            100 * share,
        )
    return component


def _labels_of(file: str, settings: Settings) -> Iterator[Label | Rejected]:
    if file not in (RECORDED, REVIEWED):
        yield from read_labels(file, dump_options(settings))
        return
    with Store.open(settings.db, create=False) as store:
        yield from store.iter_labels() if file == RECORDED else store.review_labels()


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
