"""Index generations: which there are, whether they are whole, and going back to the one before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dedup.errors import ArtifactDamaged, NoGeneration
from dedup.index import needed_segments
from dedup.jobs import alone, running
from dedup.progress import Progress, Silent
from dedup.questions import Metric
from dedup.retention import Pruned, prune_generations
from dedup.settings import Settings
from dedup.sharing import fetch, present_generations
from dedup.soundness import Damage, generation_damage, segment_damage, shared_damage
from dedup.store import RunKind, Store


@dataclass(frozen=True, slots=True)
class Listed:
    """A generation on record or on disk; None: not on record here."""

    name: str
    in_service: bool
    present: bool  # its folder is there, or the database has what is in it
    bytes: int  # of its folder; the vectors it shares with others are not in it
    metric: Metric | None
    kind: str | None
    vectors: int | None
    recall: float | None
    run_id: int | None  # the run that built it
    published_at: datetime | None
    age_seconds: float | None


@dataclass(frozen=True, slots=True)
class RolledBack:
    """What was put back in service, in place of what, and whose pairs and clusters are still there."""

    run_id: int
    generation: str
    instead_of: str
    results_of_run: int


def list_generations(store: Store, indexes: Path) -> list[Listed]:
    """Return the generations that are in service or have a folder, newest first; then those nobody here recorded."""
    present = sorted(present_generations(store, indexes))
    published = store.published_generation()
    now = datetime.now(UTC)
    listed = []
    for each in store.generations():
        in_service = published is not None and each.name == published.name
        if in_service or each.name in present:
            assert each.published_at is not None  # it is on record
            age = round((now - each.published_at).total_seconds(), 1)
            about = (each.metric, each.kind, each.vectors, each.recall, each.run_id, each.published_at, age)
            listed.append(Listed(each.name, in_service, each.name in present, _bytes(indexes / each.name), *about))
    known = {each.name for each in listed}
    strange = [name for name in reversed(present) if name not in known]
    return listed + [Listed(name, False, True, _bytes(indexes / name), *[None] * 7) for name in strange]


def verify_generations(store: Store, indexes: Path, names: Sequence[str]) -> list[Damage]:
    """Read generations through, and the vectors that they need; return what is wrong with them.

    Of what is shared, that the database has all vectors and a whole graph over them.

    Raises
    ------
    NoGeneration
        Where one has no folder.
    """
    segments: dict[Path, None] = {}
    found: list[Damage] = []
    for name in names:
        if not (indexes / name).is_dir():
            raise NoGeneration(
                f"the generation {name} is not in {indexes}; `dedup generations list` shows those that are"
            )
        found += generation_damage(indexes, name) or shared_damage(store, indexes, name)
        try:
            segments |= dict.fromkeys(needed_segments(indexes, name))
        except (ArtifactDamaged, KeyError):
            continue  # named already
    return found + [each for segment in segments for each in segment_damage(segment)]


def roll_back(
    settings: Settings, name: str | None = None, *, wait: float = 0.0, progress: Progress | None = None
) -> RolledBack:
    """Put the generation before the one in service back, or the one named, after reading it through.

    Queries are then answered from it, by the encoder, the classifier and the threshold of the run that built it. Pairs
    and clusters stay those of the last run, until the next one replaces both.

    Raises
    ------
    NoGeneration
        Where there is none to go back to.
    ArtifactDamaged
        Where it is not whole; what is in service stays.
    Locked
        If another job still works after ``wait`` seconds.
    """
    with running(RunKind.ROLLBACK, settings, wait=wait, progress=progress or Silent()) as job:
        store, indexes = job.store, settings.indexes
        service = store.in_service()
        if service is None:
            raise NoGeneration(f"nothing has been indexed in {store.display_url}; run `dedup run DUMP` first")
        chosen = name or _before(store, indexes, service.generation.name)
        if chosen == service.generation.name:
            raise NoGeneration(f"the generation {chosen} is in service; `dedup generations list` shows the others")
        with job.watch.stage("verify", "generations", total=1) as advance:
            fetch(store, indexes, chosen)
            if damages := verify_generations(store, indexes, [chosen]):
                raise ArtifactDamaged(f"{damages[0].said}; what is in service stays, see `dedup doctor`")
            advance(1)
        results = store.roll_back(job.run_id, chosen)
        return RolledBack(job.run_id, chosen, service.generation.name, results)


def prune(settings: Settings, keep: int, *, wait: float = 0.0, progress: Progress | None = None) -> Pruned:
    """Remove generations beyond the newest ``keep``, the one in service included, and vectors that nothing needs."""
    with (
        alone(settings, "dedup generations", wait=wait, progress=progress or Silent()),
        Store.open(settings.db, create=False) as store,
    ):
        return prune_generations(store, settings.indexes, keep)


def _before(store: Store, indexes: Path, in_service: str) -> str:
    names = [each.name for each in store.generations()]
    older = names[names.index(in_service) + 1 :]
    present = present_generations(store, indexes)
    found = next((name for name in older if name in present), None)
    if found is None:
        raise NoGeneration(
            f"there is no generation before {in_service} to go back to; the setting keep_generations says how many "
            "are kept"
        )
    return found


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob("*") if file.is_file())
