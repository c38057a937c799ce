"""Options that are settings: made from the settings themselves, so that neither can say something else."""

from __future__ import annotations

import functools
from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

import click

from dedup.dumps import FORMAT_NAMES
from dedup.errors import SettingsError
from dedup.questions import NATURAL_PRIOR
from dedup.settings import ABOUT, Settings, load

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON value instead of text.")

prior_option = click.option(
    "--prior",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=NATURAL_PRIOR,
    show_default=True,
    help="Which share of the pairs that are compared are duplicates: labelled pairs are weighted to it.",
)


def setting_options(*names: str) -> Callable[[Command], Command]:
    """Give a command the options of some settings; it receives all settings, resolved, as ``resolved``."""

    def decorate(command: Command) -> Command:
        @click.pass_context
        @functools.wraps(command)
        def with_settings(context: click.Context, /, *args: Any, **given: Any) -> Any:
            flags = {name: given.pop(name) for name in names}
            try:
                resolved = load(flags, config=context.obj)
            except SettingsError as error:
                if error.origin.startswith("--"):  # wrong usage, as click's own options have it
                    raise click.UsageError(str(error), context) from error
                raise
            return command(*args, resolved=resolved, **given)

        decorated: Any = with_settings
        for name in reversed(names):
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
