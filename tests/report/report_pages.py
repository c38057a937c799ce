"""A page read back: as strict XML, its sections, what they say."""

from lxml import etree

from dedup.report import RunReport, render_report


def parsed(report: RunReport) -> etree._Element:
    """Read the page as XML, which forgives nothing: every element closed, every attribute quoted."""
    return etree.fromstring(render_report(report).encode(), etree.XMLParser(huge_tree=True))


def said(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


def section(page: etree._Element, heading: str) -> etree._Element:
    (found,) = (part for part in page.iter("section") if said(part.find("h2")) == heading)
    return found


def rows(part: etree._Element) -> list[list[str]]:
    return [[said(cell) for cell in row] for row in part.iterfind(".//tbody/tr")]


def classed(part: etree._Element, name: str) -> list[etree._Element]:
    return [element for element in part.iter() if name in (element.get("class") or "").split()]


def percent(element: etree._Element, attribute: str) -> float:
    return float(element.get(attribute).removesuffix("%"))
