"""A worker: claims shards of the runs of a database, does what they say with some processes, and brings it back."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

from dedup.engines.claimed import attempted_as_sent, sent_back
from dedup.engines.local import processes
from dedup.errors import Interrupted
from dedup.progress import Progress
from dedup.store import ClaimedTask, Store

log = logging.getLogger(__name__)

_SECONDS_BETWEEN_LOOKS = 0.2


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker did; the fields of `dedup work --json`."""

    shards: int
    given_back: int  # unfinished, when it was stopped
    seconds: float


def work(db: str, count: int, *, idle: float | None, progress: Progress) -> Worked:
    """Work on the shards of runs with ``--engine database`` until it is interrupted.

    Parameters
    ----------
    count
        Processes: how many shards are worked on at once.
    idle
        Seconds without a shard after which it ends; None: it waits for ever.

    Raises
    ------
    EngineError
        Where the database is SQLite.
    StoreError
        Where it cannot be reached, or no longer: what was claimed is then worked on by others.
    """
    start = last = time.monotonic()
    done = 0
    under_way: dict[Any, ClaimedTask] = {}
    with Store.open(db) as store, store.task_claims(count) as claims:
        try:
            log.info("waiting for the shards of runs on %s, %d at once", store.display_url, count)
            with processes(count) as pool, progress.stage("work", "shards") as advance:
                while under_way or idle is None or time.monotonic() - last < idle:
                    while len(under_way) < count and (claimed := claims.claim()) is not None:
                        log.debug("%s", claimed.name)
                        under_way[pool.start(_do, claimed, gpu=False)] = claimed
                    if under_way:
                        last = time.monotonic()
                        ended = pool.ended(list(under_way), seconds=_SECONDS_BETWEEN_LOOKS)
                    else:
                        time.sleep(_SECONDS_BETWEEN_LOOKS)
                        ended = []
                    for started, result in ended:
                        claims.finish(under_way.pop(started).number, sent_back(result))
                    done += len(ended)
                    advance(len(ended))
        except Interrupted as stopped:
            log.info("%s: %d unfinished shards are given back", str(stopped).split(";")[0], len(under_way))
            claims.give_back([task.number for task in under_way.values()])
    return Worked(done, len(under_way), round(time.monotonic() - start, 3))


def _do(claimed: ClaimedTask) -> bytes:
    return attempted_as_sent(claimed.content)
