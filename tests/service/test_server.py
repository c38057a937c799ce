"""The service as a process of its own."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from corpora import KITCHEN
from processes import started, until

from dedup.settings import Settings

pytest.importorskip("uvicorn", reason="needs question-dedup[service]")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_under_way_be_answered(
    settings: Settings, run_csv: Callable[..., object], number: signal.Signals
) -> None:
    run_csv(KITCHEN)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    body = json.dumps({"text": "Can cats eat rice?"}).encode()
    head = (
        f"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    )
    with started(settings, "serve", "--port", str(port), slow=1.0) as process:
        until(lambda: is_ready(url))
        with socket.create_connection(("127.0.0.1", port), 30) as asking:
            asking.sendall(f"{head}\r\n\r\n".encode() + body)
            httpx2.get(f"{url}/healthz", timeout=30)  # it came later and is answered: the query has been read
            process.send_signal(number)
            answer = b"".join(iter(lambda: asking.recv(1 << 16), b""))
        _, said = process.communicate(timeout=30)
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["matches"][0]["id"] == "6"
    assert process.returncode == 0, said
    assert f"listening on {url}" in said
    assert "no access token exists" in said


def test_it_refuses_to_listen_for_others_without_a_token(settings: Settings, run_csv: Callable[..., object]) -> None:
    run_csv(KITCHEN)
    with started(settings, "serve", "--host", "0.0.0.0", "--port", str(free_port())) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "dedup token create" in said


def test_a_token_of_the_command_line_lets_in(settings: Settings, run_csv: Callable[..., object]) -> None:
    run_csv(KITCHEN)
    with started(settings, "token", "create", "--scope", "read", "--json") as process:
        made = json.loads(process.communicate(timeout=30)[0])
    assert sorted(made) == ["id", "scopes", "token"]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with started(settings, "serve", "--port", str(port)):
        until(lambda: is_ready(url))
        assert httpx2.get(f"{url}/v1/runs").status_code == 401
        shown = {"Authorization": f"Bearer {made['token']}"}
        assert httpx2.get(f"{url}/v1/runs", headers=shown).status_code == 200


def test_without_its_packages_the_way_to_install_them_is_named(tmp_path: Path) -> None:
    program = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *more: None if name == 'fastapi' else find(name, *more)\n"
        "from dedup.cli import main\n"
        "sys.argv = ['dedup', 'serve']\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ended.returncode == 1
    assert "pip install 'question-dedup[service]'" in ended.stderr
