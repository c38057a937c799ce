"""Fitting the classifier of an encoder on labelled pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from dedup.classifier import Classifier, fit_classifier
from dedup.distance import pair_distances
from dedup.dumps import DumpOptions, read_labels
from dedup.encoders import VectorStore, encode_missing, load_encoder
from dedup.errors import ClassifierError, StoreError
from dedup.progress import Progress
from dedup.questions import Keys, Label, Rejected, question_key
from dedup.settings import Settings
from dedup.store import Store
from dedup.text import key_array, key_bytes, normalise, text_key


def calibrate(
    labels: Sequence[str], settings: Settings, options: DumpOptions, *, prior: float, progress: Progress
) -> Classifier:
    """Fit the classifier of the settings' encoder and metric on files of labelled pairs.

    A label without texts (PostLinks.xml) takes them from the recorded questions of its source.

    Raises
    ------
    ClassifierError
        If no label has both its texts, or they are of one class only.
    """
    pairs, duplicate = _labelled_texts(labels, settings, options)
    encoder = load_encoder(settings.encoder, settings.metric, batch_size=settings.batch_size)
    normalised = [normalise(text) for pair in pairs for text in pair]
    every = key_array(text_key(text) for text in normalised)
    distinct, row = np.unique(every, return_inverse=True)
    text_of = dict(zip(key_bytes(every), normalised, strict=True))

    def texts_of(keys: Keys) -> Iterator[tuple[list[bytes], list[str]]]:
        wanted = key_bytes(keys)
        yield wanted, [text_of[key] for key in wanted]

    vectors = VectorStore(settings.indexes / "vectors", encoder.fingerprint, encoder.dimension)
    encode_missing(encoder, vectors, distinct, texts_of, progress)
    near = pair_distances(vectors.gather(distinct), row[0::2], row[1::2], settings.metric)
    return fit_classifier(
        near,
        duplicate,
        encoder=encoder.name,
        fingerprint=encoder.fingerprint,
        metric=settings.metric,
        prior=prior,
        pairs=", ".join(Path(file).name for file in labels),
    )


def _labelled_texts(
    files: Sequence[str], settings: Settings, options: DumpOptions
) -> tuple[list[tuple[str, str]], list[bool]]:
    labels = [label for file in files for label in read_labels(file, options) if not isinstance(label, Rejected)]
    recorded = _recorded_texts(labels, settings)
    pairs, duplicate = [], []
    for label in labels:
        left = label.left_text or recorded.get((label.source, label.left))
        right = label.right_text or recorded.get((label.source, label.right))
        if left and right:
            pairs.append((left, right))
            duplicate.append(label.duplicate)
    if not pairs:
        raise ClassifierError(
            f"none of the {len(labels)} labels in {', '.join(files)} has the texts of its questions; "
            "give a pair file, or record their dump first with `dedup run`"
        )
    return pairs, duplicate


def _recorded_texts(labels: Sequence[Label], settings: Settings) -> dict[tuple[str, str], str]:
    """Return the texts of those questions whose labels have none, as far as they are recorded."""
    wanted = {(label.source, own) for label in labels if not label.left_text for own in (label.left, label.right)}
    if not wanted:
        return {}
    try:
        with Store.open(settings.db, create=False) as store:
            found = store.questions([question_key(*name) for name in wanted])
    except StoreError as error:
        raise ClassifierError(f"the labels have ids only, and their texts cannot be looked up: {error}") from error
    return {(question.source, question.id): question.text for question in found.values()}
