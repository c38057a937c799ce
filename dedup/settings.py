"""One frozen `Settings`, read once at the edge: built-in defaults < dedup.toml < DEDUP_* environment < flags."""

from __future__ import annotations

import logging
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from dedup.errors import SettingsError
from dedup.questions import DEFAULT_SOURCE, Metric

CONFIG_FILE = "dedup.toml"
AUTO = "auto"
"""The prior that is estimated from the candidate pairs of each run."""

FAST_ENCODER = "dedup-static"
"""The shipped encoder that needs no transformer."""

ENVIRONMENT_PREFIX = "DEDUP_"
_OTHER_VARIABLES = {"DEDUP_CONFIG", "DEDUP_TEST_DB"}

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([KMGT]I?)?B?")
_UNITS = {None: 1} | {
    f"{letter}{binary}": (1024 if binary else 1000) ** power
    for power, letter in enumerate("KMGT", 1)
    for binary in ("", "I")
}

log = logging.getLogger(__name__)


class IndexKind(StrEnum):
    """How the vectors are searched.

    Each of them, or their product-quantised codes first (Jégou et al., 2011), or in a PostgreSQL table by pgvector's
    graph (HNSW: Malkov & Yashunin, 2018), which several servers share.
    """

    AUTO = "auto"
    FLAT = "flat"
    PQ = "pq"
    PGVECTOR = "pgvector"


class LogFormat(StrEnum):
    """How log lines are written: for people, or one JSON object a line."""

    TEXT = "text"
    JSON = "json"


class OnError(StrEnum):
    """What a row at fault does: it is set aside, or it ends the run."""

    REJECT = "reject"
    STOP = "stop"


class EngineKind(StrEnum):
    """Where shards are worked on: by this machine, a Ray cluster, or workers that claim them in the database."""

    LOCAL = "local"
    RAY = "ray"
    DATABASE = "database"


def _setting(default: Any, about: str, parse: Callable[[Any], Any]) -> Any:
    return field(default=default, metadata={"about": about, "parse": parse})


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a text")
    return value


def _optional_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _yes_or_no(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).strip().lower() in ("1", "true", "yes", "on"):
        return True
    if str(value).strip().lower() in ("0", "false", "no", "off"):
        return False
    raise ValueError("true or false")


def _path(value: Any) -> Path:
    return Path(_text(str(value) if isinstance(value, Path) else value))


def _one_of(kind: type[StrEnum]) -> Callable[[Any], StrEnum]:
    def parse(value: Any) -> StrEnum:
        try:
            return kind(str(value).strip().lower())
        except ValueError:
            raise ValueError(" or ".join(kind)) from None

    return parse


def _optional_path(value: Any) -> Path | None:
    return None if value is None else _path(value)


def _between(low: float, high: float) -> Callable[[Any], float]:
    def parse(value: Any) -> float:
        expected = f"a number from {low:g} to {high:g}"
        if isinstance(value, bool):
            raise ValueError(expected)
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(expected) from None
        if not low <= number <= high:
            raise ValueError(expected)
        return number

    return parse


def _prior(value: Any) -> float | str | None:
    if value is None:
        return None
    if str(value).strip().lower() == AUTO:
        return AUTO
    try:
        return _between(0.0001, 0.9999)(value)
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from None


def parse_size(value: Any) -> int | None:
    """Return a number of bytes said as 2GB, 512MB or 1.5GiB, None for None; ValueError says what was expected."""
    expected = "a size in bytes, such as 2GB, 512MB or 1.5GiB"
    if value is None:
        return None
    found = _SIZE.fullmatch(str(value).strip().upper())
    if isinstance(value, bool) or found is None:
        raise ValueError(expected)
    size = round(float(found[1]) * _UNITS[found[2]])
    if size < 1:
        raise ValueError(expected)
    return size


def _some_size(value: Any) -> int:
    size = parse_size(value)
    if size is None:
        raise ValueError("a size in bytes, such as 2GB, 512MB or 1.5GiB")
    return size


