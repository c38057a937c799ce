"""From a corpus, machines and rates to hours, memory, disk and network, stage by stage. Nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from dedup.errors import SettingsError
from dedup.join.cells import RESIDENTS
from dedup.planning.rates import Rate, Rates
from dedup.planning.workload import EXACT_UP_TO, SERIAL, TERMS, Workload
from dedup.reference import NEAREST, REFERENCE_SIZE
from dedup.shards import rows_of_a_bin

_OF_A_PROCESS = (
    800e6  # bytes: libraries and models, and pairs on their way (dedup.footprint: 380 MiB beside the models)
)
_OF_A_TEXT = 150  # bytes in memory beside its vector, and 6 for each component (dedup.footprint)
_OF_A_COMPONENT = 6
_STORED = 40  # bytes of a vector's row on disk beside its components: key, place, nearest reference vectors
_SENT = 150  # bytes of a row that is sent to a bin beside its components: words, crowding, cells
_OF_A_PAIR = 16  # bytes on the way to the database: two rows, a distance
_TASKS_A_CORE = 4  # at least, so that the last ones to end leave few cores idle
_ONE_CORE = 1.1  # cores that a stage keeps busy, up to which it is one thread's
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
    saturates: str  # "processors", "network" or "storage", of all nodes, or of one; more of it is faster


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run takes in all, and how it is best cut."""

    questions: float
    hours: float
    stages: tuple[StagePlan, ...]
    first: str  # the stage that takes longest
    cells: int
    visits: (
        int  # cells that a vector is compared in, at the most as a rule; a run takes as few as keep its recall floor
    )
    replication: float  # bins of cells that a vector is sent to with so many visits, at the most; 0 on one node
    shards: int
    shard_texts: int
    memory_per_task: float | None  # bytes: for --memory-per-task; None on one node, where it is not needed
    pairs: float
    memory_per_node: float  # bytes
    disk: float  # bytes that are there at the end and on the way, of all nodes together
    database: float  # bytes


def plan_run(questions: float, dimension: int, machines: Machines, rates: Rates) -> Plan:
    """Estimate a run of `dedup run` over a new corpus.

    A stage's processor seconds are linear in what its time grows with (`dedup.planning.workload`). They are spread over
    the cores of all nodes, save in the stages that one process does. On one node a stage keeps the share of the cores
    busy that it kept busy where it was measured. On several, shards and bins of cells are tasks that keep one core busy
    each. Network and storage work meanwhile: a stage takes as long as the
    slowest of the three.

    Raises
    ------
    SettingsError
        Where the memory of one of several nodes does not hold one task.

    Notes
    -----
    Of a sample of a corpus a pair is there with the square of the share that was drawn: up to the size of the corpus
    that rates were measured on, pairs grow with the square of the questions. Beyond, a text is taken to have as many
    near it as in that corpus.
    """
    work = _workload(questions, dimension, rates)
    shard_texts = _shard(work, machines)
    shards = ceil(work.texts / shard_texts)
    sent = _sent(work, machines)
    stages = tuple(_stage(name, work, machines, rates, shards, sent) for name in TERMS)
    vectors = work.texts * (4 * dimension + _STORED)
    tasks = 1 if machines.nodes == 1 else min(machines.cores, shards)
    return Plan(
        questions=questions,
        hours=sum(stage.hours for stage in stages),
        stages=stages,
        first=max(stages, key=lambda stage: stage.hours).name,
        cells=int(work.cells),
        visits=1 if work.cells == 1 else NEAREST,
        replication=sent.replication,
        shards=shards,
        shard_texts=shard_texts,
        memory_per_task=_of_a_task(machines) if machines.nodes > 1 else None,
        pairs=work.pairs,
        memory_per_node=tasks * _memory(shard_texts, dimension),
        disk=vectors + sent.written + work.pairs * _OF_A_PAIR,
        database=_database(work, rates),
    )


def _workload(questions: float, dimension: int, rates: Rates) -> Workload:
    texts = max(1.0, questions * rates.distinct)
    # In a run it is a whole number, which would make more texts take less, here and there.
    cells = 1.0 if texts <= EXACT_UP_TO else min(float(REFERENCE_SIZE), texts / RESIDENTS)
    pairs = texts * rates.pairs_per_text * min(1.0, questions / rates.population)
    return Workload(questions, texts, dimension, cells, rates.overlap, pairs)


