"""What the tests of filters share."""

from pathlib import Path

import pytest

from tests.cli.inspecting import model_of


@pytest.fixture
def stub_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what passes for a model folder, as the stub never reads it."""
    folder = tmp_path_factory.mktemp("model")
    (folder / "manifest.json").write_text("{}")
    return folder


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an untrained model with attention, alone in its workspace."""
    return model_of(tmp_path_factory.mktemp("inspect") / "model", "dot")