def _at_least(low: int) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        expected = f"a whole number of at least {low}"
        if isinstance(value, float | bool):
            raise ValueError(expected)
        try:
            number = int(value)
        except (TypeError, ValueError):
            raise ValueError(expected) from None
        if number < low:
            raise ValueError(expected)
        return number

    return parse


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user can set, with its default; `load` reads it, `dedup config show` prints it."""

    db: str = _setting("sqlite:///dedup.db", "the database, as a SQLAlchemy URL (SQLite or PostgreSQL)", _text)
    indexes: Path = _setting(Path("indexes"), "the folder of vectors and index generations", _path)
    reports: Path = _setting(Path("reports"), "the folder of the HTML reports and the rejects files", _path)
    source: str = _setting(DEFAULT_SOURCE, "the site a dump comes from; ids are unique within it", _text)
    format: str | None = _setting(None, "the format of the dumps; by default found out", _optional_text)
    id_column: str | None = _setting(None, "the column of the ids; by default found by usual names", _optional_text)
    text_column: str | None = _setting(None, "the column of the texts; by default found by usual names", _optional_text)
    with_body: bool = _setting(False, "Posts.xml: compare title and body, not the title alone", _yes_or_no)
    on_error: OnError = _setting(
        OnError.REJECT,
        "reject: a row at fault is set aside, counted and kept in a file; stop: it ends the run",
        _one_of(OnError),
    )
    encoder: str = _setting(
        "dedup-minilm",
        "the encoder: dedup-minilm, dedup-static (fast), or a sentence-transformers model's name or folder",
        _text,
    )
    metric: Metric = _setting(Metric.EUCLIDEAN, "the distance: manhattan or euclidean", _one_of(Metric))
    threshold: float = _setting(
        0.5, "the match probability from which two questions are duplicates", _between(0.001, 0.999)
    )
    prior: float | str | None = _setting(
        None,
        "the share of duplicates among candidate pairs, or auto: estimated; by default the classifier's own",
        _prior,
    )
    rerank: bool = _setting(
        False, "judge uncertain pairs again by a cross-encoder that reads both questions together; slower", _yes_or_no
    )
    reranker: str = _setting(
        "dedup-reranker", "the cross-encoder of --rerank: dedup-reranker, or a folder that dedup train has made", _text
    )
    candidate_floor: float = _setting(
        0.2, "the match probability from which a pair is a candidate and is recorded", _between(0.001, 0.999)
    )
    cluster_floor: float = _setting(
        0.1, "no two questions of a cluster have a match probability under this", _between(0.001, 0.999)
    )
    index: IndexKind = _setting(
        IndexKind.AUTO,
        "flat (exact), pq (approximate, recall measured), auto (by size), or pgvector: in the PostgreSQL database, "
        "shared by all who use it",
        _one_of(IndexKind),
    )
    recall_floor: float = _setting(0.99, "the recall under which all is compared with all", _between(0.5, 1.0))
    compact_share: float = _setting(
        0.1, "the share of an index that may be added or deleted until it is built anew", _between(0.0, 10.0)
    )
    batch_size: int = _setting(64, "questions encoded at once, where torch does it on the CPU", _at_least(1))
    memory: int | None = _setting(
        None, "the most memory a run may take, such as 2GB; by default as little as the corpus needs", parse_size
    )
    engine: EngineKind = _setting(
        EngineKind.LOCAL,
        "where a corpus is compared: local (this machine), ray (a cluster), or database (wherever dedup work runs)",
        _one_of(EngineKind),
    )
    address: str | None = _setting(
        None, "the Ray cluster to join, auto: the one of this machine; by default one is started here", _optional_text
    )
    workers: int = _setting(
        0,
        "how many processes work on shards; 0: threads of one (local), all processors (ray), workers there (database)",
        _at_least(0),
    )
    work_dir: str | None = _setting(
        None, "the folder or URI (s3://...) of shards on their way; by default in the indexes folder", _optional_text
    )
    memory_per_task: int = _setting(
        2 * 10**9, "the most memory the rows of a task may take while they are compared", _some_size
    )
    shard_size: int = _setting(16384, "questions in a shard", _at_least(1))
    max_bytes: int = _setting(
        0, "stop a dump after this many decompressed bytes; 0: far beyond the file's own size", _at_least(0)
    )
    log_format: LogFormat = _setting(LogFormat.TEXT, "how log lines are written: text or json", _one_of(LogFormat))
    keep_runs: int = _setting(
        90,
        "how many runs keep their report and their rejects file, and stay in the book if nothing needs them",
        _at_least(1),
    )
    keep_generations: int = _setting(
        2, "how many index generations are kept, the one in service included", _at_least(1)
    )
    metrics_file: Path | None = _setting(
        None, "a Prometheus textfile (*.prom) to which the end of each run is written, however it ends", _optional_path
    )

    def __post_init__(self) -> None:
        if self.candidate_floor > self.threshold or self.cluster_floor > self.threshold:
            raise SettingsError(
                f"candidate_floor is {self.candidate_floor:g} and cluster_floor {self.cluster_floor:g}, the threshold "
                f"{self.threshold:g}; neither floor may be above it: lower them with the threshold"
            )


@dataclass(frozen=True, slots=True)
class Resolved:
    """Settings, and for each name where its value came from."""

    settings: Settings
    origin: Mapping[str, str]


SETTING_NAMES = tuple(f.name for f in fields(Settings))
ABOUT = {f.name: str(f.metadata["about"]) for f in fields(Settings)}
_PARSE: dict[str, Callable[[Any], Any]] = {f.name: f.metadata["parse"] for f in fields(Settings)}


def load(
    flags: Mapping[str, Any] | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Resolved:
    """Resolve every setting.

    Parameters
    ----------
    flags
        What the command line gave, by setting name; None means "not given".
    environment
        Where DEDUP_* variables are looked up; the process's own by default.
    config
        A TOML file; by default dedup.toml of the current folder, where there is one.

    Raises
    ------
    SettingsError
        On an unknown name in the file, or a value that a setting cannot have; it says where the value came from.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    origin = dict.fromkeys(SETTING_NAMES, "default")
    for given, where in _layers(flags or {}, environment, config):
        for name, value in given.items():
            values[name] = _checked(name, value, where(name))
            origin[name] = where(name)
    _warn_of_unknown_variables(environment)
    return Resolved(_with_floors_below(values, origin), origin)


