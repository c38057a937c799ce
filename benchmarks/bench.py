"""Measure question-dedup and others on the same questions, under the same conditions: `make bench`.

    python -m benchmarks.bench [--dump FILE] [--sizes N...] [--grow N] [--labelled PAIRS] [--limit SECONDS] ...

Every competitor is a fresh process on the same cores. What is finished is not measured again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.competitors import COMPETITORS, Competitor
from benchmarks.course import Course, Workplace
from benchmarks.results import LABELLED, RESULTS, Measured

ROOT = Path(__file__).resolve().parents[1]

log = logging.getLogger("bench")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    dump: Path
    sizes: tuple[int, ...]
    labelled: Path | None
    limit: float
    threads: int
    only: tuple[str, ...]
    fresh: bool
    peers: Path | None
    folder: Path


def main(competitors: Sequence[Competitor] = COMPETITORS) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    # What is being measured is in a session of its own: ended without a word, this process would leave it running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    asked = read_command_line(sys.argv[1:])
    place = asked.folder / f"{asked.dump.stem}-{digest(asked.dump, asked.labelled)}"
    measured = Measured(place / "measured")
    course = Course(Workplace(ROOT, place, asked.dump, asked.labelled, asked.limit, asked.threads), measured)
    taking = [each for each in competitors if each.name.startswith(asked.only)]
    for competitor in taking:
        if asked.fresh:
            measured.forget(competitor)
        if competitor.peer and asked.peers is None:
            log.info("%s is left out: it needs --peers, which `make bench` gives", competitor.name)
    for corpus in ([LABELLED] if asked.labelled else []) + [str(size) for size in asked.sizes]:
        for competitor in taking:
            python = str(asked.peers) if competitor.peer else sys.executable
            if not competitor.peer or asked.peers is not None:
                course.take(competitor, python, corpus)
    write_results(asked, course, measured, competitors)


def write_results(asked: Asked, course: Course, measured: Measured, competitors: Sequence[Competitor]) -> None:
    """Write everything that was measured on this dump, with the machine and the versions, as JSON."""
    laws = {each.name: law for each in competitors if (law := measured.law(each)) is not None}
    said = {
        **course.child_json([asked.peers or sys.executable, "-m", "benchmarks.machine"]),
        "conditions": {
            "dump": asked.dump.name,
            "sizes": asked.sizes,
            "labelled": asked.labelled.name if asked.labelled else None,
            "limit_seconds": asked.limit,
            "threads": asked.threads,
        },
        "competitors": [each.name for each in competitors],
        "measurements": [asdict(each) for each in measured.all()],
        "laws": {name: asdict(law) for name, law in laws.items()},
    }
    file = asked.folder / RESULTS
    beside = file.with_suffix(".unfinished")
    beside.write_text(json.dumps(said, indent=1), "utf-8")
    beside.rename(file)
    log.info("written to %s", file)


def digest(*files: Path | None) -> str:
    """Return 12 digits that differ where a file does: figures of other questions are not taken for these."""
    whole = hashlib.sha256()
    for file in files:
        if file is not None:
            with file.open("rb") as stream:
                whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()[:12]


def read_command_line(arguments: Sequence[str]) -> Asked:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dump", type=Path, default=ROOT / "examples" / "questions.csv")
    parser.add_argument("--sizes", type=int, nargs="+", default=[2500, 5000, 10000], help="numbers of questions")
    parser.add_argument("--grow", type=int, default=0, help="a further size, reached by near-copies")
    parser.add_argument("--labelled", type=Path, help="labelled pairs: also measure, and judge, on their questions")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a process is ended")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=[""], help="competitors, by how their names start")
    parser.add_argument("--fresh", action="store_true", help="measure again what is finished")
    parser.add_argument("--peers", type=Path, help="the Python that has the peers' packages")
    parser.add_argument("--folder", type=Path, default=Path("build/bench"))
    asked = parser.parse_args(arguments)
    sizes = sorted({*asked.sizes, *([asked.grow] if asked.grow else [])})
    return Asked(
        dump=asked.dump.resolve(),
        sizes=tuple(sizes),
        labelled=asked.labelled.resolve() if asked.labelled else None,
        limit=asked.limit,
        threads=asked.threads,
        only=tuple(asked.only),
        fresh=asked.fresh,
        peers=asked.peers.absolute() if asked.peers else None,  # resolved, it would be the Python outside the venv
        folder=asked.folder.resolve(),
    )


if __name__ == "__main__":
    main()
