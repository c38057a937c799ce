"""The whole way, from a path to records."""

from __future__ import annotations

import gzip
import io
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path
from textwrap import dedent

import pytest
from dump_files import COMPRESSIONS, FORMATS, QUESTIONS, as_csv, as_posts, seven_zip

from dedup.dumps import FORMAT_NAMES, DumpOptions, read_dump, read_labels
from dedup.dumps import FORMATS as KNOWN
from dedup.errors import DumpError
from dedup.questions import Label, Question, Rejected

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY / "../shared/data"

POSTLINKS = (
    '<?xml version="1.0"?><postlinks><row PostId="2" RelatedPostId="1" LinkTypeId="3"/>'
    '<row PostId="3" RelatedPostId="1" LinkTypeId="1"/></postlinks>'
)


def pipe(monkeypatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


class TestEveryFormatAndCompression:
    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("compression", ["", *COMPRESSIONS])
    def test_the_same_questions_come_out(self, read, name, compression):
        suffix, write = FORMATS[name]
        content = COMPRESSIONS.get(compression, bytes)(write(QUESTIONS))
        assert read(f"dump{suffix}{compression}", content) == QUESTIONS

    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("compression", ["", *COMPRESSIONS])
    def test_a_name_that_says_nothing_is_enough(self, read, name, compression):
        content = COMPRESSIONS.get(compression, bytes)(FORMATS[name][1](QUESTIONS))
        assert read("download", content) == QUESTIONS

    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("compression", ["", ".gz", ".bz2", ".xz", ".zst"])
    def test_standard_input(self, monkeypatch, name, compression):
        pipe(monkeypatch, COMPRESSIONS.get(compression, bytes)(FORMATS[name][1](QUESTIONS)))
        assert list(read_dump("-", DumpOptions())) == QUESTIONS

    @pytest.mark.parametrize("name", FORMATS)
    def test_the_format_may_be_named(self, read, name):
        assert read("download", FORMATS[name][1](QUESTIONS), DumpOptions(format=name)) == QUESTIONS

    @pytest.mark.parametrize("name", FORMATS)
    def test_questions_carry_the_source_and_their_row(self, read, name):
        found = read("download", FORMATS[name][1](QUESTIONS), DumpOptions(source="site"))
        assert {question.source for question in found} == {"site"}
        # In Posts.xml an answer stands after each question.
        assert [question.row for question in found] == ([1, 3, 5, 7] if name == "posts-xml" else [1, 2, 3, 4])


class TestStandardInput:
    def test_7z_is_refused(self, monkeypatch):
        pipe(monkeypatch, seven_zip({"Posts.xml": as_posts(QUESTIONS)}))
        with pytest.raises(DumpError, match=r"standard input: a 7z archive can only be read from a file; save it"):
            list(read_dump("-", DumpOptions()))

    def test_faults_name_standard_input(self, monkeypatch):
        pipe(monkeypatch, b"id,text\n1,\n")
        assert list(read_dump("-", DumpOptions())) == [
            Rejected("standard input", 1, "the text (column text) is empty", "1 | ")
        ]

    def test_a_cut_stream_names_standard_input(self, monkeypatch):
        pipe(monkeypatch, gzip.compress(as_csv(QUESTIONS))[:-4])
        with pytest.raises(DumpError, match=r"standard input: the gzip stream .* read 4 records before that"):
            list(read_dump("-", DumpOptions()))

    def test_it_stays_open(self, monkeypatch):
        pipe(monkeypatch, as_csv(QUESTIONS))
        list(read_dump("-", DumpOptions()))
        assert not sys.stdin.buffer.closed


class TestRefusals:
    def test_unknown_format(self, read):
        with pytest.raises(
            DumpError, match=r"no dump format is called 'xlsx'; expected one of csv, tsv, jsonl, parquet, "
        ):
            read("a.csv", as_csv(QUESTIONS), DumpOptions(format="xlsx"))

    def test_every_known_format_is_listed(self):
        assert FORMAT_NAMES == ("csv", "tsv", "jsonl", "parquet", "posts-xml", "postlinks-xml", "pairs")
        assert tuple(KNOWN) == FORMAT_NAMES

    def test_nothing_is_opened_before_the_first_record_is_asked_for(self):
        records = read_dump("no/such/file", DumpOptions())
        with pytest.raises(DumpError, match=r"no/such/file: no such file; check the path"):
            next(records)

    @pytest.mark.parametrize("name", FORMATS)
    def test_messages_are_one_line(self, read, name):
        with pytest.raises(DumpError) as caught:
            read("dump" + FORMATS[name][0], b"\x00\x01\n\x02")
        assert "\n" not in str(caught.value)


class TestDamage:
    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("compression", ["", *COMPRESSIONS])
    def test_any_damage_ends_in_records_or_a_dump_error_of_one_line(self, dump, name, compression):
        noise = random.Random(f"{name}{compression}")
        content = COMPRESSIONS.get(compression, bytes)(FORMATS[name][1](QUESTIONS * 20))
        for _ in range(20):
            damaged = bytearray(content)
            for _ in range(noise.choice([1, 1, 5])):
                place = noise.randrange(len(damaged))
                length = noise.choice([1, 1, 50])
                damaged[place : place + length] = noise.randbytes(noise.choice([0, 1, length]))
            message, records = "", []
            try:
                records.extend(read_dump(dump("damaged", bytes(damaged)), DumpOptions(with_body=True)))
            except DumpError as fault:
                message = str(fault)
            assert "\n" not in message
            assert all(isinstance(record, Question | Label | Rejected) for record in records)


class TestLabels:
    def test_of_postlinks(self, dump):
        path = dump("PostLinks.xml", POSTLINKS.encode())
        assert list(read_labels(path, DumpOptions(source="site"))) == [Label("2", "1", True, "site")]

    def test_of_an_archive_are_its_postlinks(self, dump):
        path = dump("site.7z", seven_zip({"Posts.xml": as_posts(QUESTIONS), "PostLinks.xml": POSTLINKS.encode()}))
        assert list(read_labels(path, DumpOptions())) == [Label("2", "1", True)]
        assert list(read_dump(path, DumpOptions())) == QUESTIONS
        assert list(read_dump(path, DumpOptions(format="postlinks-xml"))) == [Label("2", "1", True)]

    def test_of_a_pair_file(self, dump):
        path = dump(
            "pairs.tsv", b"id1\tid2\tquestion1\tquestion2\tis_duplicate\na\tb\tWhy?\tHow?\t0\nc\td\tWho?\t \t1\n"
        )
        assert list(read_labels(path, DumpOptions())) == [
            Label("a", "b", False, "default", "Why?", "How?"),
            Rejected(path, 2, "the question2 is empty", "c | d | Who? |  "),
        ]

    def test_posts_have_none(self, dump):
        with pytest.raises(
            DumpError, match=r"read as posts-xml, which has no labels; expected a PostLinks.xml or a pair"
        ):
            list(read_labels(dump("Posts.xml", as_posts(QUESTIONS)), DumpOptions()))

    @pytest.mark.parametrize("columns", ["id,text", "question1,question2"])
    def test_a_table_without_them_is_refused(self, dump, columns):
        with pytest.raises(
            DumpError, match=rf"the columns are {columns.replace(',', ', ')}; a pair file has question1"
        ):
            list(read_labels(dump("a.csv", f"{columns}\na,b\n".encode()), DumpOptions()))


@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's peak memory from /proc")
class TestMemory:
    """Growth of the peak memory of a whole process, C libraries included, from a small dump to a larger one."""

    SCRIPT = r"""
        import re, sys
        from pathlib import Path
        from dedup.dumps import DumpOptions, read_dump
        for path in sys.argv[1:]:
            count = sum(1 for _ in read_dump(path, DumpOptions()))
            print(count, re.search(r"VmHWM:\s+([0-9]+) kB", Path("/proc/self/status").read_text())[1])
    """

    @pytest.mark.parametrize(
        ("name", "compression", "small", "large"),
        [
            ("csv", ".gz", 2_000, 16_000),
            ("tsv", ".zst", 2_000, 16_000),
            ("jsonl", ".xz", 2_000, 16_000),
            ("posts-xml", ".7z", 2_000, 16_000),
            ("parquet", "", 16_000, 48_000),  # Arrow's own buffers are full after some 10 MB
        ],
    )
    def test_does_not_grow_with_the_dump(self, dump, name, compression, small, large):
        paths = [dump(f"{count}{compression}", self._dump(count, name, compression)) for count in (small, large)]
        ran = subprocess.run(
            [sys.executable, "-c", dedent(self.SCRIPT), *paths],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
        (first, before), (second, after) = (map(int, line.split()) for line in ran.stdout.splitlines())
        assert (first, second) == (small, large)
        assert after - before < 0.4 * (large - small)  # KiB; each question has about one

    @staticmethod
    def _dump(count: int, name: str, compression: str) -> bytes:
        noise = random.Random(7)
        questions = [
            Question(str(number), f"{noise.getrandbits(4000):x}", created=QUESTIONS[0].created, score=0, views=0)
            for number in range(count)
        ]
        return COMPRESSIONS.get(compression, bytes)(FORMATS[name][1](questions))


class TestLightness:
    def test_importing_brings_in_no_library_that_only_some_dumps_need(self):
        heavy = ["lxml", "py7zr", "pyarrow", "sqlalchemy", "torch", "zstandard"]
        script = f"import sys, dedup.dumps; print([name for name in {heavy} if name in sys.modules])"
        ran = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert ran.stdout == "[]\n"


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="needs the real dumps, which lie beside the repository (../shared/data)"
)
class TestRealDumps:
    @pytest.mark.parametrize(
        ("file", "questions", "labels"),
        [
            ("se_quantumcomputing/Posts.xml", 612, 0),
            ("se_quantumcomputing/PostLinks.xml", 0, 14),
            ("se_cstheory_meta/Posts.xml", 589, 0),
            ("se_cstheory_meta/PostLinks.xml", 0, 13),
            ("qqp/dev.tsv", None, 10_210),
            ("rqe/pairs.tsv", None, 8_587),
            ("english_se/pairs.tsv", None, 1_000),
        ],
    )
    def test_are_read_whole(self, file, questions, labels):
        records = list(read_dump(str(SHARED / file), DumpOptions()))
        kinds = Counter(type(record) for record in records)
        assert kinds[Rejected] == 0
        assert kinds[Label] == labels
        if questions is None:  # a pair file: the questions are those its labels are about
            asked = {(label.left, label.left_text) for label in records if isinstance(label, Label)}
            asked |= {(label.right, label.right_text) for label in records if isinstance(label, Label)}
            found = [(question.id, question.text) for question in records if isinstance(question, Question)]
            assert len(found) == len(set(found))
            assert set(found) == asked
        else:
            assert kinds[Question] == questions

    def test_bodies_are_plain_text(self):
        path = str(SHARED / "se_cstheory_meta/Posts.xml")
        titles = [question for question in read_dump(path, DumpOptions()) if isinstance(question, Question)]
        bodies = [
            question for question in read_dump(path, DumpOptions(with_body=True)) if isinstance(question, Question)
        ]
        assert [question.text.split("\n\n")[0] for question in bodies] == [question.text for question in titles]
        assert sum("<p>" in question.text for question in bodies) == 0
