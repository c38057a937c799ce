"""The tables of docs/performance.md, between its markers, from results.json: `make bench-docs`.

python -m benchmarks.tables RESULTS DOCUMENT
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from benchmarks.chart import draw
from benchmarks.competitors import Task
from benchmarks.lines import Line, Point, Results, read_results

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
_NONE = ""
_METRICS = {"euclidean": "L2", "manhattan": "L1", "cosine": "cosine", "jaccard": "Jaccard"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("results", type=Path)
    parser.add_argument("document", type=Path)
    asked = parser.parse_args()
    results, text = read_results(asked.results), asked.document.read_text("utf-8")
    picture = asked.document.with_suffix(".svg")
    picture.write_text(draw(results), "utf-8")
    shown = f"![Seconds by number of questions; the tables have the figures]({picture.name})"
    asked.document.write_text(with_tables(text, f"{shown}\n\n{describe(results)}"), "utf-8")


def with_tables(document: str, tables: str) -> str:
    """Return a document with ``tables`` in the place of what is between its markers.

    Raises
    ------
    ValueError
        If it has not one pair of markers.
    """
    before, begin, rest = document.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after:
        raise ValueError(f"the document has not one {BEGIN} with {END} after it; put them where the tables belong")
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


def describe(results: Results) -> str:
    """Return all tables, and what they were measured on, as Markdown."""
    sections = (
        _conditions(results),
        "### Questions in, clusters out\n\n" + _whole(results),
        "### Again, and one question\n\n" + _follow_ups(results),
        "### Vectors in, pairs out\n\n" + _joins(results),
        "### Where the time goes\n\n" + _stages(results),
    )
    return "\n\n".join(sections)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: tuple[int, ...] = (0,)) -> str:
    """Return a table in Markdown; its columns are figures, to the right, but for those of ``words``."""
    kinds = ["---" if at in words else "---:" for at in range(len(header))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (header, kinds, *rows))


def _conditions(results: Results) -> str:
    machine, conditions = results.machine, results.conditions
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    return (
        f"{machine['processor']}, {conditions['threads']} of {machine['cores']} cores "
        f"({', '.join(machine['flags'])}), {machine['memory_gib']:g} GiB; questions of {conditions['dump']}. "
        f"{versions}.\n\n"
        f"≈ marks what was not measured, because it would take longer than {conditions['limit_seconds']:g} s: it is "
        "extrapolated by the power law through the two largest sizes that were. > marks what was ended before it was "
        "done."
    )


def _whole(results: Results) -> str:
    with_f1 = any(line.labelled is not None and line.labelled.scores for line in results.of(Task.WHOLE))
    header = ["", "", *(f"{size:,}" for size in results.sizes), "questions/s", "peak memory"]
    rows = []
    for line in results.of(Task.WHOLE):
        done = line.largest
        speed = f"{done.size / done.seconds:,.0f}" if done is not None and done.seconds else _NONE
        row = [_title(line), line.first.about, *_seconds(line, results), speed, _peak(line)]
        rows.append([*row, _f1(line)] if with_f1 else row)
    header = [*header, "F1"] if with_f1 else header
    note = (
        "\n\nF1: pairwise, of the clusters of the labelled pairs' own questions, at each one's own default threshold."
        if with_f1
        else ""
    )
    return (
        table(header, rows, (0, 1))
        + "\n\nSeconds by number of questions; speed and memory at the largest measured."
        + note
    )


def _joins(results: Results) -> str:
    header = ["", *(f"{size:,}" for size in results.sizes), "recall", "peak memory"]
    rows = []
    for line in results.of(Task.JOIN):
        done = line.largest
        recall = f"{done.recall:.4f}" if done is not None and done.recall is not None else _NONE
        rows.append([_title(line), *_seconds(line, results), recall, _peak(line)])
    return (
        table(header, rows)
        + "\n\nSeconds without reading the vectors. Recall: of the pairs under the cut-off that a sample of 1,024 "
        "questions is part of, against exact search; at the largest size measured."
    )


def _follow_ups(results: Results) -> str:
    rows = []
    for line in results.of(Task.WHOLE):
        for point in line.points:
            if point.measured is None or not point.measured.follow_ups:
                continue
            found = point.measured.follow_ups
            times = [f"{found[name].seconds:.2f}" if name in found else _NONE for name in ("rerun", "query")]
            rows.append([_title(line), f"{point.size:,}", *times])
    header = ["", "questions", "the same run again, s", "`dedup query`, process start to answer, s"]
    return table(header, rows)


def _stages(results: Results) -> str:
    rows = []
    for line in results.of(Task.WHOLE):
        done = line.largest
        if done is not None and done.seconds:
            inside = ", ".join(f"{stage} {seconds:.1f}" for stage, seconds in done.stages.items() if seconds >= 0.05)
            rows.append([_title(line), f"{done.size:,}", f"{done.seconds:.1f}", inside])
    return table(["", "questions", "seconds", "by stage"], rows, (0, 3))


def _title(line: Line) -> str:
    return f"{line.first.title}, {line.first.tier}, {_METRICS.get(line.first.metric, line.first.metric)}"


def _seconds(line: Line, results: Results) -> list[str]:
    return [_cell(line.at(size)) for size in results.sizes]


def _cell(point: Point | None) -> str:
    if point is None:
        return _NONE
    digits = 2 if point.seconds < 10 else 0 if point.seconds >= 100 else 1
    return f"{point.mark}{point.seconds:,.{digits}f}"


def _peak(line: Line) -> str:
    return _NONE if line.largest is None else f"{line.largest.peak_mib:,.0f} MiB"


def _f1(line: Line) -> str:
    scores = {} if line.labelled is None else line.labelled.scores
    return f"{scores['f1']:.3f}" if scores else _NONE


if __name__ == "__main__":
    main()
