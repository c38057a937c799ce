"""The server: uvicorn around the application."""

from __future__ import annotations

import logging
import signal
import socket
from types import FrameType

import uvicorn

from dedup.cores import one_core_a_thread
from dedup.errors import DedupError
from dedup.service.access import require_safe_host
from dedup.service.app import create_app
from dedup.service.engine import Limits, Service
from dedup.settings import Resolved
from dedup.store import Store

log = logging.getLogger(__name__)

DRAINED = 20
"""Seconds for which requests under way may go on once the server is asked to stop."""


def serve(resolved: Resolved, *, host: str, port: int, limits: Limits) -> None:
    """Serve until SIGINT or SIGTERM, then answer what is under way and return.

    Raises
    ------
    DedupError
        Where the database cannot be opened, ``host`` is open to others and no token exists, or the port is taken.
    """
    one_core_a_thread()
    with Store.open(resolved.settings.db) as store:
        require_safe_host(store, host)
        _require_port(host, port)
        if not store.has_tokens():
            log.warning(
                "no access token exists: everybody on this machine may read and write; "
                "`dedup token create` makes the first"
            )
        # uvicorn drains at these signals, and then raises them once more: a service that was asked to stop has done so.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _already_stopped)
        log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
        uvicorn.run(
            create_app(Service(store, resolved, limits)),
            host=host,
            port=port,
            log_config=None,
            access_log=False,  # it would have paths, and those may have questions
            server_header=False,
            timeout_graceful_shutdown=DRAINED,
        )


def _require_port(host: str, port: int) -> None:
    """Make sure that the server can listen there: uvicorn would say so in its own words, and exit with 3."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except (OSError, OverflowError) as error:
        said = getattr(error, "strerror", None) or error
        raise DedupError(
            f"nothing can listen on {host}, port {port} ({said}); give another --host or --port"
        ) from error


def _already_stopped(_number: int, _frame: FrameType | None) -> None:
    """Do nothing."""
