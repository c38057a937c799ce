"""Codes in pieces, against the whole index that they were cut from."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
import pytest

from dedup.index import pieces
from dedup.index.pieces import Pieces


@pytest.fixture(scope="module")
def index() -> faiss.IndexPQFastScan:
    vectors = np.random.default_rng(11).normal(size=(3_001, 32)).astype(np.float32)
    index = faiss.IndexPQFastScan(32, 16, 4)
    index.train(vectors[:1024])
    index.add(vectors)
    return index


@pytest.fixture
def cut(index: faiss.IndexPQFastScan, monkeypatch: pytest.MonkeyPatch) -> Pieces:
    monkeypatch.setattr(pieces, "_ROWS", 1_000)
    return Pieces(index)


QUERIES = np.random.default_rng(12).normal(size=(40, 32)).astype(np.float32)


@pytest.mark.parametrize("k", [1, 10, 700, 3_001, 3_100])
def test_they_propose_what_the_whole_does(index: faiss.IndexPQFastScan, cut: Pieces, k: int) -> None:
    near, rows = index.search(QUERIES, k)
    proposed = cut.propose(QUERIES, k)
    assert proposed.shape == rows.shape
    for at, last in enumerate(near[:, -1]):
        clear = set(rows[at][near[at] < last].tolist())  # of equally near ones at the end either may be proposed
        assert clear <= set(proposed[at].tolist())
        assert len(set(proposed[at][proposed[at] >= 0].tolist())) == min(k, index.ntotal)


def test_an_answer_does_not_depend_on_what_is_asked_beside_it(cut: Pieces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "_cores", lambda: 3)
    together = cut.propose(QUERIES, 50)
    with ThreadPoolExecutor(8) as threads:
        alone = list(threads.map(lambda at: cut.propose(QUERIES[at : at + 1], 50)[0], range(len(QUERIES))))
    np.testing.assert_array_equal(together, np.array(alone))


def test_a_small_index_is_one_piece(index: faiss.IndexPQFastScan) -> None:
    np.testing.assert_array_equal(Pieces(index).propose(QUERIES, 20), index.search(QUERIES, 20)[1])
