"""The client says what the service says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from corpora import KITCHEN

pytest.importorskip("fastapi", reason="needs question-dedup[service]")

from fastapi.testclient import TestClient

from dedup.client import Client, ServiceProblem
from dedup.errors import DedupError
from dedup.explanation import explain, explained
from dedup.export import export_canonical, export_clusters, export_labels, export_pairs
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
    token, _ = store.create_token({Scope.ADMIN}, actor="test")
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


def test_a_cluster_comes_with_its_members_links_and_past(client: Client, store: Store) -> None:
    (question,) = store.find_question("1")
    found = client.cluster(question.cluster_id)
    there = store.cluster(question.cluster_id)
    assert [member.question.id for member in found.members] == [member.question.id for member in there.members]
    assert min(link.probability for link in found.links) == found.links[0].probability
    assert (found.members[0].question.created, found.history) == (there.members[0].question.created, ())
    assert client.question("1") == next(m.question for m in found.members if m.question.id == "1")


def test_runs_are_listed_and_shown(client: Client, store: Store) -> None:
    (run,) = client.runs()
    assert client.run(run.run) == run
    assert (run.started_at, run.counts["texts"]) == (store.run(1).started_at, store.run(1).counts["texts"])


def test_verdicts_are_asked_for_given_listed_and_taken_back(client: Client, store: Store) -> None:
    asked = client.next_reviews(1)[0]
    given = client.review(asked.left.id, asked.right.id, "different", stratum=asked.stratum)
    assert {given.left, given.right} == {asked.left.id, asked.right.id}
    assert (given.verdict, given.probability) == ("different", asked.probability)
    assert client.estimates().judged == 1
    assert client.estimates(threshold=0.9).threshold == 0.9
    assert list(client.reviews()) == [given]
    undone = client.undo_review(given.review)
    assert undone.undone_at is not None
    client.delete(asked.left.id)
    assert None in {each.left for each in client.reviews()} | {each.right for each in client.reviews()}


def test_contradictions_are_told(client: Client) -> None:
    for left, right, verdict in (("3", "4", "same"), ("4", "5", "same"), ("3", "5", "different")):
        client.review(left, right, verdict)
    (found,) = client.contradictions()
    assert {found.left.id, found.right.id} == {"3", "5"}
    assert [question.id for question in found.chain] in (["3", "4", "5"], ["5", "4", "3"])
    assert [said.verdict for said in found.reviews] == ["different"]


def test_a_classifier_that_nobody_proposed_is_not_accepted(client: Client) -> None:
    with pytest.raises(ServiceProblem, match="expected 20"):
        client.recalibrate()
    with pytest.raises(ServiceProblem) as refused:
        client.accept("0" * 16)
    assert refused.value.status == 404


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_exports_are_those_of_the_command(client: Client, store: Store, tmp_path: Path, suffix: str) -> None:
    client.review("1", "3", "same")
    there, here = tmp_path / f"there{suffix}", tmp_path / f"here{suffix}"
    for what, written in {
        "pairs": lambda: export_pairs(store, here, 0.5),
        "clusters": lambda: export_clusters(store, here),
        "canonical": lambda: export_canonical(store, here),
        "labels": lambda: export_labels(store, here),
    }.items():
        assert written() > 0
        client.export(what, there)
        assert there.read_bytes() == here.read_bytes()
    export_pairs(store, here, 0.0)
    client.export("pairs", there, min_probability=0)
    assert there.read_bytes() == here.read_bytes()


def test_an_export_that_is_not_there_leaves_no_file(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ServiceProblem):
        client.export("everything", tmp_path / "all.csv")
    with pytest.raises(DedupError, match=r"expected one of \.csv, \.jsonl"):
        client.export("pairs", tmp_path / "pairs.xlsx")
    assert not (tmp_path / "all.csv").exists()


def test_the_service_says_how_it_is(client: Client) -> None:
    assert client.ready()
    assert "dedup_index_vectors" in client.metrics()


def test_a_service_that_is_not_there_is_a_problem() -> None:
    with Client("http://127.0.0.1:9", seconds=2) as client:
        assert not client.ready()
        with pytest.raises(ServiceProblem, match="is it served"):
            client.query("who?")
