"""Where the time of a run went, and how far each stage is from what the machine can do: what the next bottleneck is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dedup.limits import Limits
from dedup.meters import Reading
from dedup.progress import Stage

_LEAST = 0.01  # of a limit: a resource that a stage uses less than that is not what holds it up


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one resource a stage used."""

    resource: str  # "bf16 products", "fp32 products", "reading", "writing"
    unit: str
    achieved: float  # in ``unit``
    limit: float  # in ``unit``, measured on this machine

    @property
    def share(self) -> float:
        """The share of the limit that was achieved."""
        return self.achieved / self.limit


@dataclass(frozen=True, slots=True)
class StageProfile:
    """What a stage did and took.

    ``use`` is that of the resource of which the stage came nearest to the limit; None where it used none whose limit
    is known: what holds it up then is how many instructions it takes.
    """

    name: str
    seconds: float
    unit: str
    items: int
    rate: float  # items a second
    cores: float  # kept busy, on average
    use: Use | None


def profile(stages: Mapping[str, Stage], limits: Limits) -> tuple[StageProfile, ...]:
    """Return the profile of each stage, in the order in which they ran."""
    return tuple(_profile(name, stage, limits) for name, stage in stages.items())


def _profile(name: str, stage: Stage, limits: Limits) -> StageProfile:
    took = stage.took
    uses = [use for use in _uses(took, limits) if use.share >= _LEAST] if took.seconds else []
    return StageProfile(
        name=name,
        seconds=took.seconds,
        unit=stage.unit,
        items=stage.items,
        rate=stage.rate,
        cores=took.core_seconds / took.seconds if took.seconds else 0.0,
        use=max(uses, key=lambda use: use.share, default=None),
    )


def _uses(took: Reading, limits: Limits) -> Iterator[Use]:
    for precision, operations in took.operations.items():
        if most := limits.multiplying.get(precision):
            yield Use(f"{precision} products", "GFLOP/s", operations / took.seconds / 1e9, most / 1e9)
    for resource, count, limit in (
        ("reading", took.bytes_read, limits.reading),
        ("writing", took.bytes_written, limits.writing),
    ):
        if limit:
            yield Use(resource, "MB/s", count / took.seconds / 1e6, limit / 1e6)
