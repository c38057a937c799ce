"""A file of the work folder is whole, or not there."""

from __future__ import annotations

import pyarrow as pa
import pytest

from dedup.engines import WorkFolder
from dedup.errors import EngineError


def batch(*numbers: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"number": pa.array(numbers, pa.int64())})


@pytest.fixture
def work(tmp_path) -> WorkFolder:
    return WorkFolder(str(tmp_path / "work")).of("digest")


def test_what_is_written_is_read_batch_by_batch_with_its_facts(work):
    work.write("a.arrow", [batch(1, 2), batch(3)], {"rows": 3})
    assert work.has("a.arrow")
    assert [work.read("a.arrow", at).to_pydict() for at in (0, 1)] == [{"number": [1, 2]}, {"number": [3]}]
    assert work.facts("a.arrow") == {"rows": 3}


def test_a_file_whose_writing_fails_is_not_there_and_leaves_nothing(work, tmp_path):
    other = pa.RecordBatch.from_pydict({"text": ["a"]})
    with pytest.raises(pa.ArrowInvalid):
        work.write("a.arrow", [batch(1), other])
    assert not work.has("a.arrow")
    assert list((tmp_path / "work" / "digest").iterdir()) == []


def test_what_a_kill_left_half_written_is_no_file_and_is_swept(work, tmp_path):
    work.write("a.arrow", [batch(1)])
    left = tmp_path / "work" / "digest" / ".writing-0"
    left.write_bytes(b"half")
    work.sweep()
    assert not left.exists()
    assert work.read("a.arrow").to_pydict() == {"number": [1]}
    work.remove()
    assert not (tmp_path / "work" / "digest").exists()
    work.remove()  # again: there is nothing to do


def test_a_folder_that_cannot_be_used_is_named_without_its_secrets(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match=r"the work folder .*file cannot be used"):
        WorkFolder(str(tmp_path / "file")).of("digest").write("a.arrow", [batch(1)])
    with pytest.raises(EngineError, match=r"^nowhere://host/x is no folder") as refused:
        WorkFolder("nowhere://user:secret@host/x?key=secret").has("a.arrow")
    assert "secret" not in str(refused.value)
