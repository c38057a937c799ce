"""What people agree on, and where they contradict each other, through the interface."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from corpora import many_questions
from fakes import HashingEncoder
from fastapi.testclient import TestClient
from reviewers import review

from dedup.classifier import load_classifier
from dedup.settings import Settings
from dedup.store import Scope, Store, Stratum, Verdict

Serving = Callable[..., TestClient]


@pytest.fixture
def reviewed(run_csv: Callable[..., object], recorded: Store) -> Store:
    """A larger corpus, of which a reviewer has judged pairs."""
    run_csv([(f"m{id_}", text, views) for id_, text, views in many_questions(300)])
    review(recorded, 60)
    return recorded


def test_the_classifier_is_recalibrated_once_that_is_accepted(
    reviewed: Store, serving: Serving, settings: Settings, trigrams: HashingEncoder
) -> None:
    client = serving(reviewed)

    def installed() -> str:
        found = load_classifier(settings.indexes, trigrams.name, trigrams.fingerprint, settings.metric)
        return found.identity

    before = installed()
    shown = client.post("/v1/recalibrate", json={}).json()
    assert (shown["accepted"], shown["labels"]) == (False, len(list(reviewed.review_labels())))
    assert installed() == before
    assert client.post("/v1/recalibrate", json={"accept": "0" * 16}).status_code == 404
    accepted = client.post("/v1/recalibrate", json={"accept": shown["classifier"]}).json()
    assert accepted == {**shown, "accepted": True}
    assert installed() == shown["classifier"]
    assert reviewed.acts(1)[0].about == {"classifier": shown["classifier"], "labels": shown["labels"]}


def test_only_an_admin_recalibrates(recorded: Store, serving: Serving) -> None:
    reviewer, _ = recorded.create_token({Scope.REVIEW, Scope.WRITE}, actor="test")
    admin, _ = recorded.create_token({Scope.ADMIN}, actor="test")
    client = serving(recorded)
    for token, status in ((reviewer, 403), (admin, 422)):  # nobody has reviewed anything
        answer = client.post("/v1/recalibrate", json={}, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status


def test_labels_come_as_a_file_of_pairs(reviewed: Store, serving: Serving) -> None:
    answer = serving(reviewed).get("/v1/labels.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [(row["question1"], row["question2"], row["is_duplicate"] == "1") for row in rows] == [
        (label.left_text, label.right_text, label.duplicate) for label in reviewed.review_labels()
    ]


def test_contradictions_are_listed(client: TestClient, recorded: Store) -> None:
    number = {name: recorded.find_question(name)[0].number for name in ("1", "3", "4", "6")}
    for left, right, verdict in (("1", "3", "same"), ("3", "4", "same"), ("1", "4", "different")):
        recorded.record_review(number[left], number[right], Verdict(verdict), "ana", Stratum.CHOSEN)
    (found,) = client.get("/v1/contradictions").json()["contradictions"]
    assert {found["left"]["id"], found["right"]["id"]} <= {"1", "2", "10", "4"}  # "2" and "10" are copies of "1"
    assert [each["id"] for each in found["chain"]][1] == "3"
    assert [(each["reviewer"], each["verdict"]) for each in found["reviews"]] == [("ana", "different")]


def test_a_cluster_tells_its_history(client: TestClient, recorded: Store, run_csv: Callable[..., object]) -> None:
    eggs = client.get("/v1/questions/1").json()["cluster"]
    assert client.get(f"/v1/clusters/{eggs}").json()["history"] == []
    one, other = (recorded.find_question(name)[0].number for name in ("1", "4"))
    recorded.record_review(one, other, Verdict.SAME, "ana", Stratum.CHOSEN)
    run_csv([])
    cluster = client.get("/v1/questions/4").json()["cluster"]
    expected = [(event.run_id, event.kind, event.cluster, event.into) for event in recorded.cluster_history(cluster)]
    told = client.get(f"/v1/clusters/{cluster}").json()["history"]
    assert [(each["run"], each["kind"], each["cluster"], each["into"]) for each in told] == expected
    assert expected


def test_clusters_are_filtered(client: TestClient, recorded: Store) -> None:
    every = client.get("/v1/clusters", params={"smallest": 1}).json()["items"]
    for params, kept in (
        ({"weakest": 0.9}, lambda each: each["weakest_probability"] <= 0.9),
        ({"text": "TALLEST"}, lambda each: "tallest" in each["canonical_text"]),
        ({"text": "100%_"}, lambda each: False),
    ):
        found = client.get("/v1/clusters", params={"smallest": 1, **params}).json()["items"]
        assert found == [each for each in every if kept(each)]
