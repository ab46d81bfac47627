"""Workspaces for the tests of the real program."""

import shutil
from pathlib import Path

import pytest

from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.report.console import Talk
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.workspace import Workspace
from tests.toy import prepare_toy


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a corpus, its tokenizer and no run yet."""
    root = tmp_path_factory.mktemp("untrained") / "workspace"
    prepare_toy(root)
    train_tokenizer(Workspace(root), TokenizerSettings(), Talk(quiet=True))
    return root


@pytest.fixture
def workspace(untrained: Path, tmp_path: Path) -> Path:
    root = tmp_path / "workspace"
    shutil.copytree(untrained, root)
    return root
