"""`dedup review`: a person decides about pairs, in the terminal."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, printable
from dedup.settings import Resolved

if TYPE_CHECKING:
    from dedup.reviewing import Asked, Share
    from dedup.store import ReviewRecord, Store

_KEYS = {"s": "same", "d": "different", "k": "skip"}


@click.command()
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many pairs.")
@click.option("--reviewer", default=None, help="Whose verdicts these are. [the user's name]")
@click.option("--estimates", "only_estimates", is_flag=True, help="Ask nothing.")
@setting_options("db", "threshold")
@json_option
def review(limit: int, reviewer: str | None, only_estimates: bool, resolved: Resolved, as_json: bool) -> None:
    """Ask about pairs of questions whether they are the same.

    The next run follows what is decided, whatever the classifier says. Most pairs are those of which it is least sure;
    every fourth is drawn at random, and these say how good all pairs are.
    """
    from dedup.in_service import settings_in_service
    from dedup.reviewing import estimates
    from dedup.store import Store

    with Store.open(resolved.settings.db, create=False) as store:
        threshold = settings_in_service(store, resolved).threshold
        if not only_estimates:
            _ask_all(store, reviewer or getpass.getuser(), limit, threshold)
        found = estimates(store.reviewed(), threshold)
    if as_json:
        shares = {"precision": _as_json(found.precision), "recall": _as_json(found.recall)}
        print_json({"threshold": threshold, **shares, "disagreements": found.disagreements})
        return
    click.echo(f"Of the pairs drawn at random, at the threshold {threshold:.1%}:")
    click.echo(f"  precision {_shown(found.precision)}")
    click.echo(f"  recall among recorded pairs {_shown(found.recall)}")
    if found.disagreements:
        click.echo(f"Reviewers disagree on {found.disagreements} pairs; they decide nothing.")


def _ask_all(store: Store, reviewer: str, limit: int, threshold: float) -> None:
    import numpy as np

    from dedup.reviewing import next_pairs
    from dedup.store import Verdict

    asked = next_pairs(store, reviewer, limit, threshold=threshold, random=np.random.default_rng())
    given: list[tuple[int, ReviewRecord]] = []
    at = 0
    while at < len(asked):
        answer = _ask(asked[at], at + 1, len(asked))
        if answer == "q":
            break
        if answer == "u":
            if given:
                at, last = given.pop()
                store.undo_review(last.id, reviewer)
            continue
        pair = asked[at]
        verdict = Verdict(_KEYS[answer])
        given.append((at, store.record_review(pair.left.number, pair.right.number, verdict, reviewer, pair.stratum)))
        at += 1
    click.echo(f"{len(given)} verdicts are recorded.")


def _ask(pair: Asked, number: int, of: int) -> str:
    click.echo(f"\n{number} of {of}: probability {pair.probability:.1%}, distance {pair.distance:.3f}")
    for side in (pair.left, pair.right):
        click.echo(f"  {printable(side.source)}/{printable(side.id)}: {printable(side.text)}")
    choice = click.Choice([*_KEYS, "u", "q"])
    answer: str = click.prompt("(s)ame, (d)ifferent, s(k)ip, (u)ndo, (q)uit", type=choice, show_choices=False)
    return answer


def _as_json(share: Share) -> dict[str, float | int | None]:
    if not share.n:
        return {"value": None, "low": None, "high": None, "n": 0}
    return {"value": share.value, "low": share.low, "high": share.high, "n": share.n}


def _shown(share: Share) -> str:
    if not share.n:
        return "is not known yet: no pair drawn at random has been judged"
    return f"{share.value:.1%} (95% interval {share.low:.1%} to {share.high:.1%}, {share.n} pairs)"
