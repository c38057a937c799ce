"""From a corpus, machines and rates to hours, memory, disk and network, stage by stage. Nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, inf

from dedup.errors import SettingsError
from dedup.planning.rates import Rate, Rates
from dedup.planning.workload import EXACT_UP_TO, SERIAL, TERMS, Workload, cut_into
from dedup.reference import NEAREST, REFERENCE_SIZE

_OF_A_PROCESS = (
    800e6  # bytes: libraries and models, and pairs on their way (dedup.footprint: 380 MiB beside the models)
)
_OF_A_TEXT = 150  # bytes in memory beside its vector, and 6 for each component (dedup.footprint)
_OF_A_COMPONENT = 6
_STORED = 40  # bytes of a vector's row on disk beside its components: key, place, nearest reference vectors
_OF_A_PAIR = 16  # bytes on the way to the database: two rows, a distance
_TASKS_A_CORE = 4  # at least, so that the last ones to end leave few cores idle
_SHARE = 0.8  # of a machine's memory that tasks are given
_MOST_TEXTS = 1_000_000  # of a shard: what is lost with a task that is done again


@dataclass(frozen=True, slots=True)
class Machines:
    """What a run is given."""

    nodes: int
    cores: int  # of each
    memory: float  # bytes, of each
    network: float  # bytes a second, in and out of each
    storage: float  # bytes a second, read or written, of each


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What a stage takes."""

    name: str
    hours: float
    core_hours: float
    network_bytes: float  # over the network, of all nodes together
    disk_bytes: float  # read and written, of all nodes together
    saturates: str  # "processors", "one processor", "network" or "storage": what more of would make it faster


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run takes in all, and how it is best cut."""

    questions: float
    hours: float
    stages: tuple[StagePlan, ...]
    first: str  # the stage that takes longest
    cells: int
    visits: int  # cells that a vector is compared in, at the most; a run takes as few as keep its recall floor
    shards: int
    shard_texts: int
    pairs: float
    memory_per_node: float  # bytes
    disk: float  # bytes that are there at the end and on the way, of all nodes together
    database: float  # bytes


def plan_run(questions: float, dimension: int, machines: Machines, rates: Rates) -> Plan:
    """Estimate a run of `dedup run` over a new corpus.

    A stage's processor seconds are linear in what its time grows with (`dedup.planning.workload`). They are spread over
    the cores of all nodes, save in the stages that one process does. On one node a stage keeps the share of the cores
    busy that it kept busy where it was measured, and the corpus is cut into the cells that `dedup run` has. On several,
    its shards are tasks that keep one core busy each. Network and storage work meanwhile: a stage takes as long as the
    slowest of the three.

    Raises
    ------
    SettingsError
        Where the memory of a node does not hold one task.

    Notes
    -----
    Of a sample of a corpus a pair is there with the square of the share that was drawn: up to the size of the corpus
    that rates were measured on, pairs grow with the square of the questions. Beyond, a text is taken to have as many
    near it as in that corpus.
    """
    work = _workload(questions, dimension, machines, rates)
    shard_texts = _shard(work, machines)
    shards = ceil(work.texts / shard_texts)
    stages = tuple(_stage(name, work, machines, rates, shards) for name in TERMS)
    vectors = work.texts * (4 * dimension + _STORED)
    tasks = 1 if machines.nodes == 1 else min(machines.cores, shards)
    database = questions * rates.database_bytes["question"] + work.pairs * rates.database_bytes["pair"]
    return Plan(
        questions=questions,
        hours=sum(stage.hours for stage in stages),
        stages=stages,
        first=max(stages, key=lambda stage: stage.hours).name,
        cells=work.cells,
        visits=1 if work.cells == 1 else NEAREST,
        shards=shards,
        shard_texts=shard_texts,
        pairs=work.pairs,
        memory_per_node=tasks * _memory(shard_texts, dimension),
        disk=vectors + _cell_bytes(work, shards) + work.pairs * _OF_A_PAIR,
        database=database,
    )


def _workload(questions: float, dimension: int, machines: Machines, rates: Rates) -> Workload:
    texts = max(1.0, questions * rates.distinct)
    cells = 1 if texts <= EXACT_UP_TO else REFERENCE_SIZE
    if machines.nodes > 1:
        cells = cut_into(
            texts,
            product=rates.stages["cells"].each["products"] * dimension,
            comparison=rates.stages["join"].each["comparisons"] * dimension,
            overlap=rates.overlap,
        )
    pairs = texts * rates.pairs_per_text * min(1.0, questions / rates.population)
    return Workload(questions, texts, dimension, cells, rates.overlap, pairs)


def _shard(work: Workload, machines: Machines) -> int:
    """Return how many texts a task holds: on one node all, in files that are mapped; on several, what its share has."""
    if machines.nodes == 1:
        return ceil(work.texts)
    share = _SHARE * machines.memory / machines.cores
    room = (share - _OF_A_PROCESS) / (_OF_A_TEXT + _OF_A_COMPONENT * work.dimension)
    if room < 1:
        needed = _memory(1, work.dimension) * machines.cores / _SHARE
        raise SettingsError(
            f"--memory-per-node is {machines.memory / 1e9:.1f}GB, {machines.cores} tasks on a node take "
            f"{needed / 1e9:.1f}GB at the least; give more, or fewer --cores"
        )
    even = work.texts / (_TASKS_A_CORE * machines.nodes * machines.cores)
    return max(1, ceil(min(room, even, _MOST_TEXTS)))


def _memory(texts: float, dimension: int) -> float:
    return _OF_A_PROCESS + texts * (_OF_A_TEXT + _OF_A_COMPONENT * dimension)


def _cell_bytes(work: Workload, shards: int) -> float:
    """Return the bytes of vectors as tasks of cells read them; none on one node, where the join reads them in place.

    A task has the cells of one shard's share. If the v cells that a vector visits lay anywhere, they would be in
    ``s * (1 - (1 - 1 / s) ** v)`` of ``s`` tasks on average; near cells lie together, so that this is the most.
    """
    if shards == 1 or work.cells == 1:
        return 0.0
    spread = shards * (1 - (1 - 1 / shards) ** NEAREST)
    return spread * work.texts * (4 * work.dimension + _STORED)


def _stage(name: str, work: Workload, machines: Machines, rates: Rates, shards: int) -> StagePlan:
    rate = rates.stages[name]
    seconds = _core_seconds(name, work, rates)
    width = _width(name, rate, rates.cores, machines, shards)
    moved, stored = _traffic(name, work, rates, shards)
    away = (machines.nodes - 1) / machines.nodes * moved  # what a node has itself does not travel
    candidates = {
        "one processor" if width == 1 else "processors": seconds / width,
        "network": away / (machines.nodes * machines.network) if away else 0.0,
        "storage": stored / (machines.nodes * machines.storage) if machines.storage < inf else 0.0,
    }
    slowest = max(candidates, key=lambda resource: candidates[resource])
    return StagePlan(name, candidates[slowest] / 3600, seconds / 3600, away, stored, slowest)


def _core_seconds(name: str, work: Workload, rates: Rates) -> float:
    rate = rates.stages[name]
    if work.cells == 1 and name in ("cells", "tune join", "index"):
        return 0.0  # nothing is cut, nothing is tuned, and a flat index is the vectors
    if work.cells == 1 and name == "join":
        return rate.each["comparisons"] * work.comparisons * work.dimension  # no vector visits any cell
    seconds = rate.fixed + sum(rate.each[term] * work.units(term) for term in TERMS[name])
    if work.cells == 1 and name == "describe":  # else the cells' look-up has told how crowded it is
        products = work.texts * min(work.texts, REFERENCE_SIZE) * work.dimension
        seconds += rates.stages["cells"].each["products"] * products
    return seconds


def _width(name: str, rate: Rate, measured_on: int, machines: Machines, shards: int) -> float:
    """Return how many cores a stage keeps busy."""
    if machines.nodes > 1:
        return 1.0 if name in SERIAL else float(min(machines.nodes * machines.cores, shards))
    if rate.busy <= 1.0 or measured_on == 1:
        return max(rate.busy, 1e-3)  # it waits for storage now and then, on any machine
    return max(1.0, rate.busy / measured_on * machines.cores)


def _traffic(name: str, work: Workload, rates: Rates, shards: int) -> tuple[float, float]:
    """Return the bytes of a stage that travel between tasks, and those that storage reads or writes."""
    vectors = work.texts * (4 * work.dimension + _STORED)
    pairs = work.pairs * _OF_A_PAIR
    if name == "encode":
        return 0.0, vectors
    if name == "join":
        cells = _cell_bytes(work, shards)
        return cells, 2 * cells + pairs
    if name in ("judge", "cluster"):
        return (pairs if shards > 1 else 0.0), pairs
    if name == "write":
        database = work.questions * rates.database_bytes["question"] + work.pairs * rates.database_bytes["pair"]
        return (database if shards > 1 else 0.0), database
    return 0.0, 0.0
