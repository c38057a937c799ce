"""What figures depend on: the processor, the memory, and the version of everything that takes part.

    python -m benchmarks.machine

Prints JSON.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_FLAGS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
_PACKAGES = (
    "question-dedup",
    "numpy",
    "scipy",
    "faiss-cpu",
    "torch",
    "openvino",
    "tokenizers",
    "transformers",
    "sentence-transformers",
    "semhash",
    "vicinity",
    "usearch",
    "model2vec",
    "wordllama",
    "datasketch",
    "sqlalchemy",
    "pyarrow",
)


def describe_machine() -> dict[str, object]:
    """Return the processor's model, its cores and what it can do, and the memory."""
    said = Path("/proc/cpuinfo").read_text("utf-8")
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in said.splitlines())}
    can = set(fields.get("flags", "").split())
    return {
        "processor": fields.get("model name", platform.processor()),
        "cores": os.cpu_count(),
        "flags": [flag for flag in _FLAGS if flag in can],
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def describe_versions() -> dict[str, str]:
    """Return the version of Python, of each package that is installed, and the commit of this project."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return found | ({"commit": commit.stdout.strip()} if commit.returncode == 0 else {})


if __name__ == "__main__":
    print(json.dumps({"machine": describe_machine(), "versions": describe_versions()}))
