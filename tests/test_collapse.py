"""Exact copies collapse to one row and come back as pairs."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.collapse import as_question_pairs, collapse
from dedup.questions import Pairs
from dedup.text import key_array, key_bytes

QUESTIONS = st.dictionaries(st.integers(0, 2**63 - 1), st.integers(0, 5), min_size=1, max_size=20)


@repeatable
@given(QUESTIONS, st.randoms(use_true_random=False))
def test_pairs_of_rows_and_copies_come_back_as_pairs_of_questions(text_of, random):
    ordered = sorted(text_of, key=lambda number: (text_of[number], number))
    texts = collapse(np.array(ordered), key_array(bytes([text_of[number]] * 16) for number in ordered))
    distinct = sorted(set(text_of.values()))
    assert [key[0] for key in key_bytes(texts.keys)] == distinct
    smallest = [min(number for number in text_of if text_of[number] == text) for text in distinct]

    rows = [(i, j) for i in range(len(distinct)) for j in range(i + 1, len(distinct)) if random.random() < 0.5]
    left, right = (np.array([pair[side] for pair in rows], dtype=np.int64) for side in (0, 1))
    distance = np.arange(len(rows), dtype=np.float32) + 1
    found = as_question_pairs(
        texts, np.array(ordered), Pairs(left, right, distance), 1 / (distance.astype(np.float64) + 1)
    )

    expected = {tuple(sorted((smallest[i], smallest[j]))): (n + 1.0, 1 / (n + 2.0)) for n, (i, j) in enumerate(rows)}
    for number in text_of:
        representative = smallest[distinct.index(text_of[number])]
        if number != representative:
            expected[representative, number] = (0.0, 1.0)
    told = zip(found.distance.tolist(), found.probability.tolist(), strict=True)
    assert dict(zip(zip(found.left.tolist(), found.right.tolist(), strict=True), told, strict=True)) == expected
