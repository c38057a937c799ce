"""`dedup plan`: what a run past this machine would take."""

from __future__ import annotations

import logging
from dataclasses import asdict
from math import inf, isnan
from typing import TYPE_CHECKING, Any

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.settings import Resolved, parse_size

if TYPE_CHECKING:
    from dedup.planning import Plan, Rates


log = logging.getLogger(__name__)

_MOST_QUESTIONS = 1e15


class Size(click.ParamType[int]):
    """A number of bytes, such as 64GB."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See click."""
        try:
            size = parse_size(value)
        except ValueError as error:
            self.fail(f"{value!r} is not {error}", param, ctx)
        assert size is not None  # click converts what was given alone
        return size


@click.command()
@click.option(
    "--questions", type=click.FloatRange(1, _MOST_QUESTIONS), metavar="N", help="How many questions, such as 1e9."
)
@click.option(
    "--dim", type=click.IntRange(1), metavar="D", help="Components of a vector. [those of the rates' encoder]"
)
@click.option("--nodes", type=click.IntRange(1), default=1, show_default=True, help="How many machines.")
@click.option("--cores", type=click.IntRange(1), help="Cores of each. [those of the machine of the rates]")
@click.option("--memory-per-node", type=Size(), default="64GB", show_default=True, help="Memory of each.")
@click.option("--network", type=Size(), default="1.25GB", show_default=True, help="What each takes in a second.")
@click.option("--storage", type=Size(), help="What each reads or writes in a second. [as it was measured]")
@click.option("--measure", metavar="DUMP", help="First measure this machine on a dump, for some minutes, and keep it.")
@setting_options("indexes", "encoder", "metric", "source", "format", "id_column", "text_column", "batch_size")
@json_option
def plan(
    questions: float | None,
    dim: int | None,
    nodes: int,
    cores: int | None,
    memory_per_node: int,
    network: int,
    storage: int | None,
    measure: str | None,
    resolved: Resolved,
    as_json: bool,
) -> None:
    """Estimate the hours, memory, disk and network of a run over so many questions, stage by stage.

    From rates that --measure has measured on this machine, or else those of a reference machine.
    """
    from dedup.planning import Machines, kept_rates, plan_run, save_rates, shipped_rates

    indexes = resolved.settings.indexes
    if measure is not None:
        from dedup.artifacts import require_writable
        from dedup.planning.measuring import measure_rates

        require_writable(indexes)
        rates = measure_rates(measure, resolved.settings, shown_progress())
        click.echo(f"Measured, and kept in {save_rates(rates, indexes)}.", err=True)
    else:
        rates = kept_rates(indexes) or shipped_rates()
    if questions is None:
        if measure is None:
            raise click.UsageError("say how many --questions, or --measure DUMP")
        return
    if isnan(questions):
        raise click.BadParameter("nan is no number of questions", param_hint="--questions")
    machines = Machines(
        nodes=nodes,
        cores=cores or rates.cores,
        memory=memory_per_node,
        network=network,
        storage=storage or min(rates.reading, rates.writing) or inf,
    )
    planned = plan_run(questions, dim or rates.dimension, machines, rates)
    if planned.memory_per_node > memory_per_node:
        log.warning(
            "this takes %.1f GB in the memory of a node, which has %.1f: more --nodes, or more of it",
            planned.memory_per_node / 1e9,
            memory_per_node / 1e9,
        )
    if as_json:
        print_json({"rates_of": rates.machine, "measured_on": rates.measured, **asdict(planned)})
    else:
        _print(planned, rates, machines.nodes)


def _print(planned: Plan, rates: Rates, nodes: int) -> None:
    click.echo(f"By the rates of {rates.machine}, {rates.encoder}, up to {max(rates.measured):,} questions:")
    rows = table("stage", "hours>", "core hours>", "network GB>", "disk GB>", "held up by")
    for stage in planned.stages:
        rows.add_row(
            stage.name,
            f"{stage.hours:.3f}",
            f"{stage.core_hours:,.2f}",
            f"{stage.network_bytes / 1e9:,.1f}",
            f"{stage.disk_bytes / 1e9:,.1f}",
            stage.saturates,
        )
    print_table(rows)
    click.echo(f"In all {planned.hours:.2f} hours; {planned.first} takes longest.")
    click.echo(
        f"Cells: {planned.cells:,}, of which a vector visits {planned.visits} at the most. "
        f"Shards: {planned.shards:,} of {planned.shard_texts:,} texts."
    )
    if planned.memory_per_task is not None:
        click.echo(
            f"--memory-per-task {planned.memory_per_task / 1e9:.1f}GB: with it a vector is sent to "
            f"{planned.replication:,.1f} bins of cells at the most."
        )
    click.echo(
        f"Memory: {planned.memory_per_node / 1e9:,.1f} GB on each of {nodes} nodes. "
        f"Disk: {planned.disk / 1e9:,.1f} GB, and {planned.database / 1e9:,.1f} GB for the database. "
        f"Pairs: {planned.pairs:,.0f}."
    )
