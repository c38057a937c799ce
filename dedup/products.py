"""Inner products of blocks of vectors, by the fastest arithmetic at hand, with a bound on their error.

They say which vectors *may* be near each other; what is near is decided by distances that are measured one by one. So a
product may be off, if it is known by how much: whoever looks for the products of at least 0 finds all of them, and some
that are a little under it.

The bound, for vectors x and y that were rounded to x + e and y + f: by Cauchy and Schwarz the inner product moves by at
most |e||y| + |x||f| + |e||f|, and summing d products in single precision adds at most d 2^-24 |x + e||y + f| (Higham,
"Accuracy and Stability of Numerical Algorithms", section 3.1). |e| and |f| are not estimated but measured, as the
vectors are rounded. In bfloat16 (8 bits) they are about .0017 for unit vectors, .0039 at the most.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dedup.meters import multiplied
from dedup.questions import Float32, Int64

_WORTH_TORCH = 5e10
"""Multiplications from which bfloat16 saves more than the second and a half that importing torch takes."""

_ROUNDING = float(np.finfo(np.float32).eps) / 2  # 2^-24
_MULTIPLE = 32  # columns that the matrix units take at once; vectors are filled up to a multiple of it with zeros


@dataclass(frozen=True, slots=True)
class Operand:
    """A block of vectors, ready to be multiplied."""

    values: NDArray[Any]  # (at least count, padded dimension), in the arithmetic's own kind of number
    count: int
    length: float  # of the longest vector
    rounded: float  # the most that rounding moved a vector: a Euclidean distance

    def take(self, rows: Int64) -> Operand:
        """Return the vectors of some rows, in an array that has a few more: of many lengths it makes a few.

        torch prepares each multiplication of two shapes anew, which takes longer than multiplying small ones.
        """
        values = np.empty((_common_size(len(rows)), self.values.shape[1]), dtype=self.values.dtype)
        np.take(self.values, rows, axis=0, out=values[: len(rows)], mode="clip")
        values[len(rows) :] = 0
        return Operand(values, len(rows), self.length, self.rounded)


def _common_size(rows: int) -> int:
    """Return the next number of three leading bits, 32 at the least."""
    step = 1 << max(3, rows.bit_length() - 3)
    return max(32, -(-rows // step) * step)


class Arithmetic(Protocol):
    """One way to multiply blocks of vectors."""

    def operand(self, vectors: Float32) -> Operand:
        """Return ``vectors``, (n, d), as this arithmetic takes them."""

    def not_negative(self, left: Operand, right: Operand) -> NDArray[np.bool_]:
        """Tell which inner products may be at least 0, (n, m): all that are, and those that are by their error."""

    def largest(self, left: Operand, right: Operand, k: int) -> tuple[Int64, Int64]:
        """Return pairs of a row of ``left`` and one of ``right``: for each of left, the k of the largest product.

        And those that may be by their error; sorted by (left, right).
        """


def arithmetic_for(multiplications: float) -> Arithmetic:
    """Return bfloat16 where the processor has it and there is enough to do, else single precision."""
    if has_bfloat16() and (multiplications >= _WORTH_TORCH or "torch" in sys.modules):
        return Bfloat16()
    return Single()


@cache
def has_bfloat16() -> bool:
    """Tell whether the processor multiplies bfloat16 numbers faster than single ones, as far as it says so."""
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


class Single:
    """Single precision, through NumPy's BLAS."""

    def operand(self, vectors: Float32) -> Operand:
        """See `Arithmetic.operand`."""
        return Operand(vectors, len(vectors), _longest(vectors), 0.0)

    def not_negative(self, left: Operand, right: Operand) -> NDArray[np.bool_]:
        """See `Arithmetic.not_negative`."""
        return np.asarray(self._products(left, right) >= np.float32(-_error(left, right)))

    def largest(self, left: Operand, right: Operand, k: int) -> tuple[Int64, Int64]:
        """See `Arithmetic.largest`."""
        products = self._products(left, right)
        bound = _kth_largest(products, k) - np.float32(2 * _error(left, right))
        return _places(products >= bound[:, None])

    @staticmethod
    def _products(left: Operand, right: Operand) -> Float32:
        products: Float32 = left.values[: left.count] @ right.values[: right.count].T
        multiplied(2.0 * products.size * left.values.shape[1], "fp32")
        return products


