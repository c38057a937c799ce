"""The documents' commands and programs, executed: ```bash and ```python blocks, in order, in one folder a document.

Blocks fenced as ```sh are shown and not run (they set up, or take minutes), but for those that name folders of
../shared/data: these are run where the data are.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ON_DATA = re.compile(r"^```sh (\w[\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DATA = ROOT.parent / "shared" / "data"
DOCUMENTS = sorted(
    file.relative_to(ROOT).as_posix()
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md"))
    if BLOCK.search(file.read_text("utf-8"))
)


def execute(document: str, language: str, block: str, folder: Path) -> None:
    commands = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    environment["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"
    interpreter = [sys.executable] if language == "python" else ["bash", "-euo", "pipefail"]
    ran = subprocess.run(
        [*interpreter, "-c", block], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"{document}:\n{block}\n{ran.stdout}{ran.stderr}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_shows_works(document: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    for language, block in BLOCK.findall((ROOT / document).read_text("utf-8")):
        execute(document, language, block, tmp_path)


def test_an_encoder_of_ones_own_from_the_links_of_a_real_site(tmp_path: Path) -> None:
    """As docs/train-your-own.md shows it, on as much of the data as takes seconds to train on."""
    document = "docs/train-your-own.md"
    folders, block = ON_DATA.findall((ROOT / document).read_text("utf-8"))[0]
    for folder in folders.split():
        if not (DATA / folder).is_dir():
            pytest.skip(f"{DATA / folder} is not here")
        shutil.copytree(DATA / folder, tmp_path / folder, copy_function=shutil.copyfile)
    pairs = tmp_path / "english_se" / "pairs.tsv"
    header, *rows = pairs.read_text("utf-8").splitlines(keepends=True)
    pairs.write_text("".join([header, *rows[::8]]), "utf-8")
    execute(document, "sh", block, tmp_path)


def test_the_readme_is_executed() -> None:
    assert "README.md" in DOCUMENTS
