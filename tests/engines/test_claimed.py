"""Shards that are claimed: what is sent comes back, nothing else is run, and lost workers cost attempts."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pytest

from dedup.engines import Engine, Failed, WorkFolder
from dedup.engines.claimed import ClaimedTasks, attempted_as_sent, received, sent_back
from dedup.engines.protocol import LOST_WORKER
from dedup.errors import EngineError, ShardFailed
from dedup.questions import Metric
from dedup.shards.encoding import EncodeShard, encode_shard

Answer = Callable[[bytes], bytes | None]


class Queue:
    """Works on the shards as they are put."""

    def __init__(self, answer: Answer, workers: int = 2) -> None:
        self._answer = answer
        self._ended: list[tuple[int, bytes | None]] = []
        self._workers = workers
        self.put_so_far = 0

    def put(self, name: str, content: bytes) -> int:
        self.put_so_far += 1
        self._ended.append((self.put_so_far, self._answer(content)))
        return self.put_so_far

    def taken_back(self) -> list[tuple[int, bytes | None]]:
        ended, self._ended = self._ended, []
        return ended

    def workers(self) -> int:
        return self._workers


def shard(folder, name: str = "one") -> EncodeShard:
    return EncodeShard(name, WorkFolder(str(folder)), "dedup-static", "f" * 64, Metric.EUCLIDEAN, 64)


def test_work_and_its_result_go_there_and_back(tmp_path):
    (tmp_path / "one-encoded.arrow").write_bytes(b"ARROW1")
    engine = Engine(ClaimedTasks(Queue(attempted_as_sent), 0))
    assert engine.slots == 2
    assert list(engine.map(encode_shard, [shard(tmp_path)])) == [shard(tmp_path)]


def test_an_error_comes_back_as_words(tmp_path):
    engine = Engine(ClaimedTasks(Queue(attempted_as_sent), 1))
    with pytest.raises(ShardFailed, match=r"encoding shard one failed 3 times: the work folder .* cannot be used"):
        list(engine.map(encode_shard, [shard(tmp_path)]))


def test_a_lost_worker_costs_an_attempt(tmp_path):
    (tmp_path / "one-encoded.arrow").write_bytes(b"ARROW1")
    lost = [None, sent_back(LOST_WORKER)]
    queue = Queue(lambda content: lost.pop() if lost else attempted_as_sent(content))
    assert list(Engine(ClaimedTasks(queue, 1)).map(encode_shard, [shard(tmp_path)])) == [shard(tmp_path)]
    assert queue.put_so_far == 3


def test_what_an_earlier_stage_left_is_passed_over():
    queue = Queue(lambda content: sent_back(1))
    tasks = ClaimedTasks(queue, 1)
    left = tasks.start(encode_shard, SimpleNamespace(name="left"), gpu=False)
    asked = tasks.start(encode_shard, SimpleNamespace(name="asked"), gpu=False)
    assert left != asked
    assert tasks.ended([asked]) == [(asked, 1)]


def test_without_a_worker_it_is_said_what_to_start():
    with pytest.raises(EngineError, match=r"start `dedup work`"):
        ClaimedTasks(Queue(attempted_as_sent, workers=0), 0)
    assert ClaimedTasks(Queue(attempted_as_sent, workers=0), 3).slots == 3


@pytest.mark.parametrize(
    "result",
    [
        np.arange(3),
        np.float32(0.5),
        np.array([b"ab", b"c"]),
        Failed("no room", again=True),
        {"a": [1, None, "text"]},
    ],
)
def test_results_come_back_as_they_were(result):
    found = received(sent_back(result))
    assert type(found) is type(result)
    assert np.array_equal(found, result) if isinstance(result, np.ndarray) else found == result


class Harmful:
    def __init__(self, work, *arguments) -> None:
        self._work, self._arguments = work, arguments

    def __reduce__(self):
        return self._work, self._arguments


@pytest.mark.parametrize(
    ("work", "arguments"),
    [(os.system, ("true",)), (eval, ("1",)), (WorkFolder.remove, (WorkFolder("."),)), (attempted_as_sent, (b"",))],
)
def test_nothing_else_is_run(work, arguments):
    with pytest.raises(EngineError, match="which is no shard of work"):
        received(pickle.dumps(Harmful(work, *arguments)))


def test_a_function_that_a_room_of_the_shards_imports_is_not_run():
    sent = pickle.dumps(encode_shard)
    assert received(sent) is encode_shard
    length = len(b"encode_shard").to_bytes()
    other = sent.replace(
        b"\x8c" + length + b"encode_shard", b"\x8c" + len(b"load_encoder").to_bytes() + b"load_encoder"
    )
    with pytest.raises(EngineError, match=r"dedup\.shards\.encoding\.load_encoder"):
        received(other)
