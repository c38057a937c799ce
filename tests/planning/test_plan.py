"""A plan grows with the corpus, falls with the machines, and says of the runs it was made from what they took."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from oracles import repeatable

from dedup.cli.main import cli
from dedup.errors import DedupError, SettingsError
from dedup.meters import Reading
from dedup.planning import Machines, kept_rates, plan_run, save_rates, shipped_rates
from dedup.planning.measuring import fitted
from dedup.planning.workload import EXACT_UP_TO, STARTING, TERMS, Workload
from dedup.progress import Stage
from dedup.reference import REFERENCE_SIZE

RATES = shipped_rates()
ONE = Machines(nodes=1, cores=2, memory=16e9, network=1.25e9, storage=1e9)
many = st.floats(1e3, 1e10)
nodes = st.integers(2, 500)


def machines(nodes: int, cores: int = 32) -> Machines:
    return Machines(nodes=nodes, cores=cores, memory=4e9 * cores, network=1.25e9, storage=1e9)


@repeatable
@given(st.tuples(many, many).map(sorted), nodes)
def test_more_questions_take_no_less_of_anything(questions: list[float], nodes: int) -> None:
    exact, cut = (each * RATES.distinct <= EXACT_UP_TO for each in questions)
    for given_machines in (ONE, machines(nodes)):
        if exact != cut:
            continue  # a corpus that is just large enough for cells has those to make first
        fewer, more = (plan_run(each, 384, given_machines, RATES) for each in questions)
        assert fewer.hours <= more.hours * (1 + 1e-9)
        assert fewer.database <= more.database
        assert fewer.disk <= more.disk * (1 + 1e-9)


@repeatable
@given(many, st.tuples(nodes, nodes).map(sorted))
def test_more_nodes_take_no_longer(questions: float, nodes: list[int]) -> None:
    # Where what is read holds them up, more tasks can cost more than they save: each cell is then in more bins.
    fewer, more = (plan_run(questions, 384, replace(machines(each), network=inf, storage=inf), RATES) for each in nodes)
    assert more.hours <= fewer.hours * (1 + 1e-9)


@repeatable
@given(many, st.tuples(st.integers(1, 128), st.integers(1, 128)).map(sorted))
def test_what_one_process_does_takes_as_long_on_any_number_of_cores(questions: float, cores: list[int]) -> None:
    fewer, more = (plan_run(questions, 384, machines(4, each), RATES) for each in cores)
    for before, after in zip(fewer.stages, more.stages, strict=True):
        if before.name in ("read", "cluster", "write"):
            assert before.hours == after.hours
        assert before.core_hours == after.core_hours


@repeatable
@given(many, nodes, st.sampled_from([128, 384, 768]))
def test_the_whole_is_the_sum_of_the_stages_and_shards_hold_all_texts(
    questions: float, nodes: int, dimension: int
) -> None:
    plan = plan_run(questions, dimension, machines(nodes), RATES)
    assert plan.hours == pytest.approx(sum(stage.hours for stage in plan.stages))
    assert plan.first == max(plan.stages, key=lambda stage: stage.hours).name
    assert plan.shards * plan.shard_texts >= questions * RATES.distinct * (1 - 1e-9)
    assert plan.memory_per_node <= machines(nodes).memory
    assert [stage.name for stage in plan.stages] == list(TERMS)


@repeatable
@given(many, nodes, st.sampled_from([2e9, 4e9, 16e9]))
def test_what_is_sent_is_read_and_more_memory_for_a_task_sends_no_more(
    questions: float, nodes: int, memory: float
) -> None:
    """A vector is in no more bins than the cells that it visits; a hot cell's bins are read more than once."""
    little, much = (
        plan_run(questions, 384, replace(machines(nodes), memory=each * 32), RATES) for each in (memory, 2 * memory)
    )
    for plan in (little, much):
        assert 0 <= plan.replication <= plan.visits
        assert (plan.replication == 0) == (plan.cells == 1)
    assert much.replication <= little.replication * (1 + 1e-9)
    join_of_little, join_of_much = (
        next(stage.disk_bytes for stage in plan.stages if stage.name == "join") for plan in (little, much)
    )
    assert join_of_much <= join_of_little * (1 + 1e-9)


