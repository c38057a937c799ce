"""Do generations change without a wrong answer? `python -m benchmarks.bench_switching --switches 100 --adds 1000`.

Records the example's questions, starts `dedup serve` over them, and while some clients ask recorded questions one after
the other and one adds questions and asks each at once, this process records and publishes one generation after the
other. Prints JSON: how many requests there were, their latencies, and what failed or was answered wrongly. An answer is
right where the nearest question is the one that was asked, at distance 0.
"""

from __future__ import annotations

import argparse
import csv
import json
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks.bench_service import started
from dedup.client import Client, FoundAnswer, ServiceProblem
from dedup.pipeline import run
from dedup.questions import Question
from dedup.settings import Settings, load
from dedup.store import Store

_EXAMPLE = Path(__file__).parent.parent / "examples" / "questions.csv"
_ASKING = 3  # clients
_LONGEST_RUN = 60.0  # seconds
_BURST = 10  # questions added one after the other, before it is waited for a run to publish


@dataclass(slots=True)
class Seen:
    """What became of some requests."""

    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, is_right: Callable[[], bool]) -> None:
        """Do a request, and note how long it took and whether its answer was right."""
        start = time.perf_counter()
        try:
            fault = "" if is_right() else "answered wrongly"
        except ServiceProblem as problem:
            fault = f"{problem.status} {problem}"
        with self.lock:
            self.seconds.append(time.perf_counter() - start)
            if fault:
                self.wrong.append(f"{what}: {fault}")


def ask(address: str, texts: list[str], stop: threading.Event, seen: Seen) -> None:
    """Ask recorded questions until told to stop."""
    with Client(address) as client:
        number = 0
        while not stop.is_set():
            text = texts[number % len(texts)]
            seen.note(text, lambda text=text: _is_found(client.query(text, k=1)))  # type: ignore[misc]
            number += 1


def add(address: str, count: int, published: threading.Event, added: Seen, asked: Seen) -> None:
    """Add questions, and ask each as soon as it was taken; after some, wait until they are published."""
    with Client(address) as client:
        for number in range(count):
            new = Question(f"new-{number}", f"Who made {number} of the {number**2} things in box {number**3}?")
            added.note(new.id, lambda new=new: client.put([new]).added == 1)  # type: ignore[misc]
            asked.note(new.id, lambda new=new: _is_found(client.query(new.text, k=1), new.id))  # type: ignore[misc]
            if number % _BURST == _BURST - 1:
                published.clear()
                published.wait(_LONGEST_RUN)


def publish(folder: Path, settings: Settings, number: int) -> str:
    """Record a question, run, and return the name of the generation that is published."""
    dump = folder / "one.csv"
    with dump.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("id", "question"), (f"run-{number}", f"Which was the {number}th of all?")])
    run([str(dump)], settings)
    with Store.open(settings.db, create=False) as store:
        published = store.published_generation()
    assert published is not None
    return published.name


def _is_found(answer: FoundAnswer, id: str | None = None) -> bool:
    return bool(answer.matches) and answer.matches[0].distance == 0.0 and id in (None, answer.matches[0].id)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--switches", type=int, default=100)
    parser.add_argument("--adds", type=int, default=1000)
    wanted = parser.parse_args()
    with _EXAMPLE.open(encoding="utf-8", newline="") as stream:
        texts = [row["question"] for row in csv.DictReader(stream)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        db, indexes = f"sqlite:///{folder}/dedup.db", str(folder / "indexes")
        flags = {"db": db, "indexes": indexes, "encoder": "dedup-static", "reports": str(folder / "reports")}
        settings = load(flags, environment={}).settings
        run([str(_EXAMPLE)], settings)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        process, _ = started(db, indexes, port)
        address, stop, published = f"http://127.0.0.1:{port}", threading.Event(), threading.Event()
        asked, added, asked_of_added = Seen(), Seen(), Seen()
        asking = [threading.Thread(target=ask, args=(address, texts, stop, asked)) for _ in range(_ASKING)]
        adding = threading.Thread(target=add, args=(address, wanted.adds, published, added, asked_of_added))
        generations: list[str] = []
        try:
            for thread in (*asking, adding):
                thread.start()
            while len(generations) < wanted.switches or adding.is_alive():
                generations.append(publish(folder, settings, len(generations)))
                published.set()
            adding.join()
            stop.set()
            for thread in asking:
                thread.join()
        finally:
            stop.set()
            published.set()
            process.terminate()
            process.wait(60)
    print(
        json.dumps(
            {
                "generations": len(set(generations)),
                **{
                    what: {
                        "requests": len(seen.seconds),
                        "p50_ms": round(1000 * float(np.percentile(seen.seconds, 50)), 1),
                        "p99_ms": round(1000 * float(np.percentile(seen.seconds, 99)), 1),
                        "failed_or_wrong": len(seen.wrong),
                        "first": seen.wrong[:5],
                    }
                    for what, seen in (("queries", asked), ("adds", added), ("queries_of_added", asked_of_added))
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
