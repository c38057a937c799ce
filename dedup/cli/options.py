"""Options that are settings: made from the settings themselves, so that neither can say something else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

import click

from dedup.cli.logs import show_logs
from dedup.dumps import FORMAT_NAMES
from dedup.errors import SettingsError
from dedup.questions import NATURAL_PRIOR
from dedup.settings import ABOUT, FAST_ENCODER, Resolved, Settings, load

Command = TypeVar("Command", bound=Callable[..., Any])

OF_JOBS = (
    "db",
    "indexes",
    "reports",
    "source",
    "encoder",
    "metric",
    "threshold",
    "prior",
    "rerank",
    "reranker",
    "candidate_floor",
    "cluster_floor",
    "index",
    "recall_floor",
    "batch_size",
    "memory",
    "engine",
    "address",
    "workers",
    "work_dir",
    "memory_per_task",
    "shard_size",
    "keep_runs",
    "keep_generations",
    "metrics_file",
)
"""The settings of every job that compares."""

OF_DUMPS = ("format", "id_column", "text_column", "with_body", "on_error", "max_bytes")
"""Those of how dumps are read."""

_OF_DEDUP_ITSELF = "log_format"  # the one setting whose flag comes before the command


@dataclass(frozen=True, slots=True)
class Invocation:
    """What was said before the command."""

    config: Path | None
    quiet: bool
    log_format: str | None


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")

wait_option = click.option(
    "--wait",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another job on the same database or indexes folder.",
)

prior_option = click.option(
    "--prior",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=NATURAL_PRIOR,
    show_default=True,
    help="Which share of the pairs that are compared are duplicates: labelled pairs are weighted to it.",
)


def threshold_options(command: Command) -> Command:
    """Give a command that has the setting ``threshold`` two other ways to say it.

    It receives ``at_threshold``, to be applied to the settings that it works with in the end: the threshold depends on
    their encoder and metric.
    """

    @click.pass_context
    @functools.wraps(command)
    def with_threshold(
        context: click.Context,
        /,
        *args: Any,
        precision: float | None,
        cost_ratio: float | None,
        resolved: Resolved,
        **given: Any,
    ) -> Any:
        by_flag = resolved.origin["threshold"].startswith("--")
        if sum((precision is not None, cost_ratio is not None, by_flag)) > 1:
            raise click.UsageError("give one of --threshold, --precision and --cost-ratio", context)

        def at_threshold(settings: Settings) -> Settings:
            from dedup.installed import with_cost_ratio, with_precision

            if precision is not None:
                return with_precision(settings, precision)
            return settings if cost_ratio is None else with_cost_ratio(settings, cost_ratio)

        return command(*args, resolved=resolved, at_threshold=at_threshold, **given)

    decorated: Any = click.option(
        "--precision",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        metavar="P",
        help="The threshold from which pairs like the calibrated ones have this precision.",
    )(with_threshold)
    return click.option(  # type: ignore[no-any-return]
        "--cost-ratio",
        type=click.FloatRange(0, min_open=True),
        metavar="R",
        help="The threshold that costs least where a wrong duplicate costs R missed ones.",
    )(decorated)


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Give a command the options of some settings; it receives all settings, resolved, as ``resolved``.

    With the setting ``encoder`` comes the flag ``--fast``, which is short for the static one.
    """
    offered = [name for name in names if name != _OF_DEDUP_ITSELF]

    def decorate(command: Command) -> Command:
        @click.pass_context
        @functools.wraps(command)
        def with_settings(context: click.Context, /, *args: Any, **given: Any) -> Any:
            invocation: Invocation = context.obj
            flags = {name: given.pop(name) for name in offered} | {_OF_DEDUP_ITSELF: invocation.log_format}
            if given.pop("fast", False):
                if flags["encoder"] is not None:
                    raise click.UsageError("--fast chooses an encoder; leave --encoder out", context)
                flags["encoder"] = FAST_ENCODER
            try:
                resolved = load(flags, config=invocation.config)
            except SettingsError as error:
                if error.origin.startswith("--"):  # wrong usage, as click's own options have it
                    raise click.UsageError(str(error), context) from error
                raise
            show_logs(resolved.settings.log_format, quiet=invocation.quiet)
            return command(*args, resolved=resolved, **given)

        decorated: Any = with_settings
        if "encoder" in names:
            decorated = click.option("--fast", is_flag=True, help=f"Short for --encoder {FAST_ENCODER}.")(decorated)
        for name in reversed(offered):
            decorated = _option(name)(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def _option(name: str) -> Callable[[Any], Any]:
    default = Settings.__dataclass_fields__[name].default
    about = f"{ABOUT[name][0].upper()}{ABOUT[name][1:]}."
    flag = "--" + name.replace("_", "-")
    if isinstance(default, bool):
        return click.option(flag, name, is_flag=True, default=None, help=about)
    about = about if default is None else f"{about} [{default}]"
    if name == "format":
        return click.option(flag, name, type=click.Choice(FORMAT_NAMES), help=about)
    if isinstance(default, StrEnum):
        return click.option(flag, name, type=click.Choice([str(value) for value in type(default)]), help=about)
    return click.option(flag, name, metavar="VALUE", help=about)
