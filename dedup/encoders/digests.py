"""The SHA-256 of a model's files, without reading them through at every start.

What a file's SHA-256 was is kept in the user's cache folder together with the file's size, times and inode; as long as
none of these has changed it is taken from there. Writing to a file or replacing it changes its times, and the time of
the last change of the inode (ctime) cannot be set back: what is taken on trust is the cache folder, which is the user's
own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from dedup.artifacts import replacing, sha256
from dedup.encoders.prepared import cache_folder
from dedup.errors import DedupError

# A file that changed this short a time ago may change once more without its times telling: they are as coarse as the
# file system's clock (two seconds on FAT).
_SETTLED_SECONDS = 3.0

log = logging.getLogger(__name__)


def file_digests(folder: Path, files: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 of each file, by its path in the folder, in the order of ``files``."""
    place = hashlib.sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    stamps_file = cache_folder() / "digests" / f"{place[:32]}.json"
    known = _read(stamps_file)
    digests: dict[str, str] = {}
    stamps: dict[str, list[int | str]] = {}
    now = time.time()
    for file in files:
        name, status = file.relative_to(folder).as_posix(), file.stat()
        signature = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        stamp = known.get(name, [])
        digests[name] = str(stamp[-1]) if stamp[:-1] == signature else sha256(file)
        if now - max(status.st_mtime, status.st_ctime) > _SETTLED_SECONDS:
            stamps[name] = [*signature, digests[name]]
    if stamps != known:
        _write(stamps_file, stamps)
    return digests


def _read(stamps_file: Path) -> dict[str, list[int | str]]:
    try:
        known = json.loads(stamps_file.read_text("utf-8"))
        return {name: list(stamp) for name, stamp in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _write(stamps_file: Path, stamps: dict[str, list[int | str]]) -> None:
    try:
        with replacing(stamps_file) as beside:
            beside.write_text(json.dumps(stamps), "utf-8")
    except DedupError as error:
        log.debug("the files are read through at every start: %s", error)
