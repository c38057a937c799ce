"""Limits are measured, and the best that was ever seen of a processor is kept."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from dedup import limits
from dedup.limits import measure_limits, processor


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(limits, "cache_folder", lambda: tmp_path / "cache")
    return tmp_path / "cache" / "limits.json"


def measure(monkeypatch: pytest.MonkeyPatch, folder: Path, *, fp32: float, bf16: float | None) -> dict[str, float]:
    monkeypatch.setattr(limits, "_fp32", lambda: fp32)
    monkeypatch.setattr(limits, "_bf16", lambda: bf16)
    return dict(measure_limits(folder).multiplying)


def test_the_best_of_all_runs_is_the_limit(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measure(monkeypatch, tmp_path, fp32=5e9, bf16=None) == {"fp32": 5e9}
    assert measure(monkeypatch, tmp_path, fp32=3e9, bf16=7e9) == {"fp32": 5e9, "bf16": 7e9}
    assert measure(monkeypatch, tmp_path, fp32=6e9, bf16=None) == {"fp32": 6e9, "bf16": 7e9}
    monkeypatch.setattr(limits, "processor", lambda: "another one")
    assert measure(monkeypatch, tmp_path, fp32=1e9, bf16=None) == {"fp32": 1e9}


@pytest.mark.parametrize("damaged", ["", "[]", '{"one": 3}', '{"one": {"fp32": "fast"}}'])
def test_a_damaged_cache_is_made_anew(
    damaged: str, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.parent.mkdir()
    cache.write_text(damaged)
    assert measure(monkeypatch, tmp_path, fp32=5e9, bf16=None) == {"fp32": 5e9}
    assert processor() in cache.read_text()


def test_what_is_measured_is_no_more_than_can_be(cache: Path, tmp_path: Path) -> None:
    found = measure_limits(tmp_path)
    assert 1e8 < found.multiplying["fp32"] < 1e15
    assert found.reading is not None
    assert found.writing is not None
    assert 1e5 < found.writing < 1e12
    assert 1e5 < found.reading < 1e12
    assert list(tmp_path.iterdir()) == [cache.parent]


def test_where_the_processor_has_no_bf16_it_is_not_imitated(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    monkeypatch.setattr(torch, "mm", lambda *_: pytest.fail("multiplied in bf16"))
    monkeypatch.setattr(limits, "has_bf16", lambda: False)
    assert set(measure_limits(tmp_path).multiplying) == {"fp32"}


def test_without_torch_bf16_is_not_measured(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert set(measure_limits(tmp_path).multiplying) == {"fp32"}


def test_a_folder_that_cannot_be_written_to_has_no_limits_of_storage(cache: Path, tmp_path: Path) -> None:
    found = measure_limits(tmp_path / "nowhere")
    assert (found.reading, found.writing) == (None, None)
