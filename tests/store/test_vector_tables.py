"""A table of vectors in PostgreSQL: what a search in it passes over, and how its graph is made."""

from __future__ import annotations

import numpy as np
import pytest

from dedup.index import TableIndex
from dedup.questions import Metric
from dedup.store import Store


@pytest.fixture
def database_kind() -> str:
    return "postgresql"


def test_the_dead_and_the_rows_of_later_generations_are_passed_over(database_url: str) -> None:
    random = np.random.default_rng(5)
    vectors = random.normal(size=(400, 16)).astype(np.float32)
    with Store.open(database_url) as store:
        table = store.create_vectors("generation-rows", vectors, Metric.EUCLIDEAN, graph=True, advance=abs)
        dead = np.zeros(300, dtype=bool)
        dead[:90] = True
        index = TableIndex(table, Metric.EUCLIDEAN, 1.0, 40, dead)
        found = index.search(vectors[:20], 5)
        assert found.rows.min() >= 90
        assert found.rows.max() < 300
        expected = np.sort(np.linalg.norm(vectors[:20, None] - vectors[None, 90:300], axis=2), axis=1)[:, :5]
        np.testing.assert_allclose(found.distance, expected, rtol=1e-5)
        table.append(400, np.repeat(vectors[:1], 60, axis=0))
        assert np.isfinite(index.search(vectors[:1], 210).distance).all(), "all that are alive, behind 60 nearer ones"


def test_how_far_a_graph_is_is_told_while_it_is_made(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dedup.store.vectors._ASKED_EVERY", 0.01)
    vectors = np.random.default_rng(5).normal(size=(6000, 64)).astype(np.float32)
    told: list[int] = []
    with Store.open(database_url) as store:
        for graph in (True, False):
            told.clear()
            store.create_vectors(f"generation-{graph}", vectors, Metric.EUCLIDEAN, graph=graph, advance=told.append)
            assert sum(told) == 6000
            assert (sum(count > 0 for count in told) > 1) == graph


def test_a_graph_that_outgrows_the_memory_of_the_server_is_warned_of(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    vectors = np.random.default_rng(5).normal(size=(3000, 384)).astype(np.float32)
    with Store.open(database_url) as store:
        for name, most, warned in (("fits", 2 << 30, 0), ("outgrows", 1 << 20, 1)):
            monkeypatch.setattr("dedup.store.vectors._MOST_MEMORY", most)
            monkeypatch.setattr("dedup.store.vectors._OF_A_NODE", 40_000 if warned else 1224)
            caplog.clear()
            store.create_vectors(f"generation-{name}", vectors, Metric.EUCLIDEAN, graph=True, advance=abs)
            assert [record.levelname for record in caplog.records] == ["WARNING"] * warned
