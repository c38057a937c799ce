"""Tasks are spread over the cores and give their results in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import faiss
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from dedup.cores import ahead, core_count, one_core_a_thread, spread


@pytest.fixture(params=[1, 2, 3])
def cores(request: pytest.FixtureRequest) -> Iterator[int]:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(request.param)
    yield request.param
    faiss.omp_set_num_threads(before)


@pytest.mark.parametrize("tasks", [0, 1, 2, 50])
def test_results_come_in_the_order_of_the_tasks(cores: int, tasks: int) -> None:
    assert core_count() == cores
    assert list(spread(lambda task: task * task, range(tasks))) == [task * task for task in range(tasks)]


def test_as_many_tasks_are_under_way_as_there_are_cores(cores: int) -> None:
    together = threading.Barrier(cores)  # each waits until all the others are there too
    list(spread(lambda _: together.wait(timeout=60), range(4 * cores)))


def test_what_goes_wrong_in_a_task_is_raised_and_ends_the_rest(cores: int) -> None:
    done = []

    def work(task: int) -> None:
        if task == 3:
            raise ValueError("the fourth")
        done.append(task)

    with pytest.raises(ValueError, match="the fourth"):
        list(spread(work, range(1000)))
    assert len(done) < 100


def test_libraries_have_one_core_in_each_task_and_their_own_number_again_afterwards(cores: int) -> None:
    before = torch.get_num_threads()
    seen = set(spread(lambda _: (faiss.omp_get_max_threads(), torch.get_num_threads()), range(20)))
    assert seen == ({(1, 1)} if cores > 1 else {(1, before)})
    assert (faiss.omp_get_max_threads(), torch.get_num_threads()) == (cores, before)


def test_a_process_that_answers_has_one_core_in_each_of_its_threads() -> None:
    with threadpool_limits(2, user_api="blas"):  # which gives back what was before
        one_core_a_thread()
        assert {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"} == {1}


def test_what_is_made_ahead_comes_in_order_and_an_error_in_its_turn() -> None:
    def made() -> Iterator[int]:
        yield from range(3)
        raise ValueError("at the end")

    coming = ahead(made())
    assert [next(coming) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="at the end"):
        next(coming)
    assert list(ahead(iter(()))) == []


def test_the_next_is_made_while_one_is_used() -> None:
    asked = [threading.Event() for _ in range(3)]

    def made() -> Iterator[int]:
        for number, event in enumerate(asked):
            event.set()
            yield number

    for number in ahead(made()):
        assert all(event.wait(10) for event in asked[: number + 2])
