"""Labelled pairs of short questions, as files."""

from __future__ import annotations

from pathlib import Path

from corpora import write_csv

HEADER = ("qid1", "qid2", "question1", "question2", "is_duplicate")


def write_pairs(file: Path, *, hard: bool = True) -> str:
    """Write 40 pairs that each have their own words; where ``hard``, every fifth label is the other one."""
    words = [
        f"{a}{b}"
        for a in ("bo", "la", "mi", "tu")
        for b in ("rk", "zz", "pe", "ko", "ry", "nd", "st", "ck", "wy", "xo")
    ]
    rows = []
    for n, word in enumerate(words):
        alike = n % 2 == 0
        other = f"how do I cook {word} well" if alike else f"where does the {word[::-1]} live in winter"
        label = alike != (hard and n % 5 == 0)
        rows.append((f"a{n}", f"b{n}", f"how to cook {word}", other, int(label)))
    return write_csv(file, rows, HEADER)
