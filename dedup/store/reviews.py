"""What people said about pairs of questions, and what follows from it where they agree.

Of one reviewer the last verdict on a pair that was not taken back counts. Where reviewers disagree nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from dedup.decisions import Decisions, decided
from dedup.errors import UnknownQuestion, UnknownRecord
from dedup.questions import Label
from dedup.store.audit import record_act
from dedup.store.browse import PairRecord
from dedup.store.bulk import rows_among
from dedup.store.database import Database, storable
from dedup.store.models import PairRow, QuestionRow
from dedup.store.service_models import ReviewRow


class Verdict(StrEnum):
    """What a person says of two questions."""

    SAME = "same"
    DIFFERENT = "different"
    SKIP = "skip"


class Stratum(StrEnum):
    """Why a pair was asked about: drawn at random, most worth asking, or a person's own idea."""

    RANDOM = "random"
    UNCERTAIN = "uncertain"
    CHOSEN = "chosen"


@dataclass(frozen=True, slots=True)
class ReviewRecord:
    """A person's verdict on two questions, by their numbers: ``left < right``."""

    id: int
    left: int
    right: int
    left_key: bytes
    right_key: bytes
    verdict: Verdict
    reviewer: str
    stratum: Stratum
    distance: float | None  # of the recorded pair at that time; None where there was none
    probability: float | None
    at: datetime
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What all reviewers said of one pair of texts, skips left out; the smaller key is on the left."""

    left_key: bytes
    right_key: bytes
    reviews: tuple[ReviewRecord, ...]  # the last of each reviewer

    @property
    def agreed(self) -> Verdict | None:
        """What all of them said; None where they disagree."""
        said = {review.verdict for review in self.reviews}
        return said.pop() if len(said) == 1 else None


class Reviews:
    """The store's verdicts."""

    _database: Database

    def record_review(self, one: int, other: int, verdict: Verdict, reviewer: str, stratum: Stratum) -> ReviewRecord:
        """Record a verdict on two recorded questions, by their numbers, in either order; see `record_reviews`."""
        return self.record_reviews([(one, other)], verdict, reviewer, stratum)[0]

    def record_reviews(
        self, pairs: Sequence[tuple[int, int]], verdict: Verdict, reviewer: str, stratum: Stratum
    ) -> list[ReviewRecord]:
        """Record one verdict on pairs of recorded questions, by their numbers: all of them, or none.

        Raises
        ------
        UnknownQuestion
            Where a question is not recorded, or both of a pair are one.
        """
        ends = [(min(pair), max(pair)) for pair in pairs]
        numbers = sorted({number for pair in ends for number in pair})
        at = datetime.now(UTC)
        with self._database.writing() as connection:
            keys = select(QuestionRow.id, QuestionRow.text_key)
            found = {row.id: row.text_key for row in rows_among(connection, keys, QuestionRow.id, numbers)}
            if len(found) < len(numbers) or any(left == right for left, right in ends):
                raise UnknownQuestion("a review is about two recorded questions; one of them is not recorded")
            measured = _measured(connection, sorted({left for left, _ in ends}))
            rows = [
                {
                    "left_id": left,
                    "right_id": right,
                    "left_key": found[left],
                    "right_key": found[right],
                    "verdict": verdict.value,
                    "reviewer": storable(reviewer),
                    "stratum": stratum.value,
                    "distance": measured.get((left, right), (None, None))[0],
                    "probability": measured.get((left, right), (None, None))[1],
                    "at": at,
                }
                for left, right in ends
            ]
            made = insert(ReviewRow).returning(ReviewRow.id, sort_by_parameter_order=True)
            ids = list(connection.scalars(made, rows))
            record_act(connection, reviewer, "review", {"review": ids[0], "pairs": len(ids), "verdict": verdict.value})
            recorded = {row.id: _record(row) for row in rows_among(connection, _REVIEW, ReviewRow.id, sorted(ids))}
        return [recorded[id_] for id_ in ids]

    def undo_review(self, review_id: int, reviewer: str) -> ReviewRecord:
        """Take back a verdict of this reviewer's own, with all that was said in the same moment (a cluster's split).

        Twice is as once. Raises UnknownRecord where there is none.
        """
        own = ReviewRow.reviewer == storable(reviewer)
        with self._database.writing() as connection:
            row = connection.execute(_REVIEW.where(own, ReviewRow.id == review_id)).one_or_none()
            if row is None:
                raise UnknownRecord(
                    f"no review {review_id} of {reviewer} is recorded; only one's own can be taken back"
                )
            together = (own, ReviewRow.at == row.at, ReviewRow.undone_at.is_(None))
            changed = connection.execute(update(ReviewRow).where(*together).values(undone_at=datetime.now(UTC)))
            if changed.rowcount:
                record_act(connection, reviewer, "undo review", {"review": review_id, "pairs": changed.rowcount})
            return _record(connection.execute(_REVIEW.where(ReviewRow.id == review_id)).one())

    def last_review(self, reviewer: str) -> ReviewRecord | None:
        """Return what a reviewer said last and has not taken back; None where there is nothing."""
        own = _REVIEW.where(ReviewRow.reviewer == storable(reviewer), ReviewRow.undone_at.is_(None))
        with self._database.reading() as connection:
            row = connection.execute(own.order_by(ReviewRow.id.desc()).limit(1)).one_or_none()
        return None if row is None else _record(row)

    def reviews(self, limit: int, *, before: int | None = None) -> list[ReviewRecord]:
        """Return the verdicts given last, those taken back included; with ``before``, those before that one."""
        statement = _REVIEW if before is None else _REVIEW.where(ReviewRow.id < before)
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(statement.order_by(ReviewRow.id.desc()).limit(limit))]

    def reviewed(self) -> list[Reviewed]:
        """Return every pair of texts with a verdict that counts, by their keys."""
        statement = _REVIEW.where(ReviewRow.undone_at.is_(None), ReviewRow.verdict != Verdict.SKIP.value)
        last: dict[tuple[bytes, bytes], dict[str, ReviewRecord]] = {}
        with self._database.reading() as connection:
            for row in connection.execute(statement.order_by(ReviewRow.id)):
                review = _record(row)
                left, right = sorted((review.left_key, review.right_key))
                last.setdefault((left, right), {})[review.reviewer] = review
        return [Reviewed(*keys, tuple(by_reviewer.values())) for keys, by_reviewer in sorted(last.items())]

    def pairs_seen_by(self, reviewer: str) -> set[tuple[int, int]]:
        """Return the pairs on which a reviewer has a verdict, skips included, by the questions' numbers."""
        own = (ReviewRow.reviewer == storable(reviewer), ReviewRow.undone_at.is_(None))
        with self._database.reading() as connection:
            pairs = connection.execute(select(ReviewRow.left_id, ReviewRow.right_id).where(*own))
            return {(left, right) for left, right in pairs}

    def decisions(self) -> Decisions:
        """Return what all reviewers of a pair agree on."""
        agreed = [(each.left_key, each.right_key, each.agreed) for each in self.reviewed()]
        return decided([(left, right, said is Verdict.SAME) for left, right, said in agreed if said is not None])

    def review_labels(self) -> Iterator[Label]:
        """Yield what all reviewers of a pair agree on as labels with texts, of recorded questions, by their keys."""
        agreed = [each for each in self.reviewed() if each.agreed is not None]
        keys = sorted({key for each in agreed for key in (each.left_key, each.right_key)})
        statement = select(QuestionRow.text_key, QuestionRow.external_id, QuestionRow.source, QuestionRow.text)
        with self._database.reading() as connection:
            in_order = statement.order_by(QuestionRow.id.desc())  # of copies the one with the smallest number stays
            found = {row.text_key: row for row in rows_among(connection, in_order, QuestionRow.text_key, keys)}
        for each in agreed:
            if each.left_key in found and each.right_key in found:
                left, right = found[each.left_key], found[each.right_key]
                same = each.agreed is Verdict.SAME
                yield Label(left.external_id, right.external_id, same, left.source, left.text, right.text)

    def pairs_from(self, number: int, limit: int) -> Sequence[PairRecord]:
        """Return recorded pairs in the order of their numbers, from the first at or after ``number`` on."""
        statement = select(PairRow.left_id, PairRow.right_id, PairRow.distance, PairRow.probability, PairRow.run_id)
        from_there = statement.where(PairRow.left_id >= number).order_by(PairRow.left_id, PairRow.right_id)
        with self._database.reading() as connection:
            return [PairRecord(*row) for row in connection.execute(from_there.limit(limit))]


def _measured(connection: Connection, left: Sequence[int]) -> dict[tuple[int, int], tuple[float, float]]:
    """Return the distance and the probability of the recorded pairs of some questions, by the questions' numbers."""
    pairs = select(PairRow.left_id, PairRow.right_id, PairRow.distance, PairRow.probability)
    rows = rows_among(connection, pairs, PairRow.left_id, left)
    return {(row.left_id, row.right_id): (row.distance, row.probability) for row in rows}


_REVIEW = select(
    ReviewRow.id,
    ReviewRow.left_id,
    ReviewRow.right_id,
    ReviewRow.left_key,
    ReviewRow.right_key,
    ReviewRow.verdict,
    ReviewRow.reviewer,
    ReviewRow.stratum,
    ReviewRow.distance,
    ReviewRow.probability,
    ReviewRow.at,
    ReviewRow.undone_at,
)


def _record(row: Sequence[Any]) -> ReviewRecord:
    id_, left, right, left_key, right_key, verdict, reviewer, stratum, *rest = row
    return ReviewRecord(id_, left, right, left_key, right_key, Verdict(verdict), reviewer, Stratum(stratum), *rest)
