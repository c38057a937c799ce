"""How fast a running service answers: `python -m benchmarks.bench_service --db URL --indexes FOLDER`.

Starts `dedup serve` over what is recorded there, asks from another process over loopback, and prints JSON: the time
from the start until it is ready; one client's latencies; then queries that come at a rate, whether the ones before have
been answered or not (an open loop, so that waiting counts); and last several times the highest of these rates: what
becomes of those that are served, of the memory, and how soon after the last of these queries one client is served as
before.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

_READY_SECONDS = 120.0
_IN_A_ROW = 10
_OVERLOAD_SECONDS = 8.0


@dataclass(slots=True)
class Seen:
    """What became of some requests: seconds of those that were answered, and how many had each status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def told(self) -> dict[str, object]:
        """Return it in milliseconds, as JSON can say it."""
        served = np.array(self.seconds) * 1000
        quantiles = {f"p{q}": round(float(np.percentile(served, q)), 2) for q in (50, 95, 99)} if len(served) else {}
        return {**quantiles, "served": len(served), "statuses": dict(self.statuses)}


class Connection:
    """One kept-alive HTTP/1.1 connection, as little as a client can be: the processor belongs to the service."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def query(self, text: str) -> int:
        """Ask, read the whole answer and return its status."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        body = json.dumps({"text": text}).encode()
        head = "POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        said = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in said.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        return int(said[9:12])


async def one_client(port: int, texts: Sequence[str]) -> Seen:
    """Ask one question after the other."""
    seen, connection = Seen(), Connection(port)
    for text in texts:
        start = time.perf_counter()
        status = await connection.query(text)
        seen.statuses[status] += 1
        seen.seconds.append(time.perf_counter() - start)
    return seen


async def at_rate(port: int, texts: Sequence[str], rate: float, seconds: float) -> Seen:
    """Ask so many questions a second, whatever has been answered; latencies are of what was served."""
    seen, idle = Seen(), [Connection(port) for _ in range(16)]

    async def ask(text: str, due: float) -> None:
        connection = idle.pop() if idle else Connection(port)
        try:
            status = await connection.query(text)
        except (OSError, asyncio.IncompleteReadError):
            seen.statuses[0] += 1
            return
        seen.statuses[status] += 1
        if status == 200:
            seen.seconds.append(time.perf_counter() - due)
        idle.append(connection)

    start, asked = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        asked.append(asyncio.create_task(ask(texts[number % len(texts)], due)))
    await asyncio.gather(*asked)
    return seen


async def recovered(port: int, texts: Sequence[str], usual: float) -> float:
    """Return after how many seconds of asking one question after the other ten in a row took at most twice as usual."""
    start, connection, quick = time.perf_counter(), Connection(port), 0
    for text in texts:
        asked = time.perf_counter()
        status = await connection.query(text)
        quick = quick + 1 if status == 200 and time.perf_counter() - asked <= 2 * usual else 0
        if quick == _IN_A_ROW:
            break
    return time.perf_counter() - start


def started(db: str, indexes: str, port: int) -> tuple[subprocess.Popen[bytes], float]:
    """Start the service and return it once it is ready, and after how many seconds that was."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "dedup.cli", "-q", "serve", "--port", str(port), "--rate", "1000000"]
    process = subprocess.Popen([*command, "--db", db, "--indexes", indexes])
    while time.perf_counter() - start < _READY_SECONDS and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as opened:
                opened.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if opened.recv(64)[9:12] == b"200":
                    return process, time.perf_counter() - start
        except OSError:
            pass
        time.sleep(0.02)
    process.kill()
    raise SystemExit("the service was not ready in time; its own output says why")


async def overloaded(
    port: int, texts: Sequence[str], rate: float, usual: float, process: subprocess.Popen[bytes]
) -> dict[str, object]:
    """Ask far more than can be served, twice: memory that grows with refused queries would grow the second time too."""
    first = await at_rate(port, texts, rate, _OVERLOAD_SECONDS)
    between = resident_mb(process)
    second = await at_rate(port, texts, rate, _OVERLOAD_SECONDS)
    seconds = await recovered(port, texts, usual)
    return {
        "rate": rate,
        **second.told(),
        "statuses_of_the_first": dict(first.statuses),
        "resident_mb": [between, resident_mb(process)],
        "recovery_seconds": round(seconds, 2),
    }


def resident_mb(process: subprocess.Popen[bytes]) -> int:
    """Return how much memory a process holds now."""
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * 4096 >> 20


def sampled_texts(db: str, count: int) -> list[str]:
    """Return recorded texts, each with a word more, so that they are near what is recorded and not the same."""
    from dedup.store import Store

    with Store.open(db, create=False) as store:
        keys = np.random.default_rng(6).choice(store.recorded_keys(), count)
        texts = list(store.known_texts(keys).values())
    random.Random(6).shuffle(texts)
    return [f"please, {text}?" for text in texts]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--db", required=True)
    parser.add_argument("--indexes", required=True)
    parser.add_argument("--queries", type=int, default=1000, help="of the one client")
    parser.add_argument("--rates", type=float, nargs="*", default=[100, 200, 400, 1000], help="queries a second")
    parser.add_argument("--seconds", type=float, default=8.0, help="at each rate")
    parser.add_argument("--overload", type=float, default=5.0, help="times the highest of the rates")
    asked = parser.parse_args()
    texts = sampled_texts(asked.db, 2000)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    process, ready = started(asked.db, asked.indexes, port)
    try:
        asyncio.run(one_client(port, texts[:50]))
        found: dict[str, object] = {"ready_seconds": round(ready, 2), "resident_mb": resident_mb(process)}
        alone = asyncio.run(one_client(port, (texts * 10)[: asked.queries]))
        found["one_client"] = alone.told()
        for rate in asked.rates:
            found[f"rate_{rate:g}"] = asyncio.run(at_rate(port, texts, rate, asked.seconds)).told()
            found[f"resident_mb_after_{rate:g}"] = resident_mb(process)
        if asked.rates:
            usual = float(np.median(alone.seconds))
            found["overload"] = asyncio.run(overloaded(port, texts, max(asked.rates) * asked.overload, usual, process))
            found["one_client_after"] = asyncio.run(one_client(port, texts[:200])).told()
    finally:
        process.terminate()
        process.wait(60)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
