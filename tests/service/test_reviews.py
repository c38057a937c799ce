"""Verdicts through the interface."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from corpora import KITCHEN
from fastapi.testclient import TestClient

from dedup.store import Scope, Store

Serving = Callable[..., TestClient]


def give(client: TestClient, left: str, right: str, verdict: str, **more: object):
    return client.post("/v1/reviews", json={"left": {"id": left}, "right": {"id": right}, "verdict": verdict, **more})


def test_a_verdict_is_followed_by_the_next_run_and_can_be_taken_back(
    client: TestClient, run_csv: Callable[..., object]
) -> None:
    together = client.get("/v1/questions/1").json()["cluster"] == client.get("/v1/questions/3").json()["cluster"]
    assert together
    given = give(client, "3", "1", "different").json()
    assert (given["verdict"], given["reviewer"], given["stratum"]) == ("different", "local", "chosen")
    run_csv(KITCHEN)
    assert client.get("/v1/questions/1").json()["cluster"] != client.get("/v1/questions/3").json()["cluster"]
    undone = client.delete(f"/v1/reviews/{given['review']}").json()
    assert undone["undone_at"]
    assert client.get("/v1/reviews/given").json()["items"] == [undone]
    assert client.delete("/v1/reviews/99").status_code == 404
    assert give(client, "1", "nobody", "same").status_code == 404


def test_the_queue_is_worked_off(client: TestClient, recorded: Store) -> None:
    asked = client.get("/v1/reviews", params={"limit": 50}).json()["pairs"]
    copies = sum(pair.distance == 0.0 for pair in recorded.pairs_from(0, 99))
    assert len(asked) == recorded.counts().pairs - copies
    for pair in asked:
        answer = client.post(
            "/v1/reviews",
            json={
                "left": {"id": pair["left"]["id"]},
                "right": {"id": pair["right"]["id"]},
                "verdict": "same",
                "stratum": pair["stratum"],
            },
        )
        assert answer.json()["probability"] == pytest.approx(pair["probability"])
    assert client.get("/v1/reviews").json()["pairs"] == []
    random = [pair for pair in asked if pair["stratum"] == "random"]
    found = client.get("/v1/reviews/estimates").json()
    assert found["recall"]["n"] == len(random)
    rows = client.get("/v1/reviews/given", headers={"Accept": "application/jsonl"}).text.splitlines()
    assert len(rows) == len(asked)


def test_only_reviewers_review(recorded: Store, serving: Serving) -> None:
    token, record = recorded.create_token({Scope.REVIEW}, "ana", actor="test")
    other, _ = recorded.create_token({Scope.WRITE}, actor="test")
    client = serving(recorded)
    body = {"left": {"id": "1"}, "right": {"id": "3"}, "verdict": "same"}
    refused = client.post("/v1/reviews", json=body, headers={"Authorization": f"Bearer {other}"})
    assert refused.status_code == 403
    given = client.post("/v1/reviews", json=body, headers={"Authorization": f"Bearer {token}"})
    assert given.json()["reviewer"] == record.actor
    assert recorded.acts(1)[0].action == "review"
