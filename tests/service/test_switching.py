"""Generations change and questions are added while queries come: every answer is right."""

from __future__ import annotations

import threading
from collections.abc import Callable

from corpora import KITCHEN
from fastapi.testclient import TestClient

SWITCHES = 4


def test_no_answer_is_wrong_while_generations_change_and_questions_are_added(
    client: TestClient, run_csv: Callable[..., object]
) -> None:
    service = client.app.state.service
    stop = threading.Event()
    wrong: list[str] = []
    counts = {"asked": 0, "added": 0}

    def ask() -> None:
        while not stop.is_set():
            for own, text, _ in KITCHEN:
                answer = client.post("/v1/query", json={"text": text, "k": 1})
                counts["asked"] += 1
                if answer.status_code != 200 or answer.json()["matches"][0]["distance"] != 0.0:
                    wrong.append(f"{own}: {answer.status_code} {answer.text}")

    def add() -> None:
        while not stop.is_set():
            number = counts["added"] = counts["added"] + 1
            question = {"id": f"new-{number}", "text": f"What is {number} and {number * number} of something?"}
            added = client.post("/v1/questions", json={"questions": [question]})
            found = client.post("/v1/query", json={"text": question["text"], "k": 1})
            if added.status_code != 200 or [m["id"] for m in found.json()["matches"]] != [question["id"]]:
                wrong.append(f"{question['id']}: {added.status_code} {found.text}")
            stop.wait(0.5)  # a run is refused where something was added while it worked

    working = [threading.Thread(target=ask), threading.Thread(target=ask), threading.Thread(target=add)]
    for thread in working:
        thread.start()
    generations = set()
    for switch in range(100):
        if switch >= SWITCHES and counts["added"] >= SWITCHES:
            break
        for _ in range(20):
            try:
                run_csv([(f"run-{switch}", f"Who counts to {switch}?", 1)])
                break
            except Exception as error:
                assert "while this run worked" in str(error)  # a question was added meanwhile: it is to be run again
        service.look()
        generations.add(service.snapshot.state.generation)
    stop.set()
    for thread in working:
        thread.join()
    assert wrong == []
    assert counts["asked"] > SWITCHES
    assert counts["added"] >= SWITCHES
    assert len(generations) >= 2
