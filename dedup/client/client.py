"""The client: a method for each resource of the service."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import httpx2

from dedup.artifacts import replacing
from dedup.client.records import (
    AskedPair,
    FoundAnswer,
    FoundCluster,
    FoundContradiction,
    FoundDuplicate,
    FoundEstimates,
    FoundQuestion,
    FoundRecalibration,
    FoundReview,
    FoundRun,
    FoundWholeCluster,
    Put,
    record,
)
from dedup.errors import DedupError
from dedup.questions import DEFAULT_SOURCE, Question

T = TypeVar("T")

_ON_A_PAGE = 200
_MEDIA_TYPES = {".csv": "text/csv", ".jsonl": "application/jsonl"}


class ServiceProblem(DedupError):
    """The service refused or failed; ``name`` is the last part of the problem's type, after RFC 9457.

    ``retry_after`` is in seconds, where the service says when to come again.
    """

    def __init__(self, status: int, name: str, detail: str, retry_after: int | None) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.retry_after = retry_after


class Client:
    """A service at an address; every method raises `ServiceProblem` where it refuses.

    Parameters
    ----------
    seconds
        How long an answer may take.
    """

    def __init__(self, address: str, token: str | None = None, *, seconds: float = 10.0) -> None:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx2.Client(base_url=address, headers=headers, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def query(self, text: str, *, k: int = 5, threshold: float | None = None) -> FoundAnswer:
        """Ask whether a question was asked before."""
        return record(FoundAnswer, self._sent("POST", "/v1/query", {"text": text, "k": k, "threshold": threshold}))

    def query_many(self, texts: Sequence[str], *, k: int = 5, threshold: float | None = None) -> list[FoundAnswer]:
        """Ask about several questions at once; the answers are in their order."""
        queries = [{"text": text, "k": k, "threshold": threshold} for text in texts]
        found = self._sent("POST", "/v1/query/batch", {"queries": queries})
        return [record(FoundAnswer, each) for each in found["answers"]]

    def explain(
        self, left: str, right: str, *, source: str | None = None, threshold: float | None = None
    ) -> Mapping[str, Any]:
        """Explain the relation of two questions, each an id or a text, as `dedup explain --json` does."""
        asked = {"left": left, "right": right, "source": source, "threshold": threshold}
        found: Mapping[str, Any] = self._sent("POST", "/v1/explain", asked)
        return found

    def put(self, questions: Sequence[Question], *, key: str | None = None) -> Put:
        """Add questions, or change those that are recorded; ``key`` names the request, which may be sent again."""
        given = [
            {
                "id": each.id,
                "text": each.text,
                "source": each.source,
                "created": each.created.isoformat() if each.created else None,
                "score": each.score,
                "views": each.views,
                "tags": list(each.tags),
            }
            for each in questions
        ]
        headers = {} if key is None else {"Idempotency-Key": key}
        return record(Put, self._sent("POST", "/v1/questions", {"questions": given}, headers))

    def question(self, id: str, *, source: str = DEFAULT_SOURCE) -> FoundQuestion:
        """Return a recorded question."""
        return record(FoundQuestion, self._sent("GET", _question(id, source)))

    def delete(self, id: str, *, source: str = DEFAULT_SOURCE) -> None:
        """Delete a question."""
        self._sent("DELETE", _question(id, source))

    def duplicates(
        self, id: str, *, source: str = DEFAULT_SOURCE, threshold: float | None = None
    ) -> list[FoundDuplicate]:
        """Return the questions that ask the same as a recorded one, the most probable first."""
        more = {} if threshold is None else {"threshold": threshold}
        found = self._sent("GET", _question(id, source, "/duplicates", **more))
        return [record(FoundDuplicate, each) for each in found["duplicates"]]

    def clusters(
        self, *, order: str = "size", smallest: int = 2, weakest: float = 1.0, text: str = ""
    ) -> Iterator[FoundCluster]:
        """Yield the clusters, page by page: by ``size``, the largest first, or by ``weakest`` link.

        Those of ``smallest`` questions and more, with a weakest link of at most ``weakest``, and with ``text`` in one
        of their questions.
        """
        asked = {"order": order, "smallest": smallest, "weakest": weakest, "text": text}
        return self._pages(FoundCluster, "/v1/clusters", asked)

    def cluster(self, cluster: int) -> FoundWholeCluster:
        """Return a cluster with its questions, its recorded pairs and its history."""
        return record(FoundWholeCluster, self._sent("GET", f"/v1/clusters/{cluster}"))

    def runs(self) -> Iterator[FoundRun]:
        """Yield the runs, the newest first, page by page."""
        return self._pages(FoundRun, "/v1/runs", {})

    def run(self, run: int) -> FoundRun:
        """Return a run, as it is on record."""
        return record(FoundRun, self._sent("GET", f"/v1/runs/{run}"))

    def next_reviews(self, count: int = 10) -> list[AskedPair]:
        """Return pairs that are worth a verdict, at most 50."""
        return [record(AskedPair, each) for each in self._sent("GET", f"/v1/reviews?limit={count}")["pairs"]]

    def review(
        self,
        left: str,
        right: str,
        verdict: str,
        *,
        left_source: str = DEFAULT_SOURCE,
        right_source: str = DEFAULT_SOURCE,
        stratum: str = "chosen",
    ) -> FoundReview:
        """Say that two recorded questions are the ``same`` or ``different``, or ``skip`` them.

        ``stratum`` is what the pair came with, where the service asked about it.
        """
        said = {
            "left": {"id": left, "source": left_source},
            "right": {"id": right, "source": right_source},
            "verdict": verdict,
            "stratum": stratum,
        }
        return record(FoundReview, self._sent("POST", "/v1/reviews", said))

    def undo_review(self, review: int) -> FoundReview:
        """Take back one's own verdict."""
        return record(FoundReview, self._sent("DELETE", f"/v1/reviews/{review}"))

    def reviews(self) -> Iterator[FoundReview]:
        """Yield all verdicts, the newest first, page by page."""
        return self._pages(FoundReview, "/v1/reviews/given", {})

    def estimates(self, *, threshold: float | None = None) -> FoundEstimates:
        """Return what the randomly drawn pairs that were reviewed say of all recorded ones."""
        asked = "" if threshold is None else f"?threshold={threshold}"
        return record(FoundEstimates, self._sent("GET", f"/v1/reviews/estimates{asked}"))

    def contradictions(self) -> list[FoundContradiction]:
        """Return the decisions that cannot all be right."""
        found = self._sent("GET", "/v1/contradictions")["contradictions"]
        return [record(FoundContradiction, each) for each in found]

    def recalibrate(self) -> FoundRecalibration:
        """Fit the classifier to the reviews; the installed one stays until `accept` is asked for."""
        return record(FoundRecalibration, self._sent("POST", "/v1/recalibrate", {}))

    def accept(self, classifier: str) -> FoundRecalibration:
        """Put the classifier that was fitted last, by its identity, in the place of the installed one."""
        return record(FoundRecalibration, self._sent("POST", "/v1/recalibrate", {"accept": classifier}))

    def export(self, what: str, file: str | os.PathLike[str], *, min_probability: float | None = None) -> None:
        """Write ``pairs``, ``clusters``, ``canonical`` questions or ``labels`` to a file (.csv or .jsonl).

        Raises
        ------
        DedupError
            Where the file has another suffix.
        """
        path = Path(file)
        if (kind := _MEDIA_TYPES.get(path.suffix.lower())) is None:
            raise DedupError(f"{path} ends in {path.suffix or 'no suffix'}; expected one of {', '.join(_MEDIA_TYPES)}")
        asked = "" if min_probability is None else f"?min_probability={min_probability}"
        with (
            self._reaching(),
            self._http.stream("GET", f"/v1/exports/{quote(what, safe='')}{asked}", headers={"Accept": kind}) as answer,
        ):
            if not answer.is_success:
                answer.read()
                raise _problem(answer)
            with replacing(path) as beside, beside.open("wb") as stream:
                for some in answer.iter_bytes():
                    stream.write(some)

    def metrics(self) -> str:
        """Return the service's metrics as Prometheus reads them."""
        with self._reaching():
            answer = self._http.get("/metrics")
        if not answer.is_success:
            raise _problem(answer)
        return str(answer.text)

    def ready(self) -> bool:
        """Whether queries would be answered now; False too where nothing answers at all."""
        try:
            self._sent("GET", "/readyz")
        except ServiceProblem:
            return False
        return True

    def _pages(self, kind: type[T], path: str, asked: Mapping[str, object]) -> Iterator[T]:
        query = {**asked, "limit": _ON_A_PAGE}
        while True:
            page = self._sent("GET", f"{path}?{urlencode(query)}")
            yield from (record(kind, each) for each in page["items"])
            if page["next"] is None:
                return
            query["cursor"] = page["next"]

    def _sent(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        with self._reaching():
            answer = self._http.request(method, path, json=body, headers=dict(headers or {}))
        if not answer.is_success:
            raise _problem(answer)
        return answer.json() if answer.content else None

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except httpx2.TransportError as error:
            address = self._http.base_url
            raise ServiceProblem(
                0, "unreachable", f"{address} does not answer: {error}; is it served?", None
            ) from error


def _question(id: str, source: str, below: str = "", **more: object) -> str:
    """Return the path of a question, which may have any characters in its id."""
    return f"/v1/questions/{quote(id, safe='')}{below}?{urlencode({'source': source, **more})}"


def _problem(answer: httpx2.Response) -> ServiceProblem:
    try:
        details = answer.json()
        name, detail = str(details["type"]).rpartition(":")[2], str(details["detail"])
    except (ValueError, KeyError, TypeError):  # something in between answered
        name, detail = "unknown", f"the answer has status {answer.status_code} and is no problem of the service's"
    after = answer.headers.get("retry-after", "")
    return ServiceProblem(answer.status_code, name, detail, int(after) if after.isdigit() else None)
