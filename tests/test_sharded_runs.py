"""A run by processes that is killed goes on from what was finished, and ends as an undisturbed run by threads does."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace

import pytest
from object_stores import ObjectStore
from sharded import assert_same, finish, kill_half_way, recorded, run_command, settings_in, until_described

from dedup.errors import ShardFailed
from dedup.pipeline import run
from dedup.progress import Silent
from dedup.settings import FAST_ENCODER, IndexKind
from dedup.store import Store

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_a_killed_run_goes_on_and_ends_as_one_by_threads(tmp_path, many_dump, undisturbed, engine):
    if engine == "ray":
        pytest.importorskip("ray", reason="Ray is not installed", exc_type=ImportError)
    settings = settings_in(tmp_path / "killed")
    shards = ("--engine", engine, "--workers", "2", "--shard-size", "500")
    kill_half_way(settings, many_dump, *shards)
    finish(settings, many_dump, *shards)
    assert not any((settings.indexes / "work").iterdir())
    assert_same(recorded(settings), undisturbed)


def test_sigterm_ends_a_run_on_ray_in_one_line(tmp_path, many_dump):
    """Ray has a handler of its own, which would end the process with 15, wherever it is."""
    pytest.importorskip("ray", reason="Ray is not installed", exc_type=ImportError)
    settings = settings_in(tmp_path / "stopped")
    with run_command(settings, many_dump, "--engine", "ray", "--workers", "2", "--shard-size", "100") as stopped:
        until_described(settings, stopped)
        stopped.terminate()
        _, said = stopped.communicate(timeout=240)
    assert stopped.returncode == 143
    assert "SIGTERM received at" not in said
    assert said.splitlines()[-1].startswith("dedup: ")
    with Store.open(settings.db, create=False) as store:
        assert "SIGTERM" in str(store.last_run().error)


class StoppedAt(Silent):
    """Stops an object store when a stage begins."""

    def __init__(self, store: ObjectStore, name: str) -> None:
        self._store, self._name = store, name

    @contextmanager
    def stage(self, name, unit, total=None):
        if name == self._name:
            self._store.stop()
        with super().stage(name, unit, total) as advance:
            yield advance


def test_on_an_object_store_a_lost_connection_ends_in_one_line_and_the_next_run_goes_on(
    tmp_path, many_dump, undisturbed, object_store, monkeypatch
):
    # pyarrow tries three times each time, for six seconds.
    monkeypatch.setattr("dedup.engines.protocol._ATTEMPTS", 1)
    settings = replace(
        settings_in(tmp_path / "lost"),
        encoder=FAST_ENCODER,
        threshold=0.8,
        index=IndexKind.FLAT,
        workers=2,
        shard_size=500,
        work_dir=object_store.uri("lost"),
    )
    lost = r"^scattering shard \d+ failed once: the work folder s3://dedup/lost cannot be used \(.*connect.*again.*$"
    try:
        with pytest.raises(ShardFailed, match=lost) as stopped:
            run([many_dump], settings, progress=StoppedAt(object_store, "scatter"))
    finally:
        object_store.start()
    assert "\n" not in str(stopped.value)
    kept = object_store.paths("lost")
    assert sum("described-" in path for path in kept) == sum("vectors-" in path for path in kept) > 1
    result = run([many_dump], settings)
    assert result.summary.encoded == 0
    assert not object_store.paths("lost")
    assert_same(recorded(settings), undisturbed)
