"""The folder through which stages hand work to each other: Arrow files, here or on any file system that pyarrow knows.

A file that is there is whole: after a kill it is not made again. In a folder it is written under another name and moved
into place; one that a power cut has left without its end does not count as there. An object store cannot move, but an
object is there only when its upload has ended: what is put there is one buffer, so that nothing can go wrong between
its first byte and its last but the upload itself, which then comes to nothing. What is in a file is a function of the
folder's name, which is a digest, and of its own; two workers that write one file write the same.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dedup.errors import EngineError, first_line

_TEMPORARY = ".writing-"
_FACTS = b"facts"
_OBJECT_STORES = ("s3", "gcs", "abfs")  # as pyarrow calls them
_END = b"ARROW1"  # of a file; Arrow's columnar format, "IPC File Format"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """A folder, by its path or URI ("s3://bucket/folder"); it can be sent to a worker."""

    uri: str
    below: str = ""

    def of(self, digest: str) -> WorkFolder:
        """Return the folder of what is a function of a digest."""
        return WorkFolder(self.uri, f"{self.below}/{digest}".lstrip("/"))

    def require(self) -> None:
        """Make sure, before any work, that files can be put into the folder; EngineError where they cannot."""
        with self._named(f"{_TEMPORARY}{uuid.uuid4().hex}") as (files, path):
            if files.type_name not in _OBJECT_STORES:
                files.create_dir(path.rpartition("/")[0], recursive=True)
            with files.open_output_stream(path):
                pass
            files.delete_file(path)

    def has(self, name: str) -> bool:
        """Tell whether a file is there, and whole."""
        with self._named(name) as (files, path):
            info = files.get_file_info(path)
            return bool(info.is_file) and (files.type_name in _OBJECT_STORES or _ends(files, path, info.size))

    def write(self, name: str, batches: Sequence[Any], facts: Mapping[str, Any] | None = None) -> None:
        """Write record batches of one schema, at least one, as a file, with a few facts.

        Raises
        ------
        EngineError
            Where it cannot be written: no room, or no connection. Nothing is left under its name then.
        """
        import pyarrow as pa

        schema = batches[0].schema.with_metadata({_FACTS: json.dumps(dict(facts or {})).encode()})
        with self._named(name) as (files, path):
            if files.type_name in _OBJECT_STORES:
                whole = pa.BufferOutputStream()
                _write(whole, schema, batches)
                with files.open_output_stream(path) as stream:
                    stream.write(whole.getvalue())
                return
            folder = path.rpartition("/")[0]
            beside = f"{folder}/{_TEMPORARY}{uuid.uuid4().hex}"
            files.create_dir(folder, recursive=True)
            try:
                with files.open_output_stream(beside) as stream:
                    _write(stream, schema, batches)
                files.move(beside, path)
            except BaseException:
                with suppress(OSError):  # what went wrong is said; that it cannot be cleaned up either, is not
                    files.delete_file(beside)
                raise

    @contextmanager
    def opened(self, name: str) -> Iterator[Any]:
        """Give a pyarrow.ipc.RecordBatchFileReader of a file; single batches can be read from it."""
        import pyarrow as pa

        with self._named(name) as (files, path), files.open_input_file(path) as stream:
            try:
                yield pa.ipc.open_file(stream)
            except pa.ArrowInvalid as error:
                raise OSError(f"{path} is damaged, remove it: {first_line(error)}") from error

    def read(self, name: str, batch: int = 0) -> Any:
        """Return one record batch of a file."""
        with self.opened(name) as file:
            return file.get_batch(batch)

    def facts(self, name: str) -> dict[str, Any]:
        """Return the facts of a file."""
        with self.opened(name) as file:
            facts: dict[str, Any] = json.loads(file.schema.metadata[_FACTS])
            return facts

    def sweep(self) -> None:
        """Remove what a kill left half written in this folder; nobody may be writing there."""
        from pyarrow.fs import FileSelector

        with self._named("") as (files, path):
            for info in files.get_file_info(FileSelector(path.rstrip("/"), allow_not_found=True)):
                if info.base_name.startswith(_TEMPORARY):
                    files.delete_file(info.path)

    def bytes(self) -> int:
        """Return how many bytes the files of this folder have."""
        from pyarrow.fs import FileSelector

        with self._named("") as (files, path):
            found = files.get_file_info(FileSelector(path.rstrip("/"), allow_not_found=True))
            return sum(info.size for info in found if info.is_file)

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        with self._named("") as (files, path):
            if files.get_file_info(path.rstrip("/")).type.name != "NotFound":
                files.delete_dir(path.rstrip("/"))

    @contextmanager
    def _named(self, name: str) -> Iterator[tuple[Any, str]]:
        try:
            files, folder = _file_system(self.uri)
            yield files, "/".join(part for part in (folder.rstrip("/"), self.below, name) if part)
        except OSError as error:
            raise EngineError(
                f"the work folder {shown_uri(self.uri)} cannot be used ({first_line(error)[:320]}); "
                "mend it or choose another one with --work-dir"
            ) from error


def _ends(files: Any, path: str, size: int) -> bool:
    """Tell whether a file has the end that is written last."""
    if size < len(_END):
        return False
    with files.open_input_file(path) as stream:
        stream.seek(size - len(_END))
        return bool(stream.read() == _END)


def _write(stream: Any, schema: Any, batches: Sequence[Any]) -> None:
    import pyarrow as pa

    with pa.ipc.new_file(stream, schema) as file:
        for batch in batches:
            file.write_batch(batch.replace_schema_metadata(schema.metadata))


@cache
def _file_system(uri: str) -> tuple[Any, str]:
    from pyarrow.fs import FileSystem, LocalFileSystem

    if "://" not in uri:
        return LocalFileSystem(), str(Path(uri).resolve())
    try:
        files, path = FileSystem.from_uri(uri)
    except (ValueError, KeyError) as error:
        raise EngineError(
            f"{shown_uri(uri)} is no folder that can be worked in: pyarrow does not know its kind; "
            "give a folder's path, or a URI such as s3://bucket/folder"
        ) from error
    return files, path


def shown_uri(uri: str) -> str:
    """Return a URI without what may be secret in it."""
    scheme, separator, rest = uri.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2].partition('?')[0]}"
