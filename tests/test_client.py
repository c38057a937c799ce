"""The client says what the service says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from corpora import KITCHEN

pytest.importorskip("fastapi", reason="needs question-dedup[service]")

from fastapi.testclient import TestClient

from dedup.client import Client, ServiceProblem
from dedup.explanation import explain, explained
from dedup.queries import Searcher
from dedup.questions import Question
from dedup.service.app import create_app
from dedup.service.engine import Limits, Service
from dedup.settings import SETTING_NAMES, Resolved, Settings
from dedup.store import ClusterOrder, Scope, Store


@pytest.fixture
def store(settings: Settings, run_csv: Callable[..., object]) -> Iterator[Store]:
    run_csv(KITCHEN)
    with Store.open(settings.db) as store:
        yield store


@pytest.fixture
def client(store: Store, settings: Settings) -> Iterator[Client]:
    """A client whose requests go to the application without a network between them."""
    token, _ = store.create_token({Scope.WRITE}, actor="test")
    service = Service(store, Resolved(settings, dict.fromkeys(SETTING_NAMES, "default")), Limits())
    service.look()
    with TestClient(create_app(service), base_url="http://localhost") as there:
        client = Client("http://localhost", token)
        there.headers.update(client._http.headers)
        client._http = there
        yield client


def test_answers_are_those_of_the_searcher(client: Client, store: Store, settings: Settings) -> None:
    texts = ["How do I boil two eggs?", "Who?"]
    expected = Searcher.load(store, settings).query_many(texts, 4, 0.5)
    for found in (client.query_many(texts, k=4), [client.query(text, k=4) for text in texts]):
        for answer, other in zip(found, expected, strict=True):
            assert [(m.id, m.distance, m.probability, m.duplicate) for m in answer.matches] == [
                (m.question.id, m.distance, m.probability, m.duplicate) for m in other.matches
            ]
    assert (
        client.explain("10", "3")["probability"] == explained(explain(store, settings, "10", "3", None))["probability"]
    )


def test_a_question_goes_there_whole_and_away(client: Client, store: Store) -> None:
    question = Question("a/b", "Who peels onions?", "s ü", datetime(2020, 1, 1, tzinfo=UTC), -3, 9, ("x", "y"))
    assert client.put([question], key="k").added == 1
    assert client.put([question], key="k").repeated
    (recorded,) = store.find_question("a/b", "s ü")
    assert (recorded.text, recorded.created, recorded.score, recorded.views, recorded.tags) == (
        question.text,
        question.created,
        question.score,
        question.views,
        question.tags,
    )
    assert client.duplicates("a/b", source="s ü") == []
    client.delete("a/b", source="s ü")
    with pytest.raises(ServiceProblem) as refused:
        client.delete("a/b", source="s ü")
    assert (refused.value.status, refused.value.name) == (404, "not-found")


def test_duplicates_and_clusters_are_those_of_the_store(client: Client, store: Store) -> None:
    (question,) = store.find_question("1")
    assert [(each.id, each.probability) for each in client.duplicates("1")] == [
        (each.question.id, each.probability) for each in store.duplicates(question, 0.5)
    ]
    assert [each.cluster for each in client.clusters(smallest=1)] == [each.id for each in store.largest_clusters(9)] + [
        each.id for each in store.cluster_page(ClusterOrder.SIZE, 9, smallest=1) if each.size == 1
    ]


def test_a_service_that_is_not_there_is_a_problem() -> None:
    with Client("http://127.0.0.1:9", seconds=2) as client, pytest.raises(ServiceProblem, match="is it served"):
        client.query("who?")
