"""Stack Exchange's published dumps: Posts.xml holds the questions, PostLinks.xml which were closed as duplicates.

Source: https://meta.stackexchange.com/questions/2677 (the schema of the dumps).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dedup.dumps.compression import BrokenStream, Opened
from dedup.dumps.detection import Signs, root_element
from dedup.dumps.html_text import plain_text
from dedup.dumps.options import DumpOptions
from dedup.dumps.rows import id_fault, parse_created, parse_tags, parse_whole, rejected, string_fault
from dedup.questions import Label, Question, Rejected

if TYPE_CHECKING:
    from lxml.etree import _Element

POSTS_SIGNS = Signs((".xml",), lambda head: root_element(head) == "posts", is_text=False)
POSTLINKS_SIGNS = Signs((".xml",), lambda head: root_element(head) == "postlinks", is_text=False)

_QUESTION = "1"
"""PostTypeId: 1 is a question, 2 an answer, the others are wiki pages and the like."""
_DUPLICATE = "3"
"""LinkTypeId: 1 is a mention, 3 says that PostId was closed as a duplicate of RelatedPostId."""


def read_posts(opened: Opened, options: DumpOptions) -> Iterator[Question | Rejected]:
    """Read the questions of a Posts.xml. Raises BrokenStream where the XML ends too early or is malformed."""
    for number, row in _rows(opened):
        if row.get("PostTypeId") != _QUESTION:
            continue
        own_id, title = row.get("Id"), row.get("Title")
        fault = string_fault(title, "Title") or id_fault(own_id, "Id")
        if fault is not None:
            yield rejected(opened.file, number, fault, (own_id, title, row.get("Body")))
            continue
        assert own_id is not None
        assert title is not None
        body = plain_text(row.get("Body", "")) if options.with_body else ""
        yield Question(
            own_id,
            f"{title}\n\n{body}" if body else title,
            options.source,
            parse_created(row.get("CreationDate")),
            parse_whole(row.get("Score")),
            parse_whole(row.get("ViewCount")),
            parse_tags(row.get("Tags")),
            number,
        )


def read_postlinks(opened: Opened, options: DumpOptions) -> Iterator[Label | Rejected]:
    """Read the duplicates of a PostLinks.xml. Raises BrokenStream where the XML ends too early or is malformed."""
    for number, row in _rows(opened):
        if row.get("LinkTypeId") != _DUPLICATE:
            continue
        left, right = row.get("PostId"), row.get("RelatedPostId")
        fault = id_fault(left, "PostId") or id_fault(right, "RelatedPostId")
        if fault is not None:
            yield rejected(opened.file, number, fault, (left, right))
            continue
        assert left is not None
        assert right is not None
        yield Label(left, right, True, options.source)


def _rows(opened: Opened) -> Iterator[tuple[int, _Element]]:
    """Yield the row elements with their numbers, from 1; each is gone when the next is asked for."""
    from lxml import etree

    elements = etree.iterparse(
        opened.stream,
        events=("end",),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    number = 0
    try:
        for _, element in elements:
            if element.tag == "row":
                number += 1
                yield number, element
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]  # the tree would otherwise grow by an empty element a row
    except etree.XMLSyntaxError as fault:
        raise BrokenStream(f"the XML is cut short or malformed ({fault.msg})") from fault
