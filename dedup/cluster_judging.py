"""Judging a clustering on labelled pairs, or on clusters that were labelled whole."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dedup.errors import DumpError
from dedup.evaluation import (
    ClusterEvaluation,
    evaluate_clusters,
    evaluate_labelled_clusters,
    number_texts,
    question_components,
)
from dedup.evaluation.clusterings import Clustering, number_clusters, read_clustering
from dedup.ingest import dump_options
from dedup.labelled import RECORDED, read_labelled_pairs
from dedup.questions import Int64
from dedup.settings import Settings
from dedup.store import Store

log = logging.getLogger(__name__)


def evaluate_clustering(files: Sequence[str], clusters: str, settings: Settings, *, prior: float) -> ClusterEvaluation:
    """Judge a clustering, `RECORDED` or a file, on files of labelled pairs; questions are known by their exact text.

    Raises
    ------
    DumpError
        If the clustering has no texts.
    EvaluationError
        If the labels are of one class only.
    """
    labelled = read_labelled_pairs(files, settings)
    found = _clustering(clusters, settings)
    _require(found.by_text, found, "question")
    number: dict[str, int] = {}
    ends = np.array([number.setdefault(text, len(number)) for pair in labelled.texts for text in pair], dtype=np.int64)
    by_key = np.stack(number_texts(labelled.texts), axis=1)
    key = np.empty(len(number), dtype=np.int64)
    key[ends] = by_key.ravel()
    return evaluate_clusters(
        _clusters_of(list(number), found.by_text, found),
        left=ends[0::2],
        right=ends[1::2],
        duplicate=labelled.duplicate,
        gold=question_components(by_key[:, 0], by_key[:, 1], labelled.duplicate)[key],
        component=question_components(by_key[:, 0], by_key[:, 1])[key],
        prior=prior,
        clusters=found.clusters,
    )


def evaluate_clustering_by_clusters(labels: str, clusters: str, settings: Settings) -> ClusterEvaluation:
    """Judge a clustering, `RECORDED` or a file, on a file of clusters that were labelled whole.

    Questions are known by their exact text where both have texts, else by their own id.

    Raises
    ------
    DumpError
        If the two have neither texts nor ids in common.
    EvaluationError
        If the labels are one cluster, or no two questions share one.
    """
    gold, found = _read_clustering(labels, settings), _clustering(clusters, settings)
    by_text = bool(gold.by_text and found.by_text)
    wanted, known = (gold.by_text, found.by_text) if by_text else (gold.by_id, found.by_id)
    _require(wanted, gold, "id")
    _require(known, found, "id")
    return evaluate_labelled_clusters(
        _clusters_of(list(wanted), known, found), number_clusters(list(wanted.values())), clusters=found.clusters
    )


def _clustering(clusters: str, settings: Settings) -> Clustering:
    if clusters != RECORDED:
        return _read_clustering(clusters, settings)
    with Store.open(settings.db, create=False) as store:
        members = [member for member in store.iter_clusters() if member.source == settings.source]
    return Clustering(
        name="the database",
        by_text={member.text: str(member.cluster_id) for member in members},
        by_id={member.id: str(member.cluster_id) for member in members},
        clusters=sum(size >= 2 for size in Counter(member.cluster_id for member in members).values()),
    )


def _read_clustering(file: str, settings: Settings) -> Clustering:
    clustering, faults = read_clustering(file, dump_options(settings))
    if faults:
        log.warning("left out: %d rows of %s that cannot be read or name no cluster", faults, file)
    return clustering


def _clusters_of(questions: Sequence[str], known: Mapping[str, str], found: Clustering) -> Int64:
    """Return the cluster of each question, (n_questions,); one that the clustering does not have is on its own."""
    if absent := sum(question not in known for question in questions):
        log.warning("%d of %d labelled questions are not among the clusters of %s", absent, len(questions), found.name)
    return number_clusters([known.get(question) for question in questions])


def _require(known: Mapping[str, str], clustering: Clustering, column: str) -> None:
    if not known:
        raise DumpError(
            f"{clustering.name} has no question to know by its {column}; expected a table with the columns "
            f"{column} and cluster, as `dedup export clusters` writes it, or clusters that `dedup run` has recorded"
        )
