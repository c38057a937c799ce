"""Which member of a 7z archive is read, and what is said of a bad archive."""

from __future__ import annotations

import io

import py7zr
import pytest
from dump_files import QUESTIONS, as_csv, as_posts, seven_zip

from dedup.dumps import DumpOptions
from dedup.errors import DumpError


def test_posts_among_the_files_of_a_site(read):
    members = {"Badges.xml": b"<badges/>", "Posts.xml": as_posts(QUESTIONS), "Tags.xml": b"<tags/>"}
    assert read("site.7z", seven_zip(members)) == QUESTIONS


def test_posts_in_a_folder(read):
    assert read("site.7z", seven_zip({"site/posts.XML": as_posts(QUESTIONS), "site/Tags.xml": b"<tags/>"})) == QUESTIONS


def test_the_only_file_whatever_its_name(read):
    assert read("site.7z", seven_zip({"questions.csv": as_csv(QUESTIONS)})) == QUESTIONS


def test_the_members_name_is_the_hint(read):
    with pytest.raises(DumpError, match=r"site\.7z: looks like csv, read as parquet; use --format csv"):
        read("site.7z", seven_zip({"questions.parquet": as_csv(QUESTIONS)}))


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (
            ["a.csv", "b.csv"],
            DumpOptions(),
            r"it holds a\.csv, b\.csv; expected one file or one of Posts\.xml, PostLinks\.xml",
        ),
        (
            ["a/Posts.xml", "b/Posts.xml"],
            DumpOptions(),
            r"it holds a/Posts\.xml, b/Posts\.xml; expected one file or one of",
        ),
        (
            ["Posts.xml", "b.csv"],
            DumpOptions(format="csv"),
            r"it holds Posts\.xml, b\.csv; expected one file or one of none",
        ),
    ],
)
def test_a_choice_that_is_not_clear_is_refused(read, names, options, message):
    packed = seven_zip(dict.fromkeys(names, b"id,text\n"))
    with pytest.raises(DumpError, match=r"site\.7z: cannot tell which member of the 7z archive to read; " + message):
        read("site.7z", packed, options)


def test_an_archive_of_nothing_is_refused(read):
    with pytest.raises(DumpError, match=r"site\.7z: .*7z archive"):
        read("site.7z", seven_zip({}))


def test_an_encrypted_archive_is_refused(read):
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w", password="secret") as archive:
        archive.writestr(as_csv(QUESTIONS), "a.csv")
    with pytest.raises(DumpError, match=r"site\.7z: the 7z archive is encrypted; unpack it first"):
        read("site.7z", packed.getvalue())


def test_an_archive_with_an_encrypted_header_is_refused(read):
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w", password="secret", header_encryption=True) as archive:
        archive.writestr(as_csv(QUESTIONS), "a.csv")
    with pytest.raises(DumpError, match=r"site\.7z: the 7z archive is encrypted; unpack it first"):
        read("site.7z", packed.getvalue())


@pytest.mark.parametrize("kept", [6, 20, 40, 150, -1])
def test_a_cut_archive(read, kept):
    packed = seven_zip({"a.csv": as_csv(QUESTIONS)})
    with pytest.raises(
        DumpError, match=r"site\.7z: the 7z archive is cut short or damaged \(.*\); read 0 records before"
    ):
        read("site.7z", packed[:kept])


@pytest.mark.parametrize("method", [py7zr.FILTER_LZMA, py7zr.FILTER_BZIP2, py7zr.FILTER_PPMD, py7zr.FILTER_DEFLATE])
def test_other_methods_than_lzma2(read, method):
    settings = {"order": 6, "mem": 16} if method == py7zr.FILTER_PPMD else {}
    packed = io.BytesIO()
    with py7zr.SevenZipFile(packed, "w", filters=[{"id": method, **settings}]) as archive:
        archive.writestr(as_csv(QUESTIONS * 2_000), "a.csv")
    assert read("site.7z", packed.getvalue()) == QUESTIONS * 2_000
