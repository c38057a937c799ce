"""`dedup train`: an encoder, or a cross-encoder, of one's own, from labelled pairs."""

from __future__ import annotations

from pathlib import Path

import click

from dedup.cli.options import json_option, setting_options
from dedup.cli.output import print_json, print_table, table
from dedup.cli.progress import shown_progress
from dedup.errors import TrainingError
from dedup.settings import Resolved
from dedup.training import Architecture, Precision, TrainingOptions

_DEFAULT = TrainingOptions()


@click.command()
@click.argument("pairs", metavar="PAIRS...", nargs=-1, required=True)
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Write it there."
)
@click.option(
    "--base",
    default=_DEFAULT.base,
    show_default=True,
    metavar="MODEL",
    help="Begin with this encoder (an lstm or a cnn: with its token vectors).",
)
@click.option(
    "--architecture",
    type=click.Choice([str(value) for value in Architecture]),
    default=str(_DEFAULT.architecture),
    show_default=True,
    help="What makes a text into a vector; cross-encoder: what judges uncertain pairs again, for --rerank.",
)
@click.option("--teacher", metavar="MODEL", help="static, lstm, cnn: learn this encoder's vectors before the labels.")
@click.option(
    "--dev", multiple=True, metavar="PAIRS", help="Judge on these labelled pairs; may be given again. [held out]"
)
@click.option(
    "--dev-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=_DEFAULT.dev_share,
    show_default=True,
    help="Without --dev: which share of PAIRS is held out.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="DUMP",
    help="Questions among which distances should stay what they are; may be given again.",
)
@click.option("--epochs", type=click.IntRange(min=1), metavar="N", help="Times over the pairs. [by architecture]")
@click.option(
    "--learning-rate", type=click.FloatRange(0, min_open=True), metavar="X", help="Length of a step. [by architecture]"
)
@click.option("--pairs-per-batch", type=click.IntRange(min=2), metavar="N", help="Pairs in one step. [by architecture]")
@click.option("--seed", type=click.IntRange(min=0), default=_DEFAULT.seed, show_default=True, help="Of every draw.")
@click.option(
    "--precision",
    type=click.Choice([str(value) for value in Precision]),
    default=str(_DEFAULT.precision),
    show_default=True,
    help="auto: bf16 where the processor has it.",
)
@click.option("--fresh", is_flag=True, help="Start over: do not go on from a checkpoint, replace a model in DIR.")
@setting_options("db", "indexes", "source", "format", "max_bytes", "metric")
@json_option
def train(
    pairs: tuple[str, ...],
    output: Path,
    base: str,
    architecture: str,
    teacher: str | None,
    dev: tuple[str, ...],
    dev_share: float,
    keep: tuple[str, ...],
    epochs: int | None,
    learning_rate: float | None,
    pairs_per_batch: int | None,
    seed: int,
    precision: str,
    fresh: bool,
    resolved: Resolved,
    as_json: bool,
) -> None:
    """Train an encoder on labelled pairs, in the metric in which it will be searched, or a cross-encoder.

    PAIRS are files of labelled pairs (question1, question2, is_duplicate), a PostLinks.xml whose questions are
    recorded, or the word "recorded" for the labels in the database, or "reviewed" for what reviewers agree on. After a
    kill the same command goes on.
    """
    options = TrainingOptions(
        architecture=Architecture(architecture),
        base=base,
        teacher=teacher,
        dev=dev,
        dev_share=dev_share,
        keep=keep,
        epochs=epochs,
        learning_rate=learning_rate,
        pairs_per_batch=pairs_per_batch,
        seed=seed,
        precision=Precision(precision),
        fresh=fresh,
    )
    if options.architecture is Architecture.CROSS_ENCODER and resolved.origin["metric"].startswith("--"):
        raise TrainingError("a cross-encoder measures no distance; leave --metric out")
    from dedup.training.train import train as train_encoder

    made = train_encoder(pairs, resolved.settings, options, output=output, progress=shown_progress())
    record = made.record
    if as_json:
        print_json(
            {
                "output": str(made.output),
                "architecture": record.architecture,
                "metric": record.metric,
                "base": record.base,
                "pairs": record.sizes["pairs"],
                "duplicates": record.sizes["duplicates"],
                "dev_pairs": record.sizes["dev_pairs"],
                "dev": dict(record.dev),
                "best_step": record.best_step,
                "steps": record.steps,
                "seconds": record.seconds,
                "seed": record.seed,
                "precision": record.precision,
                "fingerprint": made.fingerprint,
            }
        )
        return
    what = (
        "cross-encoder" if record.metric is None else f"{record.architecture} encoder for the {record.metric} distance"
    )
    click.echo(
        f"{what}, from {record.base}: "
        f"{record.sizes['pairs']:,} pairs, {record.sizes['duplicates']:,} duplicates, {record.steps:,} steps in "
        f"{record.seconds:,.0f} s ({record.precision})"
    )
    rows = table(f"score on {record.sizes['dev_pairs']:,} dev pairs", "value>")
    for name, score in record.dev.items():
        rows.add_row(name.replace("_", " "), f"{score:.4f}")
    print_table(rows)
    following = (
        f"fit what its scores mean next: `dedup calibrate PAIRS --rerank --reranker {made.output}`"
        if record.metric is None
        else f"fit its classifier next: `dedup calibrate PAIRS --encoder {made.output} --metric {record.metric}`"
    )
    click.echo(f"Written to {made.output}; {following}")