def _shard(work: Workload, machines: Machines) -> int:
    """Return how many texts a task holds: on one node all, in files that are mapped; on several, what its share has."""
    if machines.nodes == 1:
        return ceil(work.texts)
    room = _of_a_task(machines) / (_OF_A_TEXT + _OF_A_COMPONENT * work.dimension)
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


def _of_a_task(machines: Machines) -> float:
    """Return the bytes that a task has for what it works on."""
    tasks = machines.cores if machines.nodes > 1 else 1
    return _SHARE * machines.memory / tasks - _OF_A_PROCESS


@dataclass(frozen=True, slots=True)
class _Sent:
    """What goes to bins of cells and is read there; nothing on one node, where the join reads vectors in place."""

    replication: float = 0.0  # bins to which a row is sent
    written: float = 0.0  # bytes
    read: float = 0.0


def _sent(work: Workload, machines: Machines) -> _Sent:
    """Return what `dedup.shards.layout` makes of cells that are all equally large.

    If the v cells that a vector visits lay anywhere, they would be in ``b * (1 - (1 - 1 / b) ** v)`` of ``b`` bins on
    average; near cells lie together, so that this is the most.
    """
    if machines.nodes == 1 or work.cells == 1:
        return _Sent()
    rows = work.texts * NEAREST
    slots, memory = machines.nodes * machines.cores, int(_of_a_task(machines))
    alone, meeting = (rows_of_a_bin(work.dimension, memory, int(rows), slots, together=many) for many in (1, 2))
    living, visiting = work.texts / work.cells, work.texts * (NEAREST - 1) / work.cells
    if living + visiting <= alone:
        bins, reads = rows / alone, 1.0
    else:  # the residents' bins meet each other and all of the visitors'
        homes, away = ceil(living / meeting), ceil(visiting / meeting)
        bins = work.cells * (homes + away)
        reads = (living * (homes + away) + visiting * homes) / (living + visiting)
    replication = max(1.0, bins * (1 - (1 - 1 / max(bins, 1)) ** NEAREST))
    written = replication * work.texts * (4 * work.dimension + _SENT)
    return _Sent(replication, written, reads * written)


def _stage(name: str, work: Workload, machines: Machines, rates: Rates, shards: int, sent: _Sent) -> StagePlan:
    rate = rates.stages[name]
    seconds = _core_seconds(name, work, rates)
    width = _width(name, rate, rates.cores, machines, shards)
    several = machines.nodes > 1
    moved = _moved(name, work, rates, sent, several=several)
    # What a node has itself does not travel.
    away = (machines.nodes - 1) / machines.nodes * moved.between + (moved.through if several else 0.0)
    stored = moved.between + moved.stored
    candidates = {
        "one processor" if width <= 1 else "processors": seconds / width,
        "network": away / (machines.nodes * machines.network),
        "one node's network": moved.through / machines.network if several else 0.0,
        "storage": stored / (machines.nodes * machines.storage),
        "one node's storage": moved.stored / machines.storage if several else 0.0,
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
    if machines.nodes > 1 and name not in SERIAL:
        return float(min(machines.nodes * machines.cores, shards))
    if rate.busy <= _ONE_CORE or measured_on == 1:
        return min(1.0, max(rate.busy, 1e-3))  # under one it waits for storage now and then, on any machine
    return max(1.0, rate.busy / measured_on * machines.cores)


@dataclass(frozen=True, slots=True)
class _Moved:
    """Bytes that a stage moves."""

    between: float = 0.0  # from task to task, through storage that all nodes share
    through: float = 0.0  # over the network of the machine that runs the command
    stored: float = 0.0  # read and written on that machine


def _moved(name: str, work: Workload, rates: Rates, sent: _Sent, *, several: bool) -> _Moved:
    vectors, pairs = work.texts * (4 * work.dimension + _STORED), work.pairs * _OF_A_PAIR
    if name == "encode":  # into the indexes folder, and from there into the shards that are compared
        return _Moved(through=2 * vectors, stored=2 * vectors) if several else _Moved(stored=vectors)
    if name == "join":
        return _Moved(between=sent.written + sent.read + pairs)
    if name == "judge":
        return _Moved(through=pairs, stored=pairs)
    if name == "cluster":
        return _Moved(stored=pairs)
    if name == "index":
        return _Moved(stored=vectors)
    if name == "write":
        return _Moved(through=_database(work, rates), stored=_database(work, rates))
    return _Moved()


def _database(work: Workload, rates: Rates) -> float:
    """Return the bytes of the database."""
    return work.questions * rates.database_bytes["question"] + work.pairs * rates.database_bytes["pair"]
