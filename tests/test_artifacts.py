"""An artifact is complete and unaltered, or it is not there; whatever happens while it is written."""

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dedup import artifacts
from dedup.artifacts import MANIFEST, read_manifest, writing
from dedup.errors import ArtifactDamaged, DedupError


@pytest.fixture
def artifact(tmp_path):
    folder = tmp_path / "artifact"
    with writing(folder, {"about": "two files"}) as beside:
        (beside / "one").write_bytes(b"1" * 1000)
        (beside / "two").write_bytes(b"")
    return folder


@pytest.fixture
def read_through(monkeypatch):
    """Return the names of the files whose SHA-256 is taken from here on."""
    names = []
    sha256 = artifacts.sha256
    monkeypatch.setattr(artifacts, "sha256", lambda file: names.append(file.name) or sha256(file))
    return names


def test_what_was_written_is_read_with_its_facts(artifact):
    manifest = read_manifest(artifact)
    assert manifest["about"] == "two files"
    assert {name: about["bytes"] for name, about in manifest["files"].items()} == {"one": 1000, "two": 0}
    assert manifest["files"]["two"]["sha256"] == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_facts_may_be_completed_while_writing(tmp_path):
    facts = {}
    with writing(tmp_path / "artifact", facts):
        facts["vectors"] = 3
    assert read_manifest(tmp_path / "artifact")["vectors"] == 3


def test_nothing_but_the_artifact_is_left(artifact):
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]
    assert sorted(path.name for path in artifact.iterdir()) == [MANIFEST, "one", "two"]


