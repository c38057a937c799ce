"""A process's memory and end are its own, and no process outlives its limit."""

import os
import subprocess
import sys
import time
from pathlib import Path

import benchmarks
from benchmarks.measure import measure

# Touched page by page, or the system would not have to give it.
HOLDS = "held = bytearray({mib} << 20); held[::4096] = b'x' * len(held[::4096])"


def python(program: str) -> list[str]:
    return [sys.executable, "-c", program]


def ends(process: int) -> bool:
    """Wait until a process that was sent a signal is gone, or one that nobody has asked for its end."""
    for _ in range(600):
        state = Path(f"/proc/{process}/stat")
        try:
            if state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def peak_mib(program: str, folder: Path) -> float:
    """Measure from a small process, as the benchmark is: a child inherits the account of a large one."""
    small = (
        "import sys; from pathlib import Path; from benchmarks.measure import measure\n"
        "print(measure([sys.executable, '-c', sys.argv[1]], Path(sys.argv[2]), 60).peak_mib)"
    )
    command = [sys.executable, "-c", small, program, str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(benchmarks.__file__).parents[1])}
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


def test_peak_memory_grows_by_what_the_process_holds(tmp_path: Path) -> None:
    little, much = (peak_mib(HOLDS.format(mib=mib), tmp_path) for mib in (30, 200))
    assert abs(much - little - 170) < 10


def test_peak_memory_counts_what_a_child_of_the_process_holds(tmp_path: Path) -> None:
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOLDS.format(mib=200)!r}], check=True)"
    assert 200 < peak_mib(nested, tmp_path) < 260


def test_what_the_process_says_and_how_it_ends_is_kept(tmp_path: Path) -> None:
    taken = measure(python("import sys; print('done'); print('oh', file=sys.stderr); sys.exit(3)"), tmp_path, 60)
    assert (taken.said, taken.complained, taken.code, taken.over_limit) == ("done\n", "oh\n", 3, False)


def test_a_process_over_the_limit_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    starts = (
        "import pathlib, subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path('child').write_text(str(child.pid))\n"
        "child.wait()"
    )
    taken = measure(python(starts), tmp_path, 2)
    assert taken.over_limit
    assert taken.code < 0
    child = int((tmp_path / "child").read_text())
    assert ends(child)
