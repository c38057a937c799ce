"""What tests of training share: a tiny transformer, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy import save_tiny_transformer


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a transformer with random weights that encodes thousands of texts a second."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_tiny_transformer(folder)
    return folder
