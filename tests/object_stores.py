"""An S3-compatible server in this process (moto), which can be stopped and goes on with what it had."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from typing import Any

import pytest


class ObjectStore:
    """A server on a port of its own, and its one bucket."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._server: Any = None
        self.start()

    def start(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what its libraries import
            from moto.server import ThreadedMotoServer
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=self._port, verbose=False)
        self._server.start()

    def stop(self) -> None:
        """Refuse connections; what was put there stays."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def uri(self, folder: str) -> str:
        return f"s3://dedup/{folder}?scheme=http&endpoint_override=127.0.0.1:{self._port}"

    def paths(self, folder: str) -> list[str]:
        """Return the files of a folder, without what only stands for folders."""
        from pyarrow.fs import FileSelector, FileSystem

        files, path = FileSystem.from_uri(self.uri(folder))
        found = files.get_file_info(FileSelector(path, recursive=True, allow_not_found=True))
        return sorted(info.path for info in found if info.is_file)


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "made-up")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        store = ObjectStore()
        from pyarrow.fs import FileSystem

        files, _ = FileSystem.from_uri(store.uri("") + "&allow_bucket_creation=true")
        files.create_dir("dedup")
        yield store
        store.stop()
