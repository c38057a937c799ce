"""The service over the kitchen corpus, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from corpora import KITCHEN

from dedup.pipeline import RunResult
from dedup.settings import SETTING_NAMES, Resolved, Settings
from dedup.store import Store

pytest.importorskip("fastapi", reason="needs question-dedup[service]")

from fastapi.testclient import TestClient

from dedup.service.app import create_app
from dedup.service.engine import Limits, Service

RunCsv = Callable[..., RunResult]


@pytest.fixture
def resolved(settings: Settings) -> Resolved:
    return Resolved(settings, dict.fromkeys(SETTING_NAMES, "default"))


@pytest.fixture
def recorded(settings: Settings, run_csv: RunCsv) -> Iterator[Store]:
    """A store in which the kitchen's clusters are in service."""
    run_csv(KITCHEN)
    with Store.open(settings.db) as store:
        yield store


@pytest.fixture
def serving(resolved: Resolved) -> Iterator[Callable[..., TestClient]]:
    """Serve a store until the test ends; the service has looked at it once."""
    opened: list[TestClient] = []

    def serve(store: Store, limits: Limits | None = None) -> TestClient:
        service = Service(store, resolved, limits or Limits())
        service.look()
        client = TestClient(create_app(service), base_url="http://localhost", raise_server_exceptions=False)
        opened.append(client.__enter__())
        return client

    yield serve
    for client in reversed(opened):
        client.__exit__(None, None, None)


@pytest.fixture
def client(serving: Callable[..., TestClient], recorded: Store) -> TestClient:
    return serving(recorded)
