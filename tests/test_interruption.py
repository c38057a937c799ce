"""Signals stop the work between two batches, in a process of its own, and a rerun goes on from there."""

from __future__ import annotations

import os
import signal

import pytest
from corpora import many_questions, write_csv
from processes import encoded, ended, started, until

from dedup.errors import ExitCode, Interrupted
from dedup.interruption import Interruptible, interruptible
from dedup.progress import Silent
from dedup.store import RunState, Store
from dedup.text import normalise


def test_the_batch_under_way_is_finished_and_the_next_not_begun():
    progress, done = Interruptible(Silent(), "write"), []

    def read():
        with progress.stage("read", "rows", total=3) as advance:
            for batch in range(3):
                if batch == 1:
                    progress.interrupt(signal.SIGTERM)
                done.append(batch)
                advance(1)

    with pytest.raises(Interrupted, match="interrupted by SIGTERM") as stopped:
        read()
    assert done == [0, 1]
    assert stopped.value.exit_code == ExitCode.TERMINATED == 143


def test_a_stage_is_not_begun_after_a_signal():
    progress = Interruptible(Silent(), "write")
    progress.interrupt(signal.SIGINT)
    with pytest.raises(Interrupted) as stopped, progress.stage("join", "rows"):
        raise AssertionError("begun")
    assert stopped.value.exit_code == 130


def test_what_is_being_published_is_finished():
    progress = Interruptible(Silent(), "write")
    with progress.stage("write", "pairs") as advance:
        progress.interrupt(signal.SIGTERM)
        advance(1)
    with progress.stage("report", "files") as advance:
        advance(1)


def test_a_second_signal_does_not_wait_for_the_batch():
    progress = Interruptible(Silent(), "write")
    progress.interrupt(signal.SIGTERM)
    with pytest.raises(Interrupted, match="SIGINT"):
        progress.interrupt(signal.SIGINT)


def test_signals_are_only_taken_while_the_work_goes_on():
    before = signal.getsignal(signal.SIGTERM)
    with interruptible(Silent(), until="write") as progress:
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted), progress.stage("read", "rows"):
            pass
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.slow
def test_while_it_encodes_nothing_encoded_is_lost(settings, tmp_path, monkeypatch, number, code):
    rows = many_questions(9000)
    dump = write_csv(tmp_path / "many.csv", rows)
    floors = ("--candidate-floor", "0.9", "--threshold", "0.9")
    with started(settings, "run", dump, *floors, slow=0.5) as process:
        until(lambda: len(encoded(settings)) > 0)
        process.send_signal(number)
        _, err = process.communicate()
    first = len(encoded(settings))
    assert process.returncode == code
    said = f"dedup: interrupted by {number.name}; run it again, what was recorded and encoded is kept"
    assert err.splitlines()[-1] == said
    assert 0 < first < len(rows)
    with Store.open(settings.db) as store:
        run = store.last_run()
        assert run.state is RunState.FAILED
        assert run.error.startswith(f"interrupted by {number.name}")
        assert store.pending_questions() == len(rows)
        assert store.in_service() is None
    code, _, err = ended(settings, "run", dump, *floors)
    assert code == 0, err
    assert sorted(encoded(settings)) == sorted({normalise(text) for _, text, _ in rows})  # each of them once


def test_while_it_reads_the_batch_is_recorded_whole(settings):
    def rows(start, end):
        return "".join(f"{at},Is {at} a prime number?\n" for at in range(start, end))

    def recorded():
        try:
            with Store.open(settings.db, create=False) as store:
                return store.counts().questions
        except Exception:
            return 0

    with started(settings, "run", "-") as process:
        process.stdin.write("id,question\n" + rows(0, 60_000))
        process.stdin.flush()
        until(lambda: recorded() == 50_000)
        process.send_signal(signal.SIGTERM)
        process.communicate(rows(60_000, 130_000))
        assert process.returncode == 143
    assert recorded() == 100_000
    with Store.open(settings.db) as store:
        assert store.last_run().error.startswith("interrupted by SIGTERM")