def test_a_slow_network_holds_up_what_travels_and_one_node_has_none() -> None:
    slow = plan_run(1e9, 384, replace(machines(50), network=1e7), RATES)
    join = next(stage for stage in slow.stages if stage.name == "join")
    assert join.saturates == "network"
    assert join.hours * 3600 == pytest.approx(join.network_bytes / (50 * 1e7))
    assert all(stage.network_bytes == 0 for stage in plan_run(1e6, 384, ONE, RATES).stages)


def test_a_node_that_holds_no_task_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"--memory-per-node is 1\.0GB, 32 tasks on a node take .*fewer --cores"):
        plan_run(1e9, 384, replace(machines(50), memory=1e9), RATES)


@pytest.mark.parametrize("name", ["read", "encode", "write", "report", "index"])
def test_a_law_is_found_again_in_what_it_made(name: str) -> None:
    fixed, weights = 2.0 * (name in STARTING), [3e-5, 5e-6][: len(TERMS[name])]
    measured = []
    for texts in (25e3, 50e3, 100e3):
        work = Workload(texts, texts, 2, REFERENCE_SIZE, 70.0, texts**2 / 1e4)
        seconds = fixed + sum(w * work.units(term) for w, term in zip(weights, TERMS[name], strict=True))
        measured.append((work, Stage("things", 1, Reading(seconds=seconds / 2, core_seconds=seconds))))
    rate = fitted(measured, name, {})
    if len(weights) > 1:
        first, second = TERMS[name]
        assert fitted(measured, name, {second: weights[1]}).each[first] == pytest.approx(weights[0], rel=1e-3)
    assert rate.fixed == pytest.approx(fixed, rel=1e-3)
    assert [rate.each[term] for term in TERMS[name]] == pytest.approx(weights, rel=1e-3)
    assert rate.busy == pytest.approx(2.0)


def test_rates_are_kept_beside_the_indexes_and_damaged_ones_refused(tmp_path: Path) -> None:
    assert kept_rates(tmp_path) is None
    file = save_rates(replace(RATES, machine="here"), tmp_path)
    assert kept_rates(tmp_path) == replace(RATES, machine="here")
    for damaged in ("", "{}", file.read_text().replace('"fixed": ', '"fixed": -1'), "[1]"):
        file.write_text(damaged)
        with pytest.raises(SettingsError, match="run `dedup plan --measure DUMP`"):
            kept_rates(tmp_path)


def test_the_command_prints_a_plan_as_text_and_as_json(tmp_path: Path) -> None:
    arguments = ["--indexes", str(tmp_path), "--questions", "1e9", "--dim", "384", "--nodes", "50", "--cores", "32"]
    arguments += ["--memory-per-node", "128GB", "--network", "1.25GB"]
    said = CliRunner().invoke(cli, ["plan", *arguments], catch_exceptions=False)
    assert said.exit_code == 0
    assert "In all" in said.output
    as_json = CliRunner().invoke(cli, ["plan", *arguments, "--json"], catch_exceptions=False)
    assert '"hours"' in as_json.output
    assert CliRunner().invoke(cli, ["plan"], obj=None).exit_code == 2
    for number in ("nan", "1e300", "inf", "0"):
        assert CliRunner().invoke(cli, ["plan", "--questions", number]).exit_code == 2
    wrong = CliRunner().invoke(cli, ["plan", "--questions", "1e9", "--memory-per-node", "much"])
    assert wrong.exit_code == 2
    assert "a size in bytes, such as 2GB" in wrong.output


def test_a_machine_without_a_limit_on_storage_is_never_held_up_by_it() -> None:
    plan = plan_run(1e8, 384, replace(machines(8), storage=inf), RATES)
    assert all(stage.saturates != "storage" for stage in plan.stages)


def test_nothing_is_measured_that_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    dump = tmp_path / "not-looked-at.csv"
    refused = CliRunner().invoke(cli, ["plan", "--measure", str(dump), "--indexes", str(tmp_path / "file" / "indexes")])
    assert isinstance(refused.exception, DedupError)
    assert str(refused.exception) == (
        f"{tmp_path / 'file' / 'indexes'} cannot be written: File exists; free some space or choose a writable folder"
    )
