"""The HTML of a post's body as plain text."""

from __future__ import annotations

# fmt: off
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "dd", "details", "div", "dl", "dt", "figure", "footer",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section",
    "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul",
))
# fmt: on


def plain_text(body: str) -> str:
    """Return what a reader of ``body`` reads: no mark-up, one line a block, no empty lines."""
    from lxml import etree, html

    # As bytes, because lxml refuses a string that declares an encoding, and a body may quote such a declaration.
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    root = html.document_fromstring(b"<div>" + body.encode("utf-8", "replace") + b"</div>", parser=parser)
    parts = []
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag in _BLOCKS:
            parts.append("\n")
        parts.append((element.text if event == "start" else element.tail) or "")
    lines = (" ".join(line.split()) for line in "".join(parts).splitlines())
    return "\n".join(line for line in lines if line)
