"""The documents' commands and programs, executed: ```bash and ```python blocks, in order, in one folder a document.

Blocks fenced as ```sh are shown and not run (they set up, or take minutes).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = sorted(
    file.relative_to(ROOT).as_posix()
    for file in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md"))
    if BLOCK.search(file.read_text("utf-8"))
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_what_a_document_shows_works(document: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    commands = Path(sys.executable).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEDUP_")}
    environment["PATH"] = f"{commands}{os.pathsep}{os.environ['PATH']}"
    for language, block in BLOCK.findall((ROOT / document).read_text("utf-8")):
        interpreter = ["bash", "-euo", "pipefail"] if language == "bash" else [sys.executable]
        ran = subprocess.run(
            [*interpreter, "-c", block], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, f"{document}:\n{block}\n{ran.stdout}{ran.stderr}"


def test_the_readme_is_executed() -> None:
    assert "README.md" in DOCUMENTS
