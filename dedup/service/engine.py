"""The service without HTTP: it answers, writes, and keeps up with what others publish and record."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

from dedup.classifier import save_classifier
from dedup.errors import DedupError, NoGeneration, NoRoom, UnknownRecord
from dedup.explanation import Explanation
from dedup.progress import Silent
from dedup.queries import Answer, Query
from dedup.questions import Question
from dedup.recalibration import Recalibration, recalibrate
from dedup.service.batching import QueryQueue
from dedup.service.snapshot import MOST_ADDED, Snapshot, take_snapshot
from dedup.settings import Resolved
from dedup.store import Edited, QuestionRecord, Store
from dedup.text import key_array, normalise, text_key

log = logging.getLogger(__name__)

LOOKED_AT = 1.0
"""Seconds between two looks at what is in service."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much the service takes on; beyond that a request is refused at once."""

    body_bytes: int = 4 << 20
    waiting: int = 24  # queries: about as many as are answered in a tenth of a second
    requests: int = 512  # under way at once, of all kinds
    seconds: float = 5.0  # that a query may wait for its answer
    rate: float = 500.0  # requests of one token a second, on average


class Service:
    """One store, what is in service there, and the queue of queries.

    Started with `start`; what is in service is loaded in the background, and `snapshot` raises NoGeneration until then.
    """

    def __init__(self, store: Store, resolved: Resolved, limits: Limits) -> None:
        self.store = store
        self.limits = limits
        self._resolved = resolved
        self.proposed: Recalibration | None = None  # what `recalibrate` made last, until it is accepted
        self._snapshot: Snapshot | None = None
        self._unready = "the generation in service is being loaded; try again in some seconds"
        self._failure = ""  # why the last look failed
        self._changing = threading.Lock()  # one at a time puts a new snapshot in the place of the last
        self._stopped = threading.Event()
        self._queue = QueryQueue(self._answer, longest=limits.waiting, workers=len(os.sched_getaffinity(0)))
        self._watcher = threading.Thread(target=self._watch, name="generations", daemon=True)

    def start(self) -> None:
        """Begin to load what is in service, and to look for what is published and recorded."""
        self._watcher.start()

    def stop(self) -> None:
        """Answer what waits, then stop."""
        self._stopped.set()
        self._queue.close()
        self._watcher.join()

    @property
    def snapshot(self) -> Snapshot:
        """What is in service now; NoGeneration, with the reason, where nothing is."""
        if self._snapshot is None:
            raise NoGeneration(self._unready)
        return self._snapshot

    @property
    def waiting(self) -> int:
        """How many queries wait."""
        return self._queue.depth

    @property
    def is_full(self) -> bool:
        """Whether a query that came now would be refused, because as many wait as may."""
        return self._queue.is_full

    def submit(self, queries: Sequence[Query]) -> Future[list[Answer]]:
        """Put queries in the queue; see `QueryQueue.submit`. NoGeneration where nothing is in service."""
        _ = self.snapshot
        return self._queue.submit(queries, seconds=self.limits.seconds)

    def explain(self, left: str, right: str, source: str | None, threshold: float | None) -> Explanation:
        """Explain the relation of two questions, each given by its own id or as a text."""
        snapshot = self.snapshot
        asked = snapshot.settings.threshold if threshold is None else threshold
        return snapshot.explainer.explain(self.store, left, right, source, threshold=asked)

    def explain_pair(self, left: QuestionRecord, right: QuestionRecord) -> Explanation:
        """Explain the relation of two recorded questions."""
        snapshot = self.snapshot
        return snapshot.explainer.explain_pair(self.store, left, right, threshold=snapshot.settings.threshold)

    def recalibrate(self) -> Recalibration:
        """Fit the classifier to the reviews, and remember the result until it is accepted or the next is made.

        See `dedup.recalibration.recalibrate` for what is raised.
        """
        snapshot = self.snapshot
        proposed = recalibrate(self.store, snapshot.explainer, snapshot.settings, Silent())
        self.proposed = proposed
        return proposed

    def accept(self, identity: str, *, actor: str) -> Recalibration:
        """Put the recalibrated classifier of this identity in the place of the installed one, for the next run.

        UnknownRecord where it is not the one that was made last.
        """
        proposed = self.proposed
        if proposed is None or proposed.classifier.identity != identity:
            raise UnknownRecord(f"no recalibration {identity[:32]!a} waits to be accepted; recalibrate again")
        save_classifier(proposed.classifier, self.snapshot.settings.indexes)
        self.store.note(actor, "recalibrate", {"classifier": identity, "labels": proposed.labels})
        self.proposed = None
        return proposed

    def put(self, questions: Sequence[Question], *, actor: str, key: str | None) -> Edited:
        """Record questions; when this returns they are on disk, and every later query finds them.

        See `dedup.store.edits.Edits.put_questions` for what is raised.
        """
        with self._changing:
            snapshot = self.snapshot
            keys = key_array(text_key(normalise(question.text)) for question in questions)
            if snapshot.room(keys) < 0:
                raise NoRoom(f"{MOST_ADDED} texts wait for the next run; run `dedup run` or `dedup reindex`")
            edited = self.store.put_questions(questions, actor=actor, key=key)
            # Where others have recorded something in between, the next look finds it.
            alone = edited.revision - snapshot.state.corpus_revision <= 1
            revision = edited.revision if alone else snapshot.state.corpus_revision
            self._snapshot = snapshot.adding(keys, self.store, revision)
        return edited

    def delete(self, numbers: Sequence[int], *, actor: str) -> int:
        """Delete questions; when this returns no query finds them. Returns how many they were."""
        with self._changing:
            snapshot = self._snapshot
            deleted = self.store.delete_questions(numbers, actor=actor)
            if deleted and snapshot is not None:
                recorded = self.store.recorded_revision()
                if recorded - snapshot.state.corpus_revision <= 1:
                    self._snapshot = replace(snapshot, state=replace(snapshot.state, corpus_revision=recorded))
        return deleted

    def look(self) -> None:
        """Load what was published or recorded since the last look; a failure leaves what is in service there."""
        try:
            self._keep_up()
            self._failure = ""
        except DedupError as error:
            if self._snapshot is None:
                self._unready = str(error)
            if str(error) != self._failure:  # once, and not at every look
                log.warning("what is in service now cannot be loaded, the last goes on: %s", error)
            self._failure = str(error)

    def _keep_up(self) -> None:
        state, snapshot = self.store.service_state(), self._snapshot
        if state is None:
            self._unready = "nothing has been indexed yet; run `dedup run DUMP` first"
            return
        if snapshot is None or (state.generation, state.run_id) != (snapshot.state.generation, snapshot.state.run_id):
            loaded = take_snapshot(self.store, self._resolved, snapshot)
            with self._changing:  # what was added while it was loaded has to be in it
                if loaded is not None and self._snapshot is not snapshot:
                    loaded = self._with_recorded(loaded)
                self._snapshot = loaded
            log.info("in service: generation %s of run %d", state.generation, state.run_id)
        elif state.corpus_revision != snapshot.state.corpus_revision:
            with self._changing:
                assert self._snapshot is not None
                if self._snapshot.state.corpus_revision < state.corpus_revision:
                    self._snapshot = self._with_recorded(self._snapshot)

    def _with_recorded(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot with everything that is recorded, as far as there is room."""
        revision = self.store.recorded_revision()  # first: what is recorded after it is found by the next look
        full = snapshot.room(key_array(())) == 0
        keys = key_array(()) if full else self.store.recorded_keys()
        return snapshot.adding(keys, self.store, revision)

    def _watch(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except Exception:
                log.exception("looking for what is in service failed; it is tried again")
            self._stopped.wait(LOOKED_AT)

    def _answer(self, queries: Sequence[Query]) -> list[Answer]:
        return self.snapshot.searcher.answer(queries)