def _warn_of_unknown_variables(environment: Mapping[str, str]) -> None:
    known = {ENVIRONMENT_PREFIX + name.upper() for name in SETTING_NAMES} | _OTHER_VARIABLES
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known:
            log.warning("the variable %s is no setting and is not read; `dedup config show` lists the settings", name)


def _layers(
    flags: Mapping[str, Any], environment: Mapping[str, str], config: Path | None
) -> list[tuple[dict[str, Any], Callable[[str], str]]]:
    file, from_file = _read_toml(config)
    from_environment = {
        name: value for name in SETTING_NAMES if (value := environment.get(ENVIRONMENT_PREFIX + name.upper()))
    }
    from_flags = {name: value for name, value in flags.items() if value is not None}
    return [
        (from_file, lambda _: str(file)),
        (from_environment, lambda name: ENVIRONMENT_PREFIX + name.upper()),
        (from_flags, lambda name: "--" + name.replace("_", "-")),
    ]


def _read_toml(config: Path | None) -> tuple[Path, dict[str, Any]]:
    file = config or Path(CONFIG_FILE)
    if config is None and not file.is_file():
        return file, {}
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; give a TOML file of settings") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{file} is not TOML: {error}; `dedup config show` lists the settings") from error
    if unknown := sorted(set(table) - set(SETTING_NAMES)):
        raise SettingsError(f"{file} sets {', '.join(unknown)}; the settings are {', '.join(SETTING_NAMES)}")
    return file, table


def _checked(name: str, value: Any, where: str) -> Any:
    try:
        return _PARSE[name](value)
    except ValueError as error:
        raise SettingsError(f"{name} is {value!r} (from {where}); expected {error}", where) from None


def _with_floors_below(values: dict[str, Any], origin: dict[str, str]) -> Settings:
    """Let a low threshold pull down the floors nobody set: `--threshold 0.05` alone has to work."""
    threshold = values.get("threshold", Settings.__dataclass_fields__["threshold"].default)
    for name in ("candidate_floor", "cluster_floor"):
        if name not in values and Settings.__dataclass_fields__[name].default > threshold:
            values[name] = threshold
            origin[name] = f"threshold ({origin['threshold']})"
    return Settings(**values)
