"""A file of the work folder is whole, or not there."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow.fs import FileSelector, FileSystem

from dedup.engines import WorkFolder
from dedup.errors import EngineError


def batch(*numbers: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict({"number": pa.array(numbers, pa.int64())})


@pytest.fixture(params=["a folder", "an object store"])
def work(request, tmp_path) -> WorkFolder:
    if request.param == "a folder":
        return WorkFolder(str(tmp_path / "work")).of("digest")
    store = request.getfixturevalue("object_store")
    return WorkFolder(store.uri(f"work-{tmp_path.name}")).of("digest")


def names(work: WorkFolder) -> list[str]:
    """Return what is in a folder, whatever it is called."""
    files, path = FileSystem.from_uri(work.uri if "://" in work.uri else f"file://{work.uri}")
    found = files.get_file_info(FileSelector(f"{path}/{work.below}", allow_not_found=True))
    return sorted(info.base_name for info in found)


def test_what_is_written_is_read_batch_by_batch_with_its_facts(work):
    work.write("a.arrow", [batch(1, 2), batch(3)], {"rows": 3})
    assert work.has("a.arrow")
    assert [work.read("a.arrow", at).to_pydict() for at in (0, 1)] == [{"number": [1, 2]}, {"number": [3]}]
    assert work.facts("a.arrow") == {"rows": 3}


def test_a_file_whose_writing_fails_is_not_there_and_leaves_nothing(work):
    other = pa.RecordBatch.from_pydict({"text": ["a"]})
    with pytest.raises(pa.ArrowInvalid):
        work.write("a.arrow", [batch(1), other])
    assert not work.has("a.arrow")
    assert names(work) == []


def test_a_file_is_written_again_as_it_was_and_bytes_are_counted(work):
    work.write("a.arrow", [batch(1)])
    one = work.bytes()
    work.write("a.arrow", [batch(1)])
    assert names(work) == ["a.arrow"]
    assert work.bytes() == one > 8
    work.write("b.arrow", [batch(1)])
    assert work.bytes() == 2 * one


def test_what_is_removed_is_gone_and_may_be_removed_again(work):
    work.write("a.arrow", [batch(1)])
    work.write("b.arrow", [batch(2)])
    work.remove()
    work.remove()
    assert names(work) == []
    assert not work.has("b.arrow")


def test_what_a_kill_left_half_written_is_no_file_and_is_swept(tmp_path):
    work = WorkFolder(str(tmp_path / "work")).of("digest")
    work.write("a.arrow", [batch(1)])
    left = tmp_path / "work" / "digest" / ".writing-0"
    left.write_bytes(b"half")
    work.sweep()
    assert not left.exists()
    assert work.read("a.arrow").to_pydict() == {"number": [1]}


@pytest.mark.parametrize("kept", [0, 3, 8, -1], ids=["nothing", "a little", "its beginning", "all but its end"])
def test_what_a_power_cut_left_without_its_end_does_not_count_as_there(tmp_path, kept):
    work = WorkFolder(str(tmp_path / "work")).of("digest")
    work.write("a.arrow", [batch(1)])
    file = tmp_path / "work" / "digest" / "a.arrow"
    file.write_bytes(file.read_bytes()[:kept])
    assert not work.has("a.arrow")
    with pytest.raises(EngineError, match=r"a\.arrow is damaged, remove it"):
        work.read("a.arrow")
    work.write("a.arrow", [batch(2)])
    assert work.read("a.arrow").to_pydict() == {"number": [2]}


def test_a_folder_that_cannot_be_used_is_named_without_its_secrets(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(EngineError, match=r"the work folder .*file cannot be used"):
        WorkFolder(str(tmp_path / "file")).of("digest").write("a.arrow", [batch(1)])
    with pytest.raises(EngineError, match=r"^nowhere://host/x is no folder") as refused:
        WorkFolder("nowhere://user:secret@host/x?key=secret").has("a.arrow")
    assert "secret" not in str(refused.value)


def test_without_a_connection_nothing_is_written_and_one_line_says_why(object_store):
    work = WorkFolder(object_store.uri("cut-off")).of("digest")
    work.write("a.arrow", [batch(1)])
    object_store.stop()
    try:
        with pytest.raises(
            EngineError, match=r"^the work folder s3://dedup/cut-off cannot be used \(.*Could not connect to server"
        ):
            work.write("b.arrow", [batch(*range(2_000_000))])  # several parts
    finally:
        object_store.start()
    assert names(work) == ["a.arrow"]
    work.remove()
