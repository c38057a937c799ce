"""Who is let in."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fastapi.testclient import TestClient

from dedup.errors import DedupError
from dedup.service.access import Gate, is_loopback, require_safe_host
from dedup.service.engine import Limits
from dedup.service.problems import Problem
from dedup.store import Scope, Store

Serving = Callable[..., TestClient]

NEEDS = {
    Scope.READ: [("POST", "/v1/query", {"text": "who?"}), ("GET", "/v1/clusters", None), ("GET", "/metrics", None)],
    Scope.WRITE: [
        ("POST", "/v1/questions", {"questions": [{"id": "9", "text": "who?"}]}),
        ("DELETE", "/v1/questions/9", None),
    ],
}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def send(client: TestClient, method: str, path: str, body: object, token: str | None):
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return client.request(method, path, json=body, headers=headers)


@pytest.mark.parametrize("held", list(Scope))
def test_a_token_opens_what_its_scope_says_and_nothing_else(recorded: Store, serving: Serving, held: Scope) -> None:
    token, _ = recorded.create_token({held}, actor="test")
    client = serving(recorded)
    for needed, requests in NEEDS.items():
        for method, path, body in requests:
            for shown in (None, "dedup_wrong", ""):
                refused = send(client, method, path, body, shown)
                assert refused.status_code == 401
                assert refused.headers["www-authenticate"] == "Bearer"
            allowed = held in (needed, Scope.ADMIN) or needed is Scope.READ
            answer = send(client, method, path, body, token)
            assert (answer.status_code < 300) is allowed, answer.text
            assert allowed or answer.status_code == 403
    assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_a_revoked_token_is_worthless_within_a_second_and_the_last_one_does_not_open_the_door(
    recorded: Store, serving: Serving
) -> None:
    token, record = recorded.create_token({Scope.READ}, actor="test")
    clock = Clock()
    gate = Gate(recorded, rate=10, clock=clock)
    assert gate.admit(token, Scope.READ, "").actor == f"token {record.id}"
    recorded.revoke_token(record.id, actor="test")
    clock.now += 1.0
    with pytest.raises(Problem) as refused:
        gate.admit(token, Scope.READ, "")
    assert refused.value.status == 401
    assert send(serving(recorded), "GET", "/v1/clusters", None, None).status_code == 401


def test_the_first_token_closes_an_open_service(recorded: Store) -> None:
    clock = Clock()
    gate = Gate(recorded, rate=10, clock=clock)
    assert gate.admit(None, Scope.ADMIN, "127.0.0.1").actor == "local"
    recorded.create_token({Scope.READ}, actor="test")
    clock.now += 1.0
    with pytest.raises(Problem):
        gate.admit(None, Scope.READ, "127.0.0.1")


def test_a_token_is_not_on_record_anywhere(recorded: Store, settings) -> None:
    token, _ = recorded.create_token({Scope.READ}, "form", actor="test")
    recorded.close()
    for file in settings.indexes.parent.glob("dedup.db*"):
        assert token.encode() not in file.read_bytes()
        assert token.removeprefix("dedup_").encode() not in file.read_bytes()


def test_requests_beyond_the_rate_are_refused_until_time_has_passed(recorded: Store) -> None:
    one, _ = recorded.create_token({Scope.READ}, actor="test")
    other, _ = recorded.create_token({Scope.READ}, actor="test")
    clock = Clock()
    gate = Gate(recorded, rate=4, clock=clock)
    for _ in range(4):
        gate.admit(one, Scope.READ, "")
    with pytest.raises(Problem) as refused:
        gate.admit(one, Scope.READ, "")
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    gate.admit(other, Scope.READ, "")
    clock.now += 0.25
    gate.admit(one, Scope.READ, "")
    with pytest.raises(Problem):
        gate.admit(one, Scope.READ, "")


def test_too_many_requests_are_told_when_to_come_again(recorded: Store, serving: Serving) -> None:
    client = serving(recorded, Limits(rate=0.001))
    assert client.get("/v1/runs").status_code == 200
    refused = client.get("/v1/runs")
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 1


def test_without_a_token_the_service_is_for_this_machine_alone(recorded: Store, serving: Serving) -> None:
    for host in ("127.0.0.1", "::1", "localhost"):
        require_safe_host(recorded, host)
    for host in ("0.0.0.0", "::", "192.168.1.4", "example.org"):
        assert not is_loopback(host)
        with pytest.raises(DedupError, match="dedup token create"):
            require_safe_host(recorded, host)
    client = serving(recorded)
    assert client.get("/v1/runs", headers={"Host": "attacker.example"}).status_code == 421
    form = {"Origin": "https://attacker.example"}
    assert client.post("/v1/query", json={"text": "who?"}, headers=form).status_code == 403
    assert client.post("/v1/query", json={"text": "who?"}, headers={"Origin": "http://localhost"}).status_code == 200
    recorded.create_token({Scope.READ}, actor="test")
    require_safe_host(recorded, "0.0.0.0")


def test_a_body_of_another_type_is_not_read_as_json(recorded: Store, serving: Serving) -> None:
    """A form of another site can send plain text without asking; JSON it cannot."""
    answer = serving(recorded).post("/v1/query", content='{"text": "who?"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code in (415, 422)


def test_every_write_is_in_the_audit_log_without_a_text(recorded: Store, serving: Serving) -> None:
    token, record = recorded.create_token({Scope.WRITE}, "form", actor="dedup token, by ana")
    client = serving(recorded)
    send(client, "POST", "/v1/questions", {"questions": [{"id": "9", "text": "Who peels onions?"}]}, token)
    send(client, "DELETE", "/v1/questions/9", None, token)
    acts = recorded.acts(10)
    assert [(act.actor, act.action, act.about) for act in acts] == [
        (record.actor, "delete questions", {"questions": ["default/9"]}),
        (record.actor, "put questions", {"questions": ["default/9"]}),
        ("dedup token, by ana", "create token", {"token": record.id, "scopes": ["write"]}),
    ]
    assert recorded.acts(1, before=acts[0].id) == [acts[1]]
