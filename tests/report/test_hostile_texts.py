"""Whatever a text holds, the page shows it, is not changed by it, and loads nothing."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree, html
from report_pages import classed, parsed, said
from run_reports import REPORT, changed

from dedup.profile import StageProfile, Use
from dedup.report import ClusterCard, Member, RunReport, render_report, write_report

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "</p></article></main></body></html>",
    "</style><style>* { display: none }",
    "</title></svg><!-- <![CDATA[ ]]> -->",
    "{{ 7 * 7 }}{% raw %}{# gone #}",
    "&lt;b&gt; &amp;amp; &#60; &nbsp;",
    "javascript:alert(1) https://example.org/?a=1&b=2",
    "كيف أتعلم البرمجة؟ \u202eabc\u2066",
    "如何学习编程？ 👩\u200d💻",
    "a\tb  c\n d",
)


def with_text(text: str) -> RunReport:
    """Put a text everywhere a page shows what someone else wrote."""
    member = Member(text, text, text, 0.7)
    card = ClusterCard(1, 3, 0.6, member, (member, member))
    return changed(
        version=text,
        database=text,
        generation=text,
        encoder=text,
        fingerprint=text,
        index_kind=text,
        classifier=replace(REPORT.classifier, fit={text: text}),
        stages=(StageProfile(text, 1.5, text, 7, 4.7, 1.0, Use(text, text, 1.0, 2.0)),),
        largest=(card,),
        least_certain=(card,),
        rejects={text: 11},
        rejects_file=text,
    )


def skeleton(page: etree._Element) -> list[tuple[str, tuple[str, ...]]]:
    return [(element.tag, tuple(element.attrib)) for element in page.iter()]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_shown_as_it_is_and_makes_no_element(text: str) -> None:
    page = parsed(with_text(text))
    shown = ["".join(element.itertext()) for element in classed(page, "text")]
    assert shown == [text] * 6
    assert ["".join(element.itertext()) for element in classed(page, "id")] == [text] * 6
    assert skeleton(page) == skeleton(parsed(with_text("plain")))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_browsers_parser_reads_the_same_page_as_a_strict_one(text: str) -> None:
    lenient = html.fromstring(render_report(with_text(text)).encode(), parser=html.HTMLParser(encoding="utf-8"))
    assert lenient.xpath("string(//main)") == parsed(with_text(text)).xpath("string(//main)")
    assert not lenient.xpath("//script | //img | //iframe | //object | //link | //a | //form")
    assert not [name for element in lenient.iter() for name in element.attrib if name.startswith("on")]


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cn"]), min_size=1))
def test_any_text_comes_back_and_changes_nothing_around_it(text: str) -> None:
    page = parsed(with_text(text))
    assert {"".join(element.itertext()) for element in classed(page, "text")} == {text}
    assert skeleton(page) == skeleton(parsed(with_text("plain")))


def test_what_no_page_can_hold_is_shown_as_a_replacement_character(tmp_path: Path) -> None:
    report = with_text("a\x00b\x1bc\x85d\ud800e\uffff?")
    page = etree.parse(write_report(report, tmp_path)).getroot()
    assert {said(element) for element in classed(page, "text")} == {"a�b�c�d�e�?"}


def test_the_page_refers_to_nothing_outside_itself() -> None:
    page = render_report(REPORT)
    for outside in ("http:", "https:", "//", "src=", "href", "@import", "url(", "javascript:"):
        assert outside not in page.replace(REPORT.database, ""), outside
    tags = Counter(element.tag for element in parsed(REPORT).iter())
    assert not tags.keys() & {"script", "img", "image", "link", "iframe", "object", "embed", "use", "base", "form"}
    policy = parsed(REPORT).find(".//meta[@http-equiv='Content-Security-Policy']").get("content")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline';")
