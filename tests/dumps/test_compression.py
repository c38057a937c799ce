"""What is opened, what is refused, and how far it may expand."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest
import zstandard
from dump_files import COMPRESSIONS, FORMATS, QUESTIONS, as_csv, as_parquet, seven_zip

from dedup.dumps import DumpOptions, read_dump
from dedup.errors import DumpError
from dedup.questions import Question

BOMB = b"id,text\n" + b"1,aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 200_000


class TestRefusals:
    def test_missing_file(self, tmp_path):
        with pytest.raises(DumpError, match=r"absent\.csv: no such file; check the path"):
            list(read_dump(str(tmp_path / "absent.csv"), DumpOptions()))

    def test_folder(self, tmp_path):
        with pytest.raises(
            DumpError, match=r"is a folder; expected a file \(of Stack Exchange's, name its Posts\.xml\)"
        ):
            list(read_dump(str(tmp_path), DumpOptions()))

    def test_unreadable_path(self, dump):
        with pytest.raises(
            DumpError, match=r"a\.csv/b: cannot be opened \(Not a directory\); check the path and its perm"
        ):
            list(read_dump(dump("a.csv", b"id,text\n") + "/b", DumpOptions()))

    def test_path_with_a_nul(self):
        with pytest.raises(DumpError, match=r"cannot be opened \(embedded null byte\)"):
            list(read_dump("a\0b", DumpOptions()))

    @pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.xml", "a.csv.gz", "a"])
    def test_empty_file(self, read, name):
        with pytest.raises(DumpError, match=rf"{name}: the file is empty; expected a dump of questions"):
            read(name, b"")

    def test_empty_inside(self, read, compression):
        message = r"a\.csv.*: (nothing comes out of the \w+ (stream|archive); expected a dump|.*7z archive)"
        with pytest.raises(DumpError, match=message):
            read(f"a.csv{compression}", COMPRESSIONS[compression](b""))

    def test_compressed_twice(self, read, compression):
        twice = COMPRESSIONS[compression](gzip.compress(as_csv(QUESTIONS)))
        with pytest.raises(DumpError, match=r"a\.csv.*: looks like a second compression inside the first"):
            read(f"a.csv{compression}", twice)


class TestBreaks:
    @pytest.fixture
    def content(self) -> bytes:
        return as_csv(
            [Question(str(number), os.urandom(40).hex(), created=QUESTIONS[0].created) for number in range(20_000)]
        )

    @pytest.mark.parametrize("compression", [".gz", ".bz2", ".xz", ".zst"])
    def test_a_cut_stream_says_how_far_it_was_read(self, dump, content, compression):
        packed = COMPRESSIONS[compression](content)
        path = dump(f"a.csv{compression}", packed[: len(packed) * 3 // 4])
        read: list[object] = []
        with pytest.raises(DumpError) as caught:
            read.extend(read_dump(path, DumpOptions()))
        assert str(caught.value) == (
            f"{path}: the {_kind(compression)} ends before its end mark: it is cut short; "
            f"read {len(read):,} records before that; get the file anew"
        )

    @pytest.mark.parametrize("compression", [".gz", ".bz2", ".xz", ".zst"])
    def test_what_was_read_before_the_break_is_right(self, dump, content, compression):
        whole = list(read_dump(dump("a.csv", content), DumpOptions()))
        packed = COMPRESSIONS[compression](content)
        path = dump(f"a.csv{compression}", packed[: len(packed) * 3 // 4])
        records = read_dump(path, DumpOptions())
        read = []
        with pytest.raises(DumpError):
            read.extend(records)
        assert len(read) > 0
        assert read == whole[: len(read)]

    @pytest.mark.parametrize("compression", [".gz", ".bz2", ".xz", ".zst", ".7z"])
    def test_a_damaged_stream(self, dump, content, compression):
        packed = bytearray(COMPRESSIONS[compression](content))
        packed[len(packed) // 2] ^= 0xFF
        packed[len(packed) // 2 + 7] ^= 0xFF
        with pytest.raises(
            DumpError, match=r"a\.csv.*: the \w+ (stream|archive) is .*; read [0-9,]+ records before that"
        ):
            list(read_dump(dump(f"a.csv{compression}", bytes(packed)), DumpOptions()))

    @pytest.mark.parametrize("missing", [1, 4, 8])
    def test_a_gzip_without_its_last_bytes(self, read, missing):
        with pytest.raises(DumpError, match=r"the gzip stream ends before its end mark"):
            read("a.csv.gz", gzip.compress(as_csv(QUESTIONS))[:-missing])

    def test_a_zstd_frame_without_its_last_byte(self, read):
        with pytest.raises(DumpError, match=r"the zstd stream ends before its end mark"):
            read("a.csv.zst", zstandard.compress(as_csv(QUESTIONS))[:-1])


class TestStreams:
    @pytest.mark.parametrize("compression", [".gz", ".bz2", ".xz", ".zst"])
    def test_several_streams_in_one_file_are_one_dump(self, read, compression):
        content = as_csv(QUESTIONS)
        packed = b"".join(COMPRESSIONS[compression](part) for part in (content[:50], b"", content[50:]))
        assert read(f"a.csv{compression}", packed) == QUESTIONS

    def test_the_content_decides_not_the_name(self, read):
        assert read("a.csv.gz", as_csv(QUESTIONS)) == QUESTIONS
        assert read("a.csv", gzip.compress(as_csv(QUESTIONS))) == QUESTIONS
        assert read("a.csv.bz2", zstandard.compress(as_csv(QUESTIONS))) == QUESTIONS

    @pytest.mark.parametrize("name", FORMATS)
    def test_a_named_pipe(self, tmp_path, name):
        path = tmp_path / "pipe"
        os.mkfifo(path)
        writer = threading.Thread(target=path.write_bytes, args=(FORMATS[name][1](QUESTIONS),))
        writer.start()
        assert list(read_dump(str(path), DumpOptions())) == QUESTIONS
        writer.join()

    def test_stopping_early_closes_everything(self, dump, compression):
        path = dump("a", COMPRESSIONS[compression](BOMB))
        before = set(Path("/proc/self/fd").iterdir()), threading.active_count()
        records = read_dump(path, DumpOptions())
        next(records)
        records.close()
        assert (set(Path("/proc/self/fd").iterdir()), threading.active_count()) == before


class TestLimit:
    def test_a_bomb_is_stopped(self, dump, compression):
        packed = COMPRESSIONS[compression](BOMB)
        path = dump(f"a.csv{compression}", packed)
        records = read_dump(path, DumpOptions(max_bytes=1_000_000))
        with pytest.raises(DumpError) as caught:
            list(records)
        message = str(caught.value)
        assert message.startswith(f"{path}: {len(packed):,} bytes expanded to 1,0")
        assert message.endswith(
            "more than the limit of 1,000,000; if the dump is sound, raise the limit with --max-bytes"
        )

    def test_a_bomb_in_parquet_is_stopped(self, read):
        questions = [Question(str(number), "a" * 5_000, created=QUESTIONS[0].created) for number in range(5_000)]
        with pytest.raises(
            DumpError, match=r"a\.parquet: [0-9,]+ bytes expanded to [0-9,]+, more than the limit of 1,000,0"
        ):
            read("a.parquet", as_parquet(questions), DumpOptions(max_bytes=1_000_000))

    def test_members_before_the_wanted_one_count(self, read):
        packed = seven_zip({"Badges.xml": bytes(10_000_000), "Posts.xml": b"<posts></posts>"})
        with pytest.raises(DumpError, match=r"more than the limit of 1,000,000; .* --max-bytes"):
            read("site.7z", packed, DumpOptions(max_bytes=1_000_000))

    def test_up_to_the_limit_is_read(self, read, compression):
        content = as_csv(QUESTIONS)
        packed = COMPRESSIONS[compression](content)
        assert read("a.csv", packed, DumpOptions(max_bytes=len(content))) == QUESTIONS
        with pytest.raises(DumpError, match=rf"expanded to {len(content)}|expanded to"):
            read("a.csv", packed, DumpOptions(max_bytes=len(content) - 1))

    def test_what_is_not_compressed_has_no_limit(self, read):
        assert read("a.csv", as_csv(QUESTIONS), DumpOptions(max_bytes=10)) == QUESTIONS

    def test_it_is_256_mib_or_200_times_the_size(self, monkeypatch, read):
        packed = gzip.compress(BOMB)
        assert len(BOMB) > 200 * len(packed)
        monkeypatch.setattr("dedup.dumps.compression.LEAST_LIMIT", len(BOMB))
        assert len(read("a.csv.gz", packed)) == 200_000
        monkeypatch.setattr("dedup.dumps.compression.LEAST_LIMIT", 1 << 20)
        with pytest.raises(DumpError, match=rf"more than the limit of {200 * len(packed):,};"):
            read("a.csv.gz", packed)


def _kind(compression: str) -> str:
    return {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd"}[compression] + " stream"
