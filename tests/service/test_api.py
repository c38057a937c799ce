"""What the interface answers, beside what the commands and the store say."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
from corpora import KITCHEN
from fastapi.testclient import TestClient

from dedup.explanation import explain, explained
from dedup.queries import Searcher
from dedup.settings import Settings
from dedup.store import Store

Serving = Callable[..., TestClient]


def add(client: TestClient, *questions: dict[str, object], **headers: str):
    return client.post("/v1/questions", json={"questions": list(questions)}, headers=headers)


def ask(client: TestClient, text: str, k: int = 50) -> dict[str, dict[str, object]]:
    answer = client.post("/v1/query", json={"text": text, "k": k})
    assert answer.status_code == 200, answer.text
    return {match["id"]: match for match in answer.json()["matches"]}


def is_problem(response, status: int, name: str) -> bool:
    details = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert (response.status_code, details["status"]) == (status, status), details
    assert details["type"] == f"urn:question-dedup:problem:{name}"
    assert details["detail"]
    return True


def test_a_query_says_what_the_searcher_says(client: TestClient, recorded: Store, settings: Settings) -> None:
    asked = "How do I boil two eggs?"
    expected = Searcher.load(recorded, settings).query(asked, 3, 0.5)
    answer = client.post("/v1/query", json={"text": asked, "k": 3}).json()
    assert (answer["query"], answer["encoder"], answer["metric"]) == (asked, "trigrams", "euclidean")
    assert [(m["id"], m["distance"], m["probability"], m["duplicate"], m["cluster"]) for m in answer["matches"]] == [
        (m.question.id, m.distance, m.probability, m.duplicate, m.question.cluster_id) for m in expected.matches
    ]
    assert answer["duplicate"] == any(m.duplicate for m in expected.matches)


def test_a_batch_is_answered_as_its_queries_are_alone(client: TestClient) -> None:
    asked = [{"text": text, "k": at + 1, "threshold": 0.3 + at / 20} for at, (_, text, _) in enumerate(KITCHEN)]
    together = client.post("/v1/query/batch", json={"queries": asked}).json()["answers"]
    assert together == [client.post("/v1/query", json=each).json() for each in asked]


def test_an_explanation_is_that_of_the_command(client: TestClient, recorded: Store, settings: Settings) -> None:
    told = client.post("/v1/explain", json={"left": "10", "right": "3"}).json()
    assert told == json.loads(json.dumps(explained(explain(recorded, settings, "10", "3", None))))


def test_an_added_question_is_found_when_the_answer_comes_and_after_a_restart(
    client: TestClient, recorded: Store, serving: Serving
) -> None:
    text = "Why do onions make people cry?"
    assert "77" not in ask(client, text)
    assert add(client, {"id": "77", "text": text, "views": 3}).json()["added"] == 1
    found = ask(client, "why do onions make people cry")["77"]
    assert (found["distance"], found["probability"], found["cluster"]) == (0.0, 1.0, None)
    assert ask(serving(recorded), text) == ask(client, text)


def test_the_next_generation_holds_what_lay_over_the_last(
    client: TestClient, run_csv: Callable[..., object], settings: Settings
) -> None:
    add(client, {"id": "77", "text": "Why do onions make people cry?"})
    service = client.app.state.service
    before = service.snapshot
    run_csv([("78", "Why do people cry over onions?", 1)])
    service.look()
    assert service.snapshot.published.run.id > before.published.run.id
    assert len(before.searcher.overlay.added) == 1
    assert len(service.snapshot.searcher.overlay.added) == 0
    found = ask(client, "Why do onions make people cry?")
    assert found["77"]["cluster"] is not None
    assert "78" in found


def test_what_others_record_is_found_at_the_next_look(client: TestClient, recorded: Store, serving: Serving) -> None:
    other = serving(recorded)
    add(other, {"id": "77", "text": "Why do onions make people cry?"})
    add(client, {"id": "78", "text": "Who eats onions?"})
    client.app.state.service.look()
    assert {"77", "78"} <= set(ask(client, "Why do onions make people cry?"))


def test_a_changed_question_is_found_by_its_new_text_alone(client: TestClient) -> None:
    assert add(client, {"id": "6", "text": "Why is the sky blue?"}).json()["changed"] == 1
    assert ask(client, "why is the sky blue")["6"]["distance"] == 0.0
    assert ask(client, "can cats eat rice").get("6", {"distance": 1.0})["distance"] != 0.0
    assert add(client, {"id": "6", "text": "Why is the sky blue?"}).json()["unchanged"] == 1


def test_a_deleted_question_is_found_no_more_and_the_answer_is_not_shorter(client: TestClient) -> None:
    asked = "Can cats eat rice?"
    before = list(ask(client, asked, 3))
    assert before[0] == "6"
    assert client.delete("/v1/questions/6").status_code == 204
    after = list(ask(client, asked, 3))
    assert len(after) == 3
    assert after[:2] == before[1:]
    assert is_problem(client.delete("/v1/questions/6"), 404, "not-found")


def test_a_cluster_outlives_its_canonical_question(client: TestClient) -> None:
    cluster = client.get("/v1/questions/2").json()["cluster"]
    before = client.get(f"/v1/clusters/{cluster}").json()
    assert before["canonical"] == "2"
    client.delete("/v1/questions/2")
    after = client.get(f"/v1/clusters/{cluster}").json()
    assert after["canonical"] == "3"  # of those left, the one with most views
    assert after["size"] == before["size"] - 1 == len(after["members"])
    assert {m["question"]["id"] for m in after["members"]} == {m["question"]["id"] for m in before["members"]} - {"2"}
    assert all(m["probability"] >= after["weakest_probability"] for m in after["members"])


def test_a_request_sent_twice_with_one_key_is_done_once(client: TestClient) -> None:
    question, key = {"id": "77", "text": "Who peels onions?"}, {"Idempotency-Key": "k-1"}
    first = add(client, question, **key).json()
    add(client, {"id": "77", "text": "Who cuts onions?"})
    again = add(client, question, **key).json()
    assert again == {**first, "repeated": True}
    assert client.get("/v1/questions/77").json()["text"] == "Who cuts onions?"
    assert is_problem(add(client, {"id": "78", "text": "Other?"}, **key), 409, "key-reused")


def test_duplicates_are_those_of_the_run_and_of_a_new_question_those_found_now(client: TestClient) -> None:
    found = client.get("/v1/questions/1/duplicates").json()
    assert not found["pending"]
    ids = [each["id"] for each in found["duplicates"]]
    assert set(ids) >= {"2", "10", "3"}
    assert "1" not in ids
    add(client, {"id": "77", "text": "how do I boil an egg?!"})
    pending = client.get("/v1/questions/77/duplicates").json()
    assert pending["pending"]
    assert {each["id"] for each in pending["duplicates"]} == {*ids, "1"}


def test_an_id_of_two_sources_has_to_be_told_apart(client: TestClient) -> None:
    add(client, {"id": "1", "text": "Who?", "source": "other"})
    assert is_problem(client.get("/v1/questions/1"), 409, "ambiguous")
    assert client.get("/v1/questions/1", params={"source": "other"}).json()["text"] == "Who?"


def test_an_id_may_hold_what_a_path_does_not(client: TestClient) -> None:
    for own in ("a/b", "?x=1&y", "ä b", ".."):
        add(client, {"id": own, "text": f"What is {own}?"})
        path = "/v1/questions/" + quote(own, safe="").replace("..", "%2E%2E")
        assert client.get(path).json().get("id") == own, client.get(path).text
        assert client.get(f"{path}/duplicates").json()["question"]["id"] == own


@pytest.mark.parametrize("order", ["size", "weakest"])
def test_the_pages_of_a_list_are_the_whole_list(client: TestClient, order: str) -> None:
    whole = client.get("/v1/clusters", params={"order": order, "smallest": 1}).json()
    assert whole["next"] is None
    pages, cursor = [], None
    while True:
        asked = {"order": order, "smallest": 1, "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = client.get("/v1/clusters", params=asked).json()
        pages += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert pages == whole["items"]
    ranked = {"size": lambda row: -row["size"], "weakest": lambda row: row["weakest_probability"]}[order]
    assert whole["items"] == sorted(whole["items"], key=lambda row: (ranked(row), row["cluster"]))
    asked = {"order": order, "smallest": 1, "limit": 1}
    rows = client.get("/v1/clusters", params=asked, headers={"Accept": "text/csv"})
    assert [row["cluster"] for row in csv.DictReader(io.StringIO(rows.text))] == [
        str(row["cluster"]) for row in whole["items"]
    ]
    lines = client.get("/v1/clusters", params=asked, headers={"Accept": "application/jsonl"})
    assert [json.loads(line) for line in lines.text.splitlines()] == whole["items"]


def test_runs_are_listed(client: TestClient, recorded: Store) -> None:
    (row,) = client.get("/v1/runs").json()["items"]
    assert row["run"] == recorded.last_run().id
    assert client.get(f"/v1/runs/{row['run']}").json() == row
    assert is_problem(client.get("/v1/runs/99"), 404, "not-found")
    assert is_problem(client.get("/v1/clusters/99"), 404, "not-found")
    assert is_problem(client.get("/v1/clusters", params={"cursor": "x"}), 422, "cursor")


def test_before_the_first_run_the_service_is_alive_and_not_ready(
    serving: Serving, settings: Settings, run_csv: Callable[..., object]
) -> None:
    with Store.open(settings.db) as store:
        client = serving(store)
        assert client.get("/healthz").status_code == 200
        assert is_problem(client.get("/readyz"), 503, "not-ready")
        answer = client.post("/v1/query", json={"text": "who?"})
        assert is_problem(answer, 503, "not-ready")
        assert "dedup run DUMP" in answer.json()["detail"]
        assert answer.headers["retry-after"]
        run_csv(KITCHEN)
        client.app.state.service.look()
        assert client.get("/readyz").json()["generation"] == store.published_generation().name
        assert client.post("/v1/query", json={"text": "who?"}).status_code == 200


HOSTILE = [
    "<script>alert(1)</script> why?",
    "'; DROP TABLE questions; --",
    "\u202emirrored\u202c why?",
    "why " + "x" * 900_000,
    "a\r\nSet-Cookie: x=1",
    "=cmd|' /C calc'!A0",
    "🦊👨‍👩‍👧 why?",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_stored_whole(client: TestClient, text: str) -> None:
    assert add(client, {"id": "77", "text": text}).json()["added"] == 1
    assert client.get("/v1/questions/77").json()["text"] == text


@pytest.mark.parametrize(
    "body",
    [
        b'{"text": "\\ud800 why"}',
        b'{"text": "\xff why"}',
        b'{"text": ""}',
        b'{"text": "  "}',
        b'{"text": 7}',
        b'{"text": "why", "k": 0}',
        b'{"text": "why", "k": 1e99}',
        b'{"text": "why", "unknown": 1}',
        b'{"text": "why"',
        b"[" * 100_000,
    ],
)
def test_what_is_no_query_is_refused_by_where_and_why(client: TestClient, body: bytes) -> None:
    answer = client.post("/v1/query", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_no_database_can_hold_is_refused(client: TestClient) -> None:
    for question in ({"id": "7\0", "text": "why"}, {"id": "7", "text": "wh\0y"}, {"id": "é" * 400, "text": "why"}):
        assert is_problem(add(client, question), 422, "invalid")
    body = b'{"questions": [{"id": "7", "text": "\\udfff why"}]}'
    answer = client.post("/v1/questions", content=body, headers={"Content-Type": "application/json"})
    assert is_problem(answer, 422, "invalid")


def test_a_body_that_is_too_large_is_refused(client: TestClient) -> None:
    assert is_problem(client.post("/v1/query", content=b"x" * (5 << 20)), 413, "too-large")

    def streamed():
        for _ in range(80):
            yield b" " * (64 << 10)

    answer = client.post("/v1/query", content=streamed(), headers={"Content-Type": "application/json"})
    assert is_problem(answer, 413, "too-large")


def test_no_question_is_in_the_log(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    secret = "Xylophonzwieback"
    client.post("/v1/query", json={"text": f"What is {secret}?"})
    add(client, {"id": secret, "text": f"What is {secret}?"})
    client.get(f"/v1/questions/{secret}")
    client.delete(f"/v1/questions/{secret}")
    client.post("/v1/query", json={"text": f"{secret}\ud800"}.__str__())
    said = [record.getMessage() for record in caplog.records if record.name.startswith("dedup")]
    assert any("POST /v1/query 200" in line for line in said)
    assert not [line for line in said if secret in line]


def test_metrics_count_what_was_answered(client: TestClient) -> None:
    ask(client, "Can cats eat rice?")
    ask(client, "An altogether other matter of taxes")
    add(client, {"id": "77", "text": "Who peels onions?"})
    judged = {"left": {"id": "1"}, "right": {"id": "3"}, "verdict": "different"}
    assert client.post("/v1/reviews", json=judged).status_code == 200
    measured = client.get("/metrics").text
    assert 'dedup_reviewed_pairs{decision="different"} 1.0' in measured
    assert 'dedup_reviewed_pairs{decision="same"} 0.0' in measured
    assert 'dedup_answers_total{decision="duplicate"} 1.0' in measured
    assert 'dedup_answers_total{decision="new"} 1.0' in measured
    assert 'dedup_http_request_seconds_count{method="POST",route="/v1/query",status="200"} 2.0' in measured
    assert "dedup_added_texts 1.0" in measured
    assert "dedup_waiting_queries 0.0" in measured
    assert "dedup_ready 1.0" in measured


def test_nothing_is_loaded_from_elsewhere(client: TestClient) -> None:
    policy = client.get("/healthz").headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "unsafe" not in policy


def test_an_unknown_path_and_method_are_problems(client: TestClient) -> None:
    assert is_problem(client.get("/v2/query"), 404, "not-found")
    assert is_problem(client.get("/v1/query"), 405, "method")