class Bfloat16:
    """Numbers of 8 significant bits, through the matrix units that torch knows how to use."""

    def operand(self, vectors: Float32) -> Operand:
        """See `Arithmetic.operand`."""
        import torch

        rows, dimension = vectors.shape
        padded = torch.zeros((rows, -(-dimension // _MULTIPLE) * _MULTIPLE), dtype=torch.bfloat16)
        exact = torch.from_numpy(vectors)
        padded[:, :dimension] = exact
        rounded = padded[:, :dimension].float().sub_(exact).numpy()
        return Operand(padded.view(torch.int16).numpy(), rows, _longest(vectors), _longest(rounded))

    def not_negative(self, left: Operand, right: Operand) -> NDArray[np.bool_]:
        """See `Arithmetic.not_negative`.

        The result is rounded once more, which keeps the order: what is at least -error becomes at least -error rounded.
        Of the bits of a number read as an unsigned integer, those of negative ones come last, from -0 down.
        """
        lowest = _bits(np.array([-_error(left, right)])).view(np.uint16)[0]
        return np.asarray(self._products(left, right).view(np.uint16) <= lowest)

    def largest(self, left: Operand, right: Operand, k: int) -> tuple[Int64, Int64]:
        """See `Arithmetic.largest`."""
        products = _in_order(self._products(left, right))
        kth = _numbers(_in_order(_kth_largest(products, k)))
        bound = kth - np.abs(kth) * np.float32(2**-7) - np.float32(2 * _error(left, right))
        return _places(products >= _in_order(_bits(bound))[:, None])

    @staticmethod
    def _products(left: Operand, right: Operand) -> NDArray[np.int16]:
        import torch

        one, other = (torch.from_numpy(side.values).view(torch.bfloat16) for side in (left, right))
        bits: NDArray[np.int16] = torch.mm(one, other.T).view(torch.int16).numpy()
        products = bits[: left.count, : right.count]
        multiplied(2.0 * products.size * left.values.shape[1], "bf16")
        return products


def _bits(numbers: NDArray[np.floating[Any]]) -> NDArray[np.int16]:
    """Return numbers rounded to bfloat16, as bits."""
    import torch

    bits: NDArray[np.int16] = torch.from_numpy(numbers.astype(np.float32)).bfloat16().view(torch.int16).numpy()
    return bits


def _numbers(bits: NDArray[np.int16]) -> Float32:
    import torch

    numbers: Float32 = torch.from_numpy(bits).view(torch.bfloat16).float().numpy()
    return numbers


def _in_order(bits: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return bits of bfloat16 as integers of the same order, and the other way; in place.

    Negative numbers are ordered by their size, the wrong way round: all bits but the sign are turned.
    """
    turned = bits >> np.int16(15)
    turned &= np.int16(0x7FFF)
    bits ^= turned
    return bits


def _longest(vectors: Float32) -> float:
    return math.sqrt(float(np.einsum("nd,nd->n", vectors, vectors).max(initial=0.0)))


def _error(left: Operand, right: Operand) -> float:
    """Return by how much an inner product can be off; see the module's text.

    Twice what summing costs: what the vectors are made of (squared lengths, cut-offs) was rounded to single precision.
    """
    one, other = left.length + left.rounded, right.length + right.rounded
    summed: float = 2 * left.values.shape[1] * _ROUNDING * one * other
    return left.rounded * right.length + left.length * right.rounded + left.rounded * right.rounded + summed


def _kth_largest(products: NDArray[Any], k: int) -> NDArray[Any]:
    """Return a number of each row that is at most its k-th largest, and not much less, (n,).

    Of many columns, the k-th largest of the largest of each of 4 k groups of them.
    """
    columns, groups = products.shape[1], 4 * k
    if columns <= k:
        least: NDArray[Any] = products.min(axis=1)
        return least
    if columns >= 2 * groups:
        each = columns // groups
        products = products[:, : each * groups].reshape(len(products), each, groups).max(axis=1)
        columns = groups
    kth: NDArray[Any] = np.partition(products, columns - k, axis=1)[:, columns - k]
    return kth


def _places(marked: NDArray[np.bool_]) -> tuple[Int64, Int64]:
    """Return the row and the column of each mark, in order."""
    row, column = np.divmod(np.flatnonzero(marked), max(1, marked.shape[1]))
    return row, column
