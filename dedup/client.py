"""A client of the service: typed, with connections kept open.

>>> from dedup.client import Client
>>> with Client("http://127.0.0.1:8080", token="dedup_...") as client:  # doctest: +SKIP
...     answer = client.query("How do I boil an egg?", k=3)
...     print(answer.duplicate, [match.id for match in answer.matches])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx2

from dedup.errors import DedupError
from dedup.questions import DEFAULT_SOURCE, Question

T = TypeVar("T")


class ServiceProblem(DedupError):
    """The service refused or failed; ``name`` is the last part of the problem's type, after RFC 9457.

    ``retry_after`` is in seconds, where the service says when to come again.
    """

    def __init__(self, status: int, name: str, detail: str, retry_after: int | None) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class FoundMatch:
    """A recorded question near a text; ``distance`` is in the encoder's metric, smaller is closer."""

    id: str
    source: str
    text: str
    distance: float
    probability: float
    duplicate: bool
    cluster: int | None
    canonical: str | None
    canonical_source: str | None


@dataclass(frozen=True, slots=True)
class FoundAnswer:
    """What is nearest to a text, nearest first."""

    query: str
    encoder: str
    metric: str
    threshold: float
    duplicate: bool
    matches: tuple[FoundMatch, ...]


@dataclass(frozen=True, slots=True)
class FoundDuplicate:
    """A question that asks the same as another."""

    id: str
    source: str
    text: str
    distance: float
    probability: float
    cluster: int | None


@dataclass(frozen=True, slots=True)
class FoundCluster:
    """A cluster, by its canonical question."""

    cluster: int
    size: int
    weakest_probability: float
    canonical: str
    canonical_source: str
    canonical_text: str
    run: int


@dataclass(frozen=True, slots=True)
class Put:
    """What became of some questions; each is counted once."""

    added: int
    changed: int
    unchanged: int
    revision: int
    repeated: bool


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
        return _answer(self._sent("POST", "/v1/query", {"text": text, "k": k, "threshold": threshold}))

    def query_many(self, texts: Sequence[str], *, k: int = 5, threshold: float | None = None) -> list[FoundAnswer]:
        """Ask about several questions at once; the answers are in their order."""
        queries = [{"text": text, "k": k, "threshold": threshold} for text in texts]
        return [_answer(each) for each in self._sent("POST", "/v1/query/batch", {"queries": queries})["answers"]]

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
        return _made(Put, self._sent("POST", "/v1/questions", {"questions": given}, headers))

    def delete(self, id: str, *, source: str = DEFAULT_SOURCE) -> None:
        """Delete a question."""
        self._sent("DELETE", f"/v1/questions/{quote(id, safe='')}?source={quote(source, safe='')}")

    def duplicates(self, id: str, *, source: str = DEFAULT_SOURCE) -> list[FoundDuplicate]:
        """Return the questions that ask the same as a recorded one, the most probable first."""
        found = self._sent("GET", f"/v1/questions/{quote(id, safe='')}/duplicates?source={quote(source, safe='')}")
        return [_made(FoundDuplicate, each) for each in found["duplicates"]]

    def clusters(self, *, order: str = "size", smallest: int = 2) -> Iterator[FoundCluster]:
        """Yield the clusters, page by page: by ``size``, the largest first, or by ``weakest`` link."""
        cursor = ""
        while True:
            page = self._sent("GET", f"/v1/clusters?order={quote(order)}&smallest={smallest}&limit=200{cursor}")
            yield from (_made(FoundCluster, each) for each in page["items"])
            if page["next"] is None:
                return
            cursor = f"&cursor={quote(page['next'])}"

    def explain(self, left: str, right: str, *, source: str | None = None) -> Mapping[str, Any]:
        """Explain the relation of two questions, each an id or a text, as `dedup explain --json` does."""
        found: Mapping[str, Any] = self._sent("POST", "/v1/explain", {"left": left, "right": right, "source": source})
        return found

    def _sent(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        try:
            answer = self._http.request(method, path, json=body, headers=dict(headers or {}))
        except httpx2.TransportError as error:
            address = self._http.base_url
            raise ServiceProblem(
                0, "unreachable", f"{address} does not answer: {error}; is it served?", None
            ) from error
        if answer.is_success:
            return answer.json() if answer.content else None
        try:
            details = answer.json()
            name, detail = str(details["type"]).rpartition(":")[2], str(details["detail"])
        except (ValueError, KeyError, TypeError):  # something in between answered
            name, detail = "unknown", f"the answer has status {answer.status_code} and is no problem of the service's"
        after = answer.headers.get("retry-after", "")
        raise ServiceProblem(answer.status_code, name, detail, int(after) if after.isdigit() else None)


def _answer(found: Mapping[str, Any]) -> FoundAnswer:
    matches = tuple(_made(FoundMatch, each) for each in found["matches"])
    return _made(FoundAnswer, {**found, "matches": matches})


def _made(kind: type[T], found: Mapping[str, Any]) -> T:
    """Return a record; fields that a newer service adds are left out."""
    return kind(**{each.name: found[each.name] for each in fields(kind)})  # type: ignore[arg-type]