def flip_a_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: flip_a_byte(folder / "one"), r"one has SHA-256 [0-9a-f]{16}…, its manifest says"),
        (lambda folder: os.truncate(folder / "one", 999), "one has 999 bytes, its manifest says 1000"),
        (lambda folder: (folder / "two").write_bytes(b"more"), "two has 4 bytes, its manifest says 0"),
        (lambda folder: (folder / "one").unlink(), r"one cannot be read \(No such file or directory\)"),
        (lambda folder: (folder / MANIFEST).unlink(), f"{MANIFEST} is missing or not a manifest"),
        (lambda folder: os.truncate(folder / MANIFEST, 40), f"{MANIFEST} is missing or not a manifest"),
        (lambda folder: (folder / MANIFEST).write_bytes(b"\xff\xfe\x00"), "not a manifest"),
        (lambda folder: (folder / MANIFEST).write_text("[]"), "not a manifest"),
        (lambda folder: (folder / MANIFEST).write_text('{"files": []}'), "not a manifest"),
        (lambda folder: (folder / MANIFEST).write_text('{"files": {"one": 1}}'), "not a manifest"),
        (lambda folder: (folder / MANIFEST).write_text('{"files": {"one": {"bytes": "x"}}}'), "not a manifest"),
    ],
)
@pytest.mark.parametrize("verified_before", [False, True])
def test_damage_is_named_and_the_remedy_given(artifact, damage, said, verified_before):
    if verified_before:
        read_manifest(artifact)
    damage(artifact)
    with pytest.raises(ArtifactDamaged, match=said) as raised:
        read_manifest(artifact)
    assert f"delete {artifact} and run `dedup run`" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_files_found_right_are_not_read_through_again_until_they_change(artifact, read_through):
    read_manifest(artifact)
    assert read_through == ["one", "two"]
    read_manifest(artifact)
    assert read_through == ["one", "two"]
    status = (artifact / "one").stat()
    os.utime(artifact / "one", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    read_manifest(artifact)
    assert read_through == ["one", "two", "one"]
    read_manifest(artifact)
    assert read_through == ["one", "two", "one"]


@pytest.mark.parametrize("stamp", [b"", b"[]", b"not json", b'{"one": 3, "two": null}', b"\xff"])
def test_a_damaged_note_of_what_was_verified_only_costs_time(artifact, read_through, stamp):
    read_manifest(artifact)
    (artifact / ".verified").write_bytes(stamp)
    read_manifest(artifact)
    assert read_through == ["one", "two"] * 2


def test_an_artifact_on_a_read_only_file_system_is_read_through_each_time(artifact, read_through, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    for _ in range(2):
        assert read_manifest(artifact)["about"] == "two files"
    assert read_through == ["one", "two"] * 2


def test_an_error_while_writing_leaves_nothing(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "artifact", {}) as beside:
        (beside / "one").write_bytes(b"1" * (1 // 0))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
    def full(_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(artifacts, "flush", full)
    with (
        pytest.raises(DedupError, match="cannot be written: No space left on device; free some space"),
        writing(tmp_path / "artifact", {}) as beside,
    ):
        (beside / "one").write_bytes(b"1")
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_named(tmp_path):
    (tmp_path / "indexes").write_text("a file")
    with (
        pytest.raises(DedupError, match=r"cannot be written: File exists; .* choose a writable folder"),
        writing(tmp_path / "indexes" / "artifact", {}),
    ):
        pass


def test_an_artifact_is_never_replaced(artifact):
    with pytest.raises(DedupError, match="cannot be written"), writing(artifact, {"about": "another"}):
        pass
    assert read_manifest(artifact)["about"] == "two files"
    assert [path.name for path in artifact.parent.iterdir()] == ["artifact"]


def test_files_are_on_disk_before_the_folder_has_its_name(tmp_path, monkeypatch):
    done = []
    flush, rename = artifacts.flush, Path.rename
    monkeypatch.setattr(artifacts, "flush", lambda path: done.append(path.name) or flush(path))
    monkeypatch.setattr(Path, "rename", lambda path, to: done.append("renamed") or rename(path, to))
    with writing(tmp_path / "artifact", {}) as beside:
        (beside / "one").write_bytes(b"1")
    assert set(done[: done.index("renamed")]) == {"one", MANIFEST, beside.name}
    assert done[done.index("renamed") + 1 :] == [tmp_path.name]


WRITES_THEN_WAITS = """
import sys, time
from pathlib import Path
from dedup import artifacts

def wait(_):
    print("now", flush=True)
    time.sleep(60)

if sys.argv[2] == "flush":
    artifacts.flush = wait
with artifacts.writing(Path(sys.argv[1]), {}) as beside:
    (beside / "one").write_bytes(b"1" * 100_000)
    if sys.argv[2] == "body":
        wait(None)
"""


@pytest.mark.parametrize("moment", ["body", "flush"])
def test_a_kill_while_writing_leaves_no_artifact(tmp_path, moment):
    command = [sys.executable, "-c", WRITES_THEN_WAITS, str(tmp_path / "artifact"), moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1]) as process:
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "artifact").exists()
    with writing(tmp_path / "artifact", {}) as beside:  # and what is left is in nobody's way
        (beside / "one").write_bytes(b"2")
    assert json.loads((tmp_path / "artifact" / MANIFEST).read_text())["files"]["one"]["bytes"] == 1


def test_a_hash_that_is_changed_in_the_manifest_is_noticed_also_after_a_first_reading(tmp_path):
    with writing(tmp_path / "artifact", {}) as beside:
        (beside / "file").write_bytes(b"content")
    read_manifest(tmp_path / "artifact")
    manifest = tmp_path / "artifact" / MANIFEST
    told = json.loads(manifest.read_text())
    told["files"]["file"]["sha256"] = "0" * 64
    manifest.write_text(json.dumps(told))
    with pytest.raises(ArtifactDamaged, match="its manifest says 0000000000000000"):
        read_manifest(tmp_path / "artifact")


def test_a_change_that_keeps_size_and_time_is_noticed(tmp_path):
    with writing(tmp_path / "artifact", {}) as beside:
        (beside / "file").write_bytes(b"content")
    read_manifest(tmp_path / "artifact")
    file = tmp_path / "artifact" / "file"
    before = file.stat()
    file.write_bytes(b"CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ArtifactDamaged, match="has SHA-256"):
        read_manifest(tmp_path / "artifact")


def test_what_a_kill_left_is_swept_a_day_later(tmp_path):
    old, young = tmp_path / ".writing-old", tmp_path / ".writing-young"
    for left in (old, young):
        left.mkdir()
        (left / "half").touch()
    os.utime(old, (0, 0))
    with writing(tmp_path / "artifact", {}) as beside:
        (beside / "file").touch()
    assert not old.exists()
    assert young.exists()
