"""Locks on files: one holder at a time, who says who it is."""

import os
import threading
import time
from datetime import UTC, datetime

import pytest

from dedup.errors import Locked
from dedup.locks import FileLock, Holder, holding
from dedup.progress import Silent


@pytest.fixture
def lock(tmp_path):
    return FileLock(tmp_path / "folder" / "lock", "the kitchen")


def test_only_one_holds_it_and_the_other_is_told_who(lock):
    assert lock.holder() is None
    with lock.taken("dedup run"):
        holder = lock.holder()
        assert (holder.command, holder.pid) == ("dedup run", os.getpid())
        with pytest.raises(Locked, match=rf"the kitchen is in use by dedup run, process {os.getpid()} on .*--wait"):
            lock.taken("dedup reindex").__enter__()
        assert lock.holder() == holder
    assert lock.holder() is None


def test_many_that_wait_come_one_after_another(lock, monkeypatch):
    monkeypatch.setattr("dedup.locks._ATTEMPT_SECONDS", 0.01)
    monkeypatch.setattr("dedup.locks._LOOK_SECONDS", 0.001)
    inside, most, turns = 0, 0, []

    def work(who):
        nonlocal inside, most
        with holding([lock], "dedup run", wait=60, progress=Silent()):
            inside += 1
            most = max(most, inside)
            time.sleep(0.01)
            turns.append(who)
            inside -= 1

    threads = [threading.Thread(target=work, args=(who,)) for who in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert sorted(turns) == list(range(8))


def test_of_several_locks_all_or_none_are_held(lock, tmp_path):
    other = FileLock(tmp_path / "other", "the cellar")
    with other.taken("dedup run"), pytest.raises(Locked, match="the cellar"):
        holding([lock, other], "dedup run", wait=0, progress=Silent()).__enter__()
    assert lock.holder() is None


def test_looking_disturbs_nobody_who_takes_it(lock):
    with lock.taken("dedup run"):
        pass
    stop = threading.Event()

    def look():
        while not stop.is_set():
            lock.holder()
            time.sleep(0.001)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(200):
            with lock.taken("dedup run"):
                pass
    finally:
        stop.set()
        looking.join()


@pytest.mark.parametrize("written", [b"", b"{", b"[]", b'{"command": "dedup run"}', b'{"pid": null}', b"\xff"])
def test_a_holder_that_cannot_be_read_is_another_process(lock, tmp_path, written):
    with lock.taken("dedup run"):
        (tmp_path / "folder" / "lock").write_bytes(written)
        assert str(lock.holder()) == "another process"


def test_a_holder_in_words():
    since = datetime(2026, 11, 23, 2, 30, tzinfo=UTC)
    assert str(Holder("dedup run", 7, "db1", since)) == "dedup run, process 7 on db1, since 2026-11-23 02:30:00 UTC"
    assert str(Holder(since=since)) == "another process, since 2026-11-23 02:30:00 UTC"
