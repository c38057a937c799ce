"""`dedup token`: who may use the service."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, print_table, printable, table
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.store import TokenRecord

_SCOPES = ("read", "write", "review", "admin")


@click.group()
def token() -> None:
    """Make, list and revoke access tokens of the service."""


@token.command()
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(_SCOPES),
    multiple=True,
    required=True,
    help="What it is good for; may be given several times. All let their bearer read; admin is good for everything.",
)
@click.option("--name", default="", help="Whose it is, for `dedup token list` and the audit log.")
@setting_options("db")
@json_option
def create(scopes: tuple[str, ...], name: str, resolved: Resolved, as_json: bool) -> None:
    """Make a token and print it: this once, for only its hash is kept."""
    from dedup.store import Scope, Store

    with Store.open(resolved.settings.db) as store:
        made, record = store.create_token({Scope(scope) for scope in scopes}, name, actor=_actor())
    if as_json:
        print_json({"token": made, "id": record.id, "scopes": sorted(record.scopes)})
    else:
        click.echo(made)
        click.echo(f"Token {record.id}, good for {', '.join(sorted(record.scopes))}; it is not shown again.", err=True)


@token.command("list")
@setting_options("db")
@json_option
def list_tokens(resolved: Resolved, as_json: bool) -> None:
    """List the tokens that were made, without themselves."""
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        found = store.tokens()
    if as_json:
        print_json({"tokens": [_as_json(record) for record in found]})
        return
    rows = table("id>", "name", "scopes", "made", "revoked")
    for record in found:
        revoked = f"{record.revoked_at:%Y-%m-%d %H:%M}" if record.revoked_at else ""
        made = f"{record.created_at:%Y-%m-%d %H:%M}"
        rows.add_row(str(record.id), printable(record.name), ", ".join(sorted(record.scopes)), made, revoked)
    print_table(rows)


@token.command()
@click.argument("id", type=int)
@setting_options("db")
@json_option
def revoke(id: int, resolved: Resolved, as_json: bool) -> None:
    """Make the token with this ID worthless, within a second."""
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        record = store.revoke_token(id, actor=_actor())
    if as_json:
        print_json(_as_json(record))
    else:
        click.echo(f"Token {record.id} is revoked.")


def _as_json(record: TokenRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "scopes": sorted(record.scopes),
        "created_at": record.created_at.isoformat(),
        "revoked_at": record.revoked_at.isoformat() if record.revoked_at else None,
    }


def _actor() -> str:
    return f"dedup token, by {getpass.getuser()}"
