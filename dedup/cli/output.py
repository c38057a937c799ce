"""How results are printed: JSON, tables, and texts that cannot harm a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.table import Table


_SHOWN = 160  # characters of a question; --json has all of them


def print_json(value: Any) -> None:
    """Print one JSON value; texts are kept as they are, save for what UTF-8 cannot say."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace"))


def printable(text: str) -> str:
    """Return a question as one line, not too long, without control characters: an escape sequence stays text."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def table(*columns: str) -> Table:
    """Return an empty table; columns named with a trailing '>' are numbers."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", overflow="fold")
    return made


def print_table(made: Table, width: int = 100) -> None:
    """Print a table, as wide as the terminal, or ``width`` columns where there is none."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=width)
    console.print(made)
