"""The interface keeps to its own description: whatever is sent, an answer that it names, and never an error of ours."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

schemathesis = pytest.importorskip("schemathesis", reason="needs question-dedup[test]")


from schemathesis.checks import not_a_server_error  # noqa: E402 - after it is known to be there
from schemathesis.generation.modes import GenerationMode  # noqa: E402
from schemathesis.specs.openapi.checks import (  # noqa: E402
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.slow
def test_every_answer_is_one_that_is_described(client: TestClient, mode: GenerationMode) -> None:
    async def started(scope: Any, receive: Any, send: Any) -> None:
        """The application, which has been started once; each request would start and stop it again."""
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
        else:
            scope["headers"] = [each for each in scope["headers"] if each[0] != b"host"] + [(b"host", b"localhost")]
            await client.app(scope, receive, send)

    described = schemathesis.openapi.from_asgi("/openapi.json", started)
    operations = [found.ok() for found in described.get_all_operations()]
    assert {"/v1/query", "/v1/questions", "/v1/clusters", "/metrics"} <= {each.path for each in operations}
    for operation in operations:
        with suppress(Unsatisfiable):  # nothing is wrong with a request that says nothing
            keeps_to_it(operation.as_strategy(generation_mode=mode))


def keeps_to_it(cases: st.SearchStrategy[Any]) -> None:
    @settings(
        max_examples=15,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def answered(case: Any) -> None:
        case.validate_response(case.call(), checks=CHECKS)

    answered()
