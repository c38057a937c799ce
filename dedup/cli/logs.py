"""Log lines on stderr, one a record: for people, or as JSON objects for what collects them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from dedup.logs import current_run
from dedup.settings import LogFormat


def show_logs(kind: LogFormat, *, quiet: bool) -> None:
    """Write what is logged from now on to stderr in this format; ``quiet`` leaves out all but warnings and errors."""
    root = logging.getLogger()
    for shown in [handler for handler in root.handlers if isinstance(handler, _ToStderr)]:
        root.removeHandler(shown)
    handler = _ToStderr()
    handler.setFormatter(_JsonLines() if kind is LogFormat.JSON else _TextLines())
    root.addHandler(handler)
    logging.getLogger("dedup").setLevel(logging.WARNING if quiet else logging.INFO)


def logs_are_json() -> bool:
    """Whether whoever reads stderr expects JSON objects."""
    return any(isinstance(handler.formatter, _JsonLines) for handler in logging.getLogger().handlers)


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to what is stderr now, not to what it was when logging began."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _TextLines(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(about)s%(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        run = current_run.get()
        record.about = "" if run is None else f"run {run}: "
        record.message = " ".join(record.message.splitlines())
        return super().formatMessage(record)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "run": current_run.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)
