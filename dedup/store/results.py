"""What a run found, in place of what the last one found: only what differs is written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection, func, select, update

from dedup.errors import CorpusChanged, StoreError
from dedup.external_sort import chunks
from dedup.questions import Int64, places_of
from dedup.store.bulk import Columns, fill, is_empty, remove, staged, upsert
from dedup.store.corpus import Corpus
from dedup.store.database import Database
from dedup.store.differences import differing, pair_places
from dedup.store.history import ChangedDuplicates, ClusterEvents, record_changes
from dedup.store.models import ClusterRow, CorpusRow, MemberRow, PairRow, QuestionRow, ServiceRow
from dedup.store.publication import GenerationRecord, publish
from dedup.store.recorded import Recorded, RecordedClusters, RecordedPairs, StoredClusters
from dedup.store.retries import retried
from dedup.store.revision import corpus_revision as recorded_corpus_revision
from dedup.store.runs import RunOutcome, end_run
from dedup.text import key_array

_FETCHED = 20_000  # rows turned into Python objects at a time


@dataclass(frozen=True, slots=True)
class RunFindings:
    """All that a run puts in the place of what was in service."""

    generation: GenerationRecord
    pairs: RecordedPairs
    clusters: RecordedClusters
    changed: ChangedDuplicates  # against what was in service
    events: ClusterEvents


class Results:
    """The store's writes of what a run found."""

    _database: Database

    @retried
    def write_results(
        self,
        run_id: int,
        before: Recorded,
        found: RunFindings,
        outcome: RunOutcome,
        *,
        corpus_revision: int,
        despite_news: Corpus | None = None,
    ) -> None:
        """Put in service what a run found, in one transaction: readers and a restart see all of it or nothing.

        All pairs and clusters are replaced, the generation is published (also if an earlier run had recorded its name)
        and the run is done. What is as it was keeps the id of the run that first recorded it so; what is new or has
        changed takes ``run_id``; what has vanished is deleted.

        Parameters
        ----------
        before
            What `RecordedReads.recorded` returned when the run began to compare.
        corpus_revision
            The `Corpus.revision` in which all this was found.
        despite_news
            That corpus, where it may have grown since: questions that came meanwhile wait for the next run, as those do
            that come later. None where nothing may have changed.

        Raises
        ------
        CorpusChanged
            Where it has, since: with ``despite_news``, where a question has gone or its text is another one.
        StoreError
            Where another run was put in service meanwhile, a pair has a question without a cluster, a
            cluster one that is not recorded, or ``run_id`` is not. Everything is left as it was.
        """
        pairs, clusters = found.pairs, found.clusters
        if not _all_among(np.sort(clusters.question), pairs):
            raise StoreError("a pair has a question that is in no cluster; expected every recorded question in one")
        with self._database.writing() as connection:
            changed = recorded_corpus_revision(connection) != corpus_revision
            if changed and (despite_news is None or not _has_only_grown(connection, despite_news, before.clusters)):
                raise CorpusChanged("questions were recorded while this run worked; run it again")
            if connection.scalars(select(ServiceRow.run_id)).one_or_none() != before.run_id:
                raise StoreError("another run was put in service while this one worked; run it again")
            end_run(connection, run_id, outcome)
            publish(connection, run_id, found.generation, corpus_revision)
            record_changes(connection, run_id, found.changed, found.events)
            _replace_pairs(connection, run_id, before.pairs, pairs)
            _replace_clusters(connection, run_id, before.clusters, clusters)
            next_cluster = max(before.next_cluster, int(clusters.id.max(initial=0)) + 1)
            connection.execute(update(CorpusRow).values(next_cluster=next_cluster))


