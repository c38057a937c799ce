"""Bodies as plain text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dedup.dumps.html_text import plain_text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", ""),
        (" \n", ""),
        ("just text", "just text"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("<ul><li>a</li><li>b</li></ul>after", "a\nb\nafter"),
        ("a<br>b<br/>c", "a\nb\nc"),
        ("<p>a <em>b</em>c</p>", "a bc"),
        ("<pre><code>x = 1\n\n  y = 2</code></pre>", "x = 1\ny = 2"),
        ("a<blockquote><p>b</p></blockquote>c", "a\nb\nc"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a\nb"),
        ("1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("<p>a<!-- hidden -->b</p>", "ab"),
        ("<p>unclosed <b>tags", "unclosed tags"),
        ('<?xml version="1.0" encoding="latin-1"?><p>naïve</p>', "naïve"),
        ("日本語 <i>と</i> 😀", "日本語 と 😀"),
    ],
)
def test_what_a_reader_reads(body, expected):
    assert plain_text(body) == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_gives_lines_without_blanks_around_them(body):
    assert all(line == " ".join(line.split()) != "" for line in plain_text(body).split("\n") if plain_text(body))


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1), min_size=1))
def test_paragraphs_are_lines(words):
    assert plain_text("".join(f"<p>{word}</p>" for word in words)) == "\n".join(words)
