"""The pages of the shipped example in a real browser: one server, one browser, a session of its own for each test."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from playwright import sync_api as playwright

from dedup.pipeline import run
from dedup.service.app import create_app
from dedup.service.engine import Limits, Service
from dedup.settings import FAST_ENCODER, SETTING_NAMES, Resolved, Settings
from dedup.store import Scope, Store

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "questions.csv"
CHROMIUM = Path(os.environ.get("DEDUP_CHROMIUM", "/usr/bin/chromium"))
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 30_000  # milliseconds


@dataclass(frozen=True)
class Site:
    """A service at an address, and what it works on."""

    url: str
    store: Store
    settings: Settings
    service: Service

    def run(self) -> None:
        """Run again, and put what is found in service."""
        run([], self.settings)
        self.service.look()

    def cluster_of(self, id: str) -> int:
        return self.store.find_question(id)[0].cluster_id


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    settings = Settings(
        db=f"sqlite:///{folder / 'dedup.db'}",
        indexes=folder / "indexes",
        reports=folder / "reports",
        encoder=FAST_ENCODER,
    )
    run([str(EXAMPLE)], settings)
    with Store.open(settings.db) as store, socket.socket() as listening:
        store.create_token({Scope.READ}, "first", actor="test")
        listening.bind(("127.0.0.1", 0))
        service = Service(store, Resolved(settings, dict.fromkeys(SETTING_NAMES, "environment")), Limits())
        service.look()
        server = uvicorn.Server(uvicorn.Config(create_app(service), log_config=None))
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield Site(f"http://127.0.0.1:{listening.getsockname()[1]}", store, settings, service)
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="package")
def browser() -> Iterator[playwright.Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"needs Chromium at {CHROMIUM}, or where DEDUP_CHROMIUM says")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture
def visitor(site: Site, browser: playwright.Browser) -> Iterator[Callable[..., playwright.Page]]:
    """Open a page of somebody who has a token of some scopes; at the end nothing may have been complained of."""
    contexts: list[playwright.BrowserContext] = []
    complaints: list[str] = []

    def visit(
        *scopes: Scope,
        name: str = "ana",
        width: int = 1200,
        height: int = 900,
        scheme: str = "light",
        scripts: bool = True,
    ) -> playwright.Page:
        context = browser.new_context(
            base_url=site.url,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
            java_script_enabled=scripts,
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if scopes:
            log_in(page, token(site.store, scopes, name))
        return page

    yield visit
    for context in contexts:
        context.close()
    assert complaints == []


def token(store: Store, scopes: Collection[Scope], name: str) -> str:
    return store.create_token(set(scopes), name, actor="test")[0]


def log_in(page: playwright.Page, token: str) -> None:
    page.goto("/login")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/")