def _has_only_grown(connection: Connection, corpus: Corpus, before: StoredClusters) -> bool:
    """Tell whether every question of a corpus is still recorded with the text it had, and in its cluster of before.

    One that was deleted and recorded again has lost its pairs and left its cluster.
    """
    if connection.scalar(select(func.count()).select_from(MemberRow)) != len(before.question):
        return False
    order = np.argsort(corpus.ids)
    ids, keys = corpus.ids[order], corpus.keys[order]
    statement = select(QuestionRow.id, QuestionRow.text_key)
    recorded = connection.execute(statement, execution_options={"yield_per": _FETCHED})
    still = 0
    for part in recorded.partitions():
        numbers = np.array([number for number, _ in part], dtype=np.int64)
        place = places_of(ids, numbers)
        still += int(((place >= 0) & (keys[place] == key_array(key for _, key in part))).sum())
    return still == len(ids)


def _all_among(questions: Int64, pairs: RecordedPairs) -> bool:
    """Tell whether both sides of all pairs are among some questions, ascending."""
    sides = (pairs.left, pairs.right)
    return all((places_of(questions, side[some]) >= 0).all() for side in sides for some in chunks(len(side)))


def _replace_pairs(connection: Connection, run_id: int, before: RecordedPairs, pairs: RecordedPairs) -> None:
    if is_empty(connection, PairRow):
        every: Columns = {
            "left_id": pairs.left,
            "right_id": pairs.right,
            "distance": pairs.distance,
            "probability": pairs.probability,
            "run_id": np.broadcast_to(np.int64(run_id), len(pairs.left)),
        }
        fill(connection, PairRow, every)
        return
    questions = np.unique(np.concatenate([before.left, before.right, pairs.left, pairs.right]))
    gone, written = differing(
        pair_places(before.left, before.right, questions),
        pair_places(pairs.left, pairs.right, questions),
        [(before.distance, pairs.distance), (before.probability, pairs.probability)],
    )
    columns: Columns = {
        "left_id": pairs.left[written],
        "right_id": pairs.right[written],
        "distance": pairs.distance[written],
        "probability": pairs.probability[written],
        "run_id": np.full(int(written.sum()), run_id),
    }
    key = ("left_id", "right_id")
    with staged(connection, PairRow, {"left_id": before.left[gone], "right_id": before.right[gone]}, key=key) as rows:
        remove(connection, PairRow, rows, key=key)
    upsert(connection, PairRow, columns, key=key)


def _replace_clusters(connection: Connection, run_id: int, before: StoredClusters, after: RecordedClusters) -> None:
    by_cluster, by_question = np.argsort(after.id), np.argsort(after.question)
    id_, canonical, size = (column[by_cluster] for column in (after.id, after.canonical, after.size))
    question, cluster = after.question[by_question], after.cluster[by_question]
    weakest, probability = after.weakest[by_cluster], after.probability[by_question]
    gone, written = differing(
        before.id, id_, [(before.canonical, canonical), (before.size, size), (before.weakest, weakest)]
    )
    left, moved = differing(before.question, question, [(before.cluster, cluster), (before.probability, probability)])
    clusters: Columns = {
        "id": id_[written],
        "canonical_id": canonical[written],
        "size": size[written],
        "weakest_probability": weakest[written],
        "run_id": np.full(int(written.sum()), run_id),
    }
    members: Columns = {
        "question_id": question[moved],
        "cluster_id": cluster[moved],
        "probability": probability[moved],
    }
    if is_empty(connection, ClusterRow):  # then there is no member either
        fill(connection, ClusterRow, clusters)
        fill(connection, MemberRow, members)
        return
    # Members refer to clusters: new clusters come before their members, old ones go after theirs.
    upsert(connection, ClusterRow, clusters, key=("id",))
    with staged(connection, MemberRow, {"question_id": before.question[left]}, key=("question_id",)) as rows:
        remove(connection, MemberRow, rows, key=("question_id",))
    upsert(connection, MemberRow, members, key=("question_id",))
    with staged(connection, ClusterRow, {"id": before.id[gone]}, key=("id",)) as rows:
        remove(connection, ClusterRow, rows, key=("id",))
