"""Tokens and reviews from the command line."""

from __future__ import annotations

import io
import socket
import sys

import pytest
from command_line import Dedup
from corpora import KITCHEN, write_csv

from dedup.settings import Settings
from dedup.store import Scope, Store


@pytest.fixture
def run_kitchen(dedup: Dedup, tmp_path) -> None:
    assert dedup("run", write_csv(tmp_path / "questions.csv", KITCHEN)).code == 0


def test_a_token_is_printed_once_and_listed_without_itself(dedup: Dedup, run_kitchen: None, settings: Settings) -> None:
    made = dedup("token", "create", "--scope", "read", "--scope", "write", "--name", "form", "--json").json
    assert (sorted(made), made["scopes"]) == (["id", "scopes", "token"], ["read", "write"])
    assert dedup("token", "create", "--scope", "admin").out.startswith("dedup_")
    listed = dedup("token", "list", "--json")
    assert made["token"] not in listed.out
    assert [(each["id"], each["name"], each["scopes"]) for each in listed.json["tokens"]] == [
        (made["id"], "form", ["read", "write"]),
        (made["id"] + 1, "", ["admin"]),
    ]
    assert "form" in dedup("token", "list").out
    with Store.open(settings.db) as store:
        assert store.token(made["token"]).allows(Scope.WRITE)
        assert dedup("token", "revoke", str(made["id"]), "--json").json["revoked_at"]
        assert not store.token(made["token"]).allows(Scope.READ)
    missing = dedup("token", "revoke", "99")
    assert missing.code == 1
    assert "dedup token list" in missing.err


def test_verdicts_are_given_by_keys_and_taken_back(
    dedup: Dedup, run_kitchen: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("s\nu\nd\nk\n"))
    told = dedup("review", "--reviewer", "ana", "--limit", "3")
    assert told.code == 0, told.err
    assert "2 verdicts are recorded" in told.out
    with Store.open(settings.db) as store:
        skipped, different, undone = store.reviews(9)
    assert [(each.verdict, each.undone_at is not None) for each in (undone, different, skipped)] == [
        ("same", True),
        ("different", False),
        ("skip", False),
    ]
    assert (undone.left, undone.right) == (different.left, different.right) != (skipped.left, skipped.right)
    found = dedup("review", "--estimates", "--json").json
    assert set(found) == {"threshold", "precision", "recall", "disagreements"}


def test_a_port_that_is_taken_is_refused_in_one_line(dedup: Dedup, run_kitchen: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = dedup("serve", "--port", str(taken.getsockname()[1]))
    assert refused.code == 1
    assert "nothing can listen on 127.0.0.1, port" in refused.err
    assert "Address already in use" in refused.err
