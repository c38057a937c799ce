"""Options that are settings: made from the settings themselves, so that neither can say something else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dedup.settings import ABOUT, Resolved, Settings, load

if TYPE_CHECKING:
    from dedup.store import Store

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Give a command the options of some settings; it receives all settings, resolved, as ``resolved``."""

    def decorate(command: Command) -> Command:
        @click.pass_context
        @functools.wraps(command)
        def with_settings(context: click.Context, /, *args: Any, **given: Any) -> Any:
            flags = {name: given.pop(name) for name in names}
            return command(*args, resolved=load(flags, config=context.obj), **given)

        decorated: Any = with_settings
        for name in reversed(names):
            default = Settings.__dataclass_fields__[name].default
            decorated = click.option(
                "--" + name.replace("_", "-"), name, metavar="VALUE", help=f"{ABOUT[name].capitalize()}. [{default}]"
            )(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def settings_in_service(store: Store, resolved: Resolved) -> Settings:
    """Return the settings with which to read results: what the user did not set is as the last run had it.

    So `dedup run --metric manhattan` is followed by a plain `dedup query`; what the user does set stays, and is refused
    where it does not fit the generation.
    """
    from dedup.store import RunState

    published, last = store.published_generation(), store.last_run(RunState.DONE)
    if published is None or last is None:
        return resolved.settings
    recorded = {"encoder": last.settings["encoder"], "metric": published.metric, "threshold": last.threshold}
    unset = {name: value for name, value in recorded.items() if resolved.origin[name] == "default"}
    floors = (
        {name: last.settings[name] for name in ("candidate_floor", "cluster_floor")} if "threshold" in unset else {}
    )
    return replace(resolved.settings, **unset, **floors)
