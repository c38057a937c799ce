"""Stack Exchange's Posts.xml and PostLinks.xml."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dedup.dumps import DumpOptions, read_dump
from dedup.dumps.rows import string_fault
from dedup.errors import DumpError
from dedup.questions import Label, Question, Rejected

XML_CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from(
    "\t\n"
)
TEXTS = st.text(XML_CHARACTERS).filter(lambda text: string_fault(text, "text") is None)


def posts(*rows: str) -> bytes:
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<posts>", *(f"  <row {row} />" for row in rows), "</posts>"]
    return "\n".join(lines).encode()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_arbitrary_texts_round_trip(dump, pairs):
    rows = [f'PostTypeId="1" Id={quoteattr(own_id)} Title={quoteattr(text)}' for own_id, text in pairs]
    records = read_dump(dump("Posts.xml", posts(*rows)), DumpOptions())
    assert [(record.id, record.text) for record in records] == pairs


def test_a_question_as_published(read):
    row = (
        'Id="1" PostTypeId="1" AcceptedAnswerId="18" CreationDate="2018-03-12T17:00:45.567" Score="52" '
        'ViewCount="1163" Body="&lt;p&gt;Really?&lt;/p&gt;" OwnerUserId="10" Title="Can it?" Tags="{}" AnswerCount="3"'
    )
    expected = Question(
        "1", "Can it?", "default", datetime(2018, 3, 12, 17, 0, 45, 567000, UTC), 52, 1163, ("a", "b-c")
    )
    assert read("Posts.xml", posts(row.format("&lt;a&gt;&lt;b-c&gt;"))) == [expected]
    assert read("Posts.xml", posts(row.format("|a|b-c|"))) == [expected]


def test_only_questions_are_taken(read):
    kinds = [f'Id="{kind}" PostTypeId="{kind}" Title="Kind {kind}"' for kind in range(1, 8)]
    assert [record.id for record in read("Posts.xml", posts(*kinds, 'Id="9" Title="None"'))] == ["1"]


def test_rows_at_fault(dump):
    content = posts(
        'Id="1" PostTypeId="1" Title="Why?" Score="abc" CreationDate="bad" ViewCount=""',
        'Id="2" PostTypeId="2"',
        'Id="3" PostTypeId="1" Body="no title"',
        'PostTypeId="1" Title="no id"',
        'Id="5" PostTypeId="1" Title=" "',
        'Id="6" PostTypeId="1" Title="How?"',
    )
    path = dump("Posts.xml", content)
    assert list(read_dump(path, DumpOptions())) == [
        Question("1", "Why?"),
        Rejected(path, 3, "no Title", "3 | no title"),
        Rejected(path, 4, "no Id", "no id"),
        Rejected(path, 5, "the Title is empty", "5 |  "),
        Question("6", "How?"),
    ]


def test_ids_longer_than_600_bytes(dump):
    own_id = "1" * 601
    path = dump("Posts.xml", posts(f'Id="{own_id}" PostTypeId="1" Title="Why?"'))
    assert list(read_dump(path, DumpOptions())) == [Rejected(path, 1, "the Id is longer than 600 bytes", "1" * 200)]
    links = f'<postlinks><row PostId="1" RelatedPostId="{own_id}" LinkTypeId="3"/></postlinks>'
    path = dump("PostLinks.xml", links.encode())
    assert list(read_dump(path, DumpOptions())) == [
        Rejected(path, 1, "the RelatedPostId is longer than 600 bytes", "1 | " + "1" * 196)
    ]


def test_with_body_the_text_is_title_and_plain_body(read):
    body = quoteattr("<p>Because <b>of</b> x &lt; y.</p><p>So.</p>")
    content = posts(
        f'Id="1" PostTypeId="1" Title="Why?" Body={body}',
        'Id="2" PostTypeId="1" Title="How?"',
        'Id="3" PostTypeId="1" Title="Who?" Body="&lt;p&gt; &lt;/p&gt;"',
    )
    texts = [record.text for record in read("Posts.xml", content, DumpOptions(with_body=True))]
    assert texts == ["Why?\n\nBecause of x < y.\nSo.", "How?", "Who?"]


def test_links_that_say_duplicate_are_labels(dump):
    content = (
        b'<postlinks><row Id="1" PostId="2" RelatedPostId="1" LinkTypeId="3"/>'
        b'<row PostId="3" RelatedPostId="1" LinkTypeId="1"/><row PostId="4" LinkTypeId="3"/>'
        b'<row RelatedPostId="4" LinkTypeId="3"/></postlinks>'
    )
    path = dump("PostLinks.xml", content)
    assert list(read_dump(path, DumpOptions())) == [
        Label("2", "1", True),
        Rejected(path, 3, "no RelatedPostId", "4"),
        Rejected(path, 4, "no PostId", "4"),
    ]


class TestBreaks:
    ROWS = tuple(f'Id="{number}" PostTypeId="1" Title="Question {number}?"' for number in range(5_000))

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda content: content[: len(content) * 3 // 4],
            lambda content: content[:-1],
            lambda content: content.replace(b'Id="4000"', b"Id=4000"),
            lambda content: content.replace(b"Question 4000", b"Question &nbsp;"),
            lambda content: content.replace(b"Question 4000", b"Question \xff"),
            lambda content: content.replace(b"Question 4000", b"Question \x00"),
            lambda content: content.replace(b"Question 4000", b"Question &#0;"),
            lambda content: content.replace(b"Question 4000", b"a" * 11_000_000),
            lambda content: content + b"<posts/>",
        ],
    )
    def test_xml_that_ends_too_early_or_is_malformed(self, dump, spoil):
        path = dump("Posts.xml", spoil(posts(*self.ROWS)))
        read = []
        with pytest.raises(DumpError) as caught:
            read.extend(read_dump(path, DumpOptions()))
        message = str(caught.value)
        assert message.startswith(f"{path}: the XML is cut short or malformed (")
        assert message.endswith("records before that; get the file anew")
        assert "\n" not in message

    def test_what_was_read_before_is_counted(self, dump):
        path = dump("Posts.xml", posts(*self.ROWS)[:-200_000])
        records = read_dump(path, DumpOptions())
        read = []
        with pytest.raises(DumpError) as caught:
            read.extend(records)
        assert f"; read {len(read):,} records before that" in str(caught.value)
        assert [record.id for record in read] == [str(number) for number in range(len(read))]
        assert len(read) > 500


class TestEntities:
    LAUGHS = "".join(f'<!ENTITY l{depth} "{f"&l{depth - 1};" * 10}">' for depth in range(1, 12))

    @pytest.mark.parametrize(
        "doctype",
        [
            f'<!DOCTYPE posts [<!ENTITY l0 "ha">{LAUGHS}]>',
            '<!DOCTYPE posts [<!ENTITY l11 SYSTEM "file://{secret}">]>',
            '<!DOCTYPE posts SYSTEM "http://localhost:9/x.dtd">',
            "<!DOCTYPE posts>",
            "<!-- first a comment -->\n<?and an instruction?>\n<!DOCTYPE posts>",
        ],
    )
    @pytest.mark.parametrize("place", ['<row Id="1" PostTypeId="1" Title="&l11;"/>', "&l11;", ""])
    def test_a_doctype_is_refused_before_anything_is_read(self, dump, doctype, place):
        secret = dump("secret", b"the secret")
        content = f'<?xml version="1.0"?>{doctype.replace("{secret}", secret)}<posts>{place}</posts>'
        started = time.monotonic()
        with pytest.raises(DumpError, match=r"Posts\.xml: declares a DOCTYPE; entities are not resolved") as caught:
            list(read_dump(dump("Posts.xml", content.encode()), DumpOptions(format="posts-xml")))
        assert time.monotonic() - started < 5
        assert "the secret" not in str(caught.value)

    def test_a_doctype_further_down_than_is_looked_at_is_refused(self, read):
        content = b"<!--" + b" " * 70_000 + b'--><!DOCTYPE posts [<!ENTITY a "b">]><posts></posts>'
        with pytest.raises(
            DumpError, match=r"Posts\.xml: looks like XML whose root element is not within its first 64 KiB"
        ):
            read("Posts.xml", content)

    def test_an_entity_without_a_declaration_is_malformed(self, read):
        with pytest.raises(
            DumpError, match=r"Posts\.xml: the XML is cut short or malformed \(.*\); read 0 records before"
        ):
            read("Posts.xml", b'<posts><row Id="1" PostTypeId="1" Title="&a;"/></posts>')
