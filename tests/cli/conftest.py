"""What the tests of filters share."""

from pathlib import Path

import pytest


@pytest.fixture
def stub_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what passes for a model folder, as the stub never reads it."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "manifest.json").write_text("{}")
    return folder
