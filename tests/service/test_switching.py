"""Generations change and questions are added while queries come: every answer is right."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from corpora import KITCHEN
from fastapi.testclient import TestClient

from dedup.service.engine import Limits, Service
from dedup.settings import Resolved
from dedup.store import Store

SWITCHES = 4


class Using:
    """Threads that ask and add until they are stopped, and note every answer that is wrong."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._ask, self._ask, self._add)]
        self.wrong: list[str] = []
        self.asked = self.added = 0
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            for own, text, _ in KITCHEN:
                answer = self._client.post("/v1/query", json={"text": text, "k": 1})
                self.asked += 1
                if answer.status_code != 200 or answer.json()["matches"][0]["distance"] != 0.0:
                    self.wrong.append(f"{own}: {answer.status_code} {answer.text}")

    def _add(self) -> None:
        while not self._stop.is_set():
            self.added += 1
            question = {"id": f"new-{self.added}", "text": f"What is {self.added} and {self.added**2} of something?"}
            added = self._client.post("/v1/questions", json={"questions": [question]})
            found = self._client.post("/v1/query", json={"text": question["text"], "k": 1})
            if added.status_code != 200 or [m["id"] for m in found.json()["matches"]] != [question["id"]]:
                self.wrong.append(f"{question['id']}: {added.status_code} {found.text}")
            self._stop.wait(0.3)  # so that a run has time to publish


def test_no_answer_is_wrong_while_generations_change_and_questions_are_added(
    client: TestClient, run_csv: Callable[..., object]
) -> None:
    service, using = client.app.state.service, Using(client)
    generations = set()
    switch = 0
    try:
        while switch < SWITCHES or using.added < SWITCHES:
            run_csv([(f"run-{switch}", f"Who counts to {switch}?", 1)])
            service.look()
            generations.add(service.snapshot.state.generation)
            switch += 1
    finally:
        using.stop()
    assert using.wrong == []
    assert using.asked > SWITCHES
    assert len(generations) >= SWITCHES


def test_what_cannot_be_followed_is_said_once_and_the_last_goes_on(
    resolved: Resolved, recorded: Store, run_csv: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    service = Service(recorded, resolved, Limits())
    service.look()
    before = service.snapshot
    run_csv([("new", "Who is new here?", 1)])
    folder = resolved.settings.indexes / recorded.published_generation().name
    folder.rename(folder.with_suffix(".away"))
    for _ in range(3):
        service.look()
    assert service.snapshot is before
    assert [record.levelname for record in caplog.records if "cannot be loaded" in record.message] == ["WARNING"]
    folder.with_suffix(".away").rename(folder)
    service.look()
    assert service.snapshot is not before
