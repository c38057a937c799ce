"""What is refused before it is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("fastapi", reason="needs question-dedup[service]")

from fastapi.testclient import TestClient

from dedup.service.engine import Limits, Service
from dedup.store import Store


@pytest.mark.parametrize("path", ["/v1/query", "/v1/query/batch"])
def test_a_query_that_the_queue_has_no_room_for_is_refused_before_it_is_read(
    path: str, serving: Callable[..., TestClient], recorded: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serving(recorded, Limits())
    monkeypatch.setattr(Service, "is_full", property(lambda _: True))
    refused = client.post(path, content=b"not even JSON")
    assert refused.status_code == 503
    assert refused.json()["type"].endswith(":overloaded")
    assert refused.headers["retry-after"] == "1"
    assert client.get("/v1/clusters").status_code == client.get("/healthz").status_code == 200
