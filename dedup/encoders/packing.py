"""Questions of different lengths laid out in rows of tokens, so that hardly any place is left empty.

A question of at most `WIDTH` tokens shares a row of `WIDTH` with others; a longer one has a row to itself. Which row,
which place in it and which neighbours a question gets depends on what else is encoded, and changes nothing: attention
stays within a question, and processors multiply bf16 matrices in blocks of `WIDTH`, so that no sum is taken in another
order (in wider rows it would be: 2 questions in 100 differed by .004 in distance).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from dedup.questions import Float32, Int64

WIDTH = 32
"""How many tokens one row of short questions has. Three questions in four have at most 20 tokens."""

_STEP = 16  # rows of long questions are as wide as the next multiple of it: a register of 32-bit numbers
_NOBODY = -1


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one width, for one pass through the network."""

    tokens: NDArray[np.int32]  # (rows, width) the vocabulary's numbers; 0 in empty places
    position: NDArray[np.int32]  # (rows, width) within the question, from 0
    owner: NDArray[np.int32]  # (rows, width) which question of its row a token belongs to; -1 in empty places
    text: Int64  # (n_questions,) which of the texts, in the order of their places
    start: Int64  # (n_questions,) the place of its first token, counted through all rows
    length: Int64  # (n_questions,) how many tokens it has

    def means(self, states: Float32) -> Float32:
        """Return the mean of each question's ``states`` (rows, width, dimension), as (n_questions, dimension)."""
        owner = self.owner.reshape(-1)
        empty = np.flatnonzero((owner == _NOBODY) & (np.diff(owner, prepend=0) != 0))
        begins = np.union1d(self.start, empty)
        sums = np.add.reduceat(states.reshape(-1, states.shape[-1]), begins, axis=0)
        return np.asarray(sums[np.searchsorted(begins, self.start)] / self.length[:, None], dtype=np.float32)


def pack(tokens: Sequence[Sequence[int]], tokens_per_batch: int) -> Iterator[Batch]:
    """Lay out the tokens of each text (at least one each), the longest first, in batches of about so many places.

    The last batch of a width has as many rows as the next power of two: few shapes occur, and what the runtime
    prepares for a shape is used again.
    """
    by_width: dict[int, list[list[int]]] = defaultdict(list)
    rows_with: dict[int, list[list[int]]] = defaultdict(list)  # rows of short questions, by the places still empty
    length = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    for text in np.argsort(-length, kind="stable").tolist():
        needed = int(length[text])
        if needed > WIDTH:
            by_width[-(-needed // _STEP) * _STEP].append([text])
            continue
        room = next((room for room in range(needed, WIDTH + 1) if rows_with[room]), None)
        if room is None:
            row: list[int] = []
            by_width[WIDTH].append(row)
            room = WIDTH
        else:
            row = rows_with[room].pop()
        row.append(text)
        rows_with[room - needed].append(row)
    for width, rows in by_width.items():
        most = max(1, tokens_per_batch // width)
        for first in range(0, len(rows), most):
            some = rows[first : first + most]
            yield _laid_out(tokens, length, some, width, min(most, 1 << (len(some) - 1).bit_length()))


def _laid_out(
    tokens: Sequence[Sequence[int]], length: Int64, rows: Sequence[Sequence[int]], width: int, n_rows: int
) -> Batch:
    text = np.array([text for row in rows for text in row], dtype=np.int64)
    in_row = np.array([at for row in rows for at in range(len(row))], dtype=np.int64)
    row_of = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    lengths = length[text]
    through = np.cumsum(lengths) - lengths  # tokens before each question, empty places not counted
    start = through - through[np.flatnonzero(in_row == 0)][row_of] + row_of * width
    place = np.repeat(start - through, lengths) + np.arange(int(lengths.sum()))
    batch = Batch(
        np.zeros((n_rows, width), dtype=np.int32),
        np.zeros((n_rows, width), dtype=np.int32),
        np.full((n_rows, width), _NOBODY, dtype=np.int32),
        text,
        start,
        lengths,
    )
    batch.tokens.reshape(-1)[place] = np.fromiter(chain.from_iterable(tokens[i] for i in text), dtype=np.int32)
    batch.position.reshape(-1)[place] = place - np.repeat(start, lengths)
    batch.owner.reshape(-1)[place] = np.repeat(in_row, lengths)
    return batch
