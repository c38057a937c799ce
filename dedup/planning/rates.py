"""How fast a machine does each stage: measured there and kept beside the indexes, or those of a reference machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from math import isfinite
from pathlib import Path
from typing import Any

from dedup.artifacts import replacing
from dedup.errors import SettingsError
from dedup.planning.workload import TERMS

FILE = "rates.json"
"""Where they are kept, in the folder of indexes, and in this package."""

_FORMAT = 2


@dataclass(frozen=True, slots=True)
class Rate:
    """What a stage takes."""

    fixed: float  # processor seconds, whatever the corpus
    each: Mapping[str, float]  # processor seconds for each unit of a term (`dedup.planning.workload.TERMS`)
    busy: float  # cores that it keeps busy, on average, of those of the machine it was measured on


@dataclass(frozen=True, slots=True)
class Rates:
    """What all stages take on one machine, and what its corpus was like."""

    machine: str
    cores: int
    encoder: str
    dimension: int  # of its vectors; encoding is taken to be as fast at any other
    measured: tuple[int, ...]  # questions of the runs
    distinct: float  # texts for each question
    population: int  # questions of the corpus that was sampled
    pairs_per_text: float  # in that corpus
    overlap: float  # `dedup.planning.workload.Workload.overlap`
    reading: float  # bytes a second from storage
    writing: float
    database_bytes: Mapping[str, float]  # for each question, and for each pair
    stages: Mapping[str, Rate]


def shipped_rates() -> Rates:
    """Return the rates of the reference machine."""
    return _read(resources.files("dedup.planning") / FILE)


def kept_rates(indexes: Path) -> Rates | None:
    """Return the rates measured here, None where there are none; SettingsError where the file cannot be read."""
    file = indexes / FILE
    return _read(file) if file.is_file() else None


def save_rates(rates: Rates, indexes: Path) -> Path:
    """Keep rates in a folder of indexes, and return the file."""
    file = indexes / FILE
    with replacing(file) as beside:
        beside.write_text(json.dumps({"format": _FORMAT, **asdict(rates)}, indent=2) + "\n", "utf-8")
    return file


def _read(file: Traversable) -> Rates:
    try:
        fields: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if fields.pop("format") != _FORMAT:
            raise ValueError(f"expected format {_FORMAT}")
        stages = {name: Rate(**fields["stages"][name]) for name in TERMS}
        rates = Rates(**{**fields, "stages": stages, "measured": tuple(fields["measured"])})
        numbers = [number for rate in stages.values() for number in (rate.fixed, rate.busy, *rate.each.values())]
        if not all(isfinite(number) and number >= 0 for number in numbers):
            raise ValueError("rates must be numbers from 0 on")
        if any(set(stages[name].each) != set(terms) for name, terms in TERMS.items()):
            raise ValueError("a stage's rate has other terms than its time grows with")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SettingsError(
            f"{file} has no rates ({error}); run `dedup plan --measure DUMP` to measure them"
        ) from error
    return rates
