"""The forms of the pages, without a browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from corpora import KITCHEN
from fastapi.testclient import TestClient

from dedup.service.pages.sessions import COOKIE
from dedup.store import Scope, Store, Verdict

Serving = Callable[..., TestClient]


def code_of(page: str) -> str:
    return re.search(r'name="code" value="([0-9a-f]{64})"', page)[1]


def post(client: TestClient, path: str, page: str, **fields: object):
    """Send a form as the page at ``page`` has it."""
    code = code_of(client.get(page).text)
    return client.post(path, data={"code": code, **fields}, follow_redirects=False)


def number(store: Store, id: str) -> int:
    return store.find_question(id)[0].number


def test_without_tokens_pages_need_no_login_but_their_own_forms(client: TestClient, recorded: Store) -> None:
    left, right = number(recorded, "1"), number(recorded, "3")
    fields = {"left": left, "right": right, "verdict": "same", "stratum": "chosen"}
    refused = client.post("/review", data=fields)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")
    assert recorded.reviews(9) == []
    assert post(client, "/review", "/review", **fields).headers["location"] == "/review"
    assert [each.verdict for each in recorded.reviews(9)] == [Verdict.SAME]
    assert client.get("/login", follow_redirects=False).headers["location"] == "/"


def test_a_code_is_good_for_one_browser_alone(client: TestClient, recorded: Store, serving: Serving) -> None:
    foreign = code_of(serving(recorded).get("/").text)
    client.get("/")
    assert client.post("/", data={"code": foreign, "text": "Can cats eat rice?"}).status_code == 403


@pytest.mark.parametrize("path", ["/review", "/review/undo", "/clusters/1/split", "/clusters/1/merge", "/logout"])
def test_every_form_needs_its_code(client: TestClient, path: str) -> None:
    client.get("/")
    refused = client.post(path, data={"code": "0" * 64})
    assert refused.json()["type"] == "urn:question-dedup:problem:form"


def test_a_session_begins_with_a_new_secret_and_ends_for_good(recorded: Store, serving: Serving) -> None:
    token, record = recorded.create_token({Scope.REVIEW}, "ana", actor="test")
    client = serving(recorded)
    assert client.get("/", follow_redirects=False).headers["location"] == "/login?to=/"
    client.get("/login")
    planted = client.cookies[COOKIE]
    assert post(client, "/login", "/login", token=token, to="/runs").headers["location"] == "/runs"
    secret = client.cookies[COOKIE]
    assert secret != planted
    assert client.get("/review").status_code == 200
    assert recorded.session_token(secret) == record
    assert client.get("/v1/runs", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    post(client, "/logout", "/")
    assert recorded.session_token(secret) is None
    client.cookies.set(COOKIE, secret)
    assert client.get("/runs", follow_redirects=False).status_code == 303
    assert [each.action for each in recorded.acts(2)] == ["log out", "log in"]


def test_a_session_ends_with_its_token_and_with_its_time(recorded: Store) -> None:
    token, record = recorded.create_token({Scope.READ}, actor="test")
    over = recorded.open_session(record, timedelta(0))
    running = recorded.open_session(record, timedelta(hours=1))
    assert recorded.session_token(over) is None
    recorded.revoke_token(record.id, actor="test")
    assert recorded.session_token(running).revoked_at is not None
    assert recorded.token(token).revoked_at is not None


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example/", "/\\evil.example", "", "/\n/evil.example"])
def test_a_login_leads_to_our_own_pages_alone(recorded: Store, serving: Serving, to: str) -> None:
    token, _ = recorded.create_token({Scope.READ}, actor="test")
    assert post(serving(recorded), "/login", "/login", token=token, to=to).headers["location"] == "/"


def test_a_wrong_token_is_said_to_be_wrong(recorded: Store, serving: Serving) -> None:
    recorded.create_token({Scope.READ}, actor="test")
    refused = post(serving(recorded), "/login", "/login", token="dedup_wrong", to="/")
    assert refused.status_code == 401
    assert "unknown or revoked" in refused.text


def test_what_a_form_cannot_have_is_told(client: TestClient, recorded: Store) -> None:
    cluster = recorded.find_question("1")[0].cluster_id
    one = number(recorded, "1")
    for path, fields, said in (
        ("/review", {"left": "x", "right": one, "verdict": "same"}, "no whole number"),
        ("/review", {"left": one, "right": one, "verdict": "perhaps"}, "expected same, different or skip"),
        (f"/clusters/{cluster}/split", {}, "both parts need one"),
        (f"/clusters/{cluster}/split", {"apart": one}, "copies of one text"),
        (f"/clusters/{cluster}/merge", {"other": cluster}, "these are one cluster"),
        (f"/clusters/{cluster}/canonical", {"question": number(recorded, "6")}, "another cluster"),
    ):
        answer = post(client, path, "/", **fields)
        assert 400 <= answer.status_code < 500
        assert said in answer.text, path
    assert recorded.reviews(9) == []
    assert client.get("/clusters/nonsense").status_code == 404


def test_a_split_rejects_every_pair_across_it_once(client: TestClient, recorded: Store) -> None:
    cluster = recorded.find_question("1")[0].cluster_id
    assert {each.question.id for each in recorded.cluster(cluster).members} == {"1", "2", "3", "10"}  # two texts
    post(client, f"/clusters/{cluster}/split", "/", apart=number(recorded, "3"))
    (review,) = recorded.reviews(9)
    assert (review.verdict, {review.left, review.right} >= {number(recorded, "3")}) == (Verdict.DIFFERENT, True)
    post(client, "/review/undo", "/", review=review.id, cluster=cluster)
    assert recorded.reviewed() == []


def test_a_merge_holds_strangers_together(client: TestClient, recorded: Store, run_csv: Callable[..., object]) -> None:
    eggs, trees = (recorded.find_question(name)[0].cluster_id for name in ("1", "4"))
    both = {each.question.id for number in (eggs, trees) for each in recorded.cluster(number).members}
    post(client, f"/clusters/{eggs}/merge", "/", other=trees)
    run_csv(KITCHEN)
    found = recorded.cluster(recorded.find_question("1")[0].cluster_id)
    assert {each.question.id for each in found.members} == both
    post(client, "/review/undo", "/", review=recorded.reviews(1)[0].id, cluster=eggs)
    run_csv(KITCHEN)
    assert recorded.find_question("1")[0].cluster_id != recorded.find_question("4")[0].cluster_id


def test_the_chosen_canonical_question_stays_through_later_runs(
    client: TestClient, recorded: Store, run_csv: Callable[..., object]
) -> None:
    cluster = recorded.find_question("1")[0].cluster_id
    assert recorded.cluster(cluster).summary.canonical.id == "2"
    post(client, f"/clusters/{cluster}/canonical", "/", question=number(recorded, "3"))
    for changed in ({}, {"threshold": 0.3}):
        run_csv(KITCHEN, **changed)
        assert recorded.cluster(recorded.find_question("1")[0].cluster_id).summary.canonical.id == "3"
    post(client, f"/clusters/{cluster}/canonical", "/", question=number(recorded, "10"))  # the last choice counts
    run_csv(KITCHEN)
    cluster = recorded.find_question("1")[0].cluster_id
    assert recorded.cluster(cluster).summary.canonical.id == "10"
    post(client, f"/clusters/{cluster}/canonical/forget", "/")
    run_csv(KITCHEN)
    assert recorded.cluster(recorded.find_question("1")[0].cluster_id).summary.canonical.id == "2"


def test_pages_are_never_kept_but_their_files_are(client: TestClient) -> None:
    page = client.get("/")
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    files = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    assert len(files) == 3
    for file in files:
        found = client.get(file)
        assert (found.status_code, "immutable" in found.headers["cache-control"]) == (200, True)
        assert found.headers["x-content-type-options"] == "nosniff"
    assert client.get("/static/0/pages.css").status_code == 404
    assert not re.search(r"<script>|<style|style=|\son\w+=", page.text)
