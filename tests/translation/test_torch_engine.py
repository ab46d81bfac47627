"""Models and ensembles that the PyTorch engine loads."""

from pathlib import Path

import pytest

from s2scli.errors import UsageError
from s2scli.manifest import read_manifest
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation import torch_engine
from tests.folders import letters_of, write_model


@pytest.fixture
def folder(trained_workspace: Path) -> Path:
    return trained_workspace / "model"


def test_a_translator_knows_which_models_it_has(folder: Path, tmp_path: Path) -> None:
    other = write_model(tmp_path / "other", Tokenizers.load(folder), seed=5)
    digests = [read_manifest(one, "model").digest for one in (folder, other)]
    assert torch_engine.load(folder, device="cpu").identity == (digests[0],)
    assert torch_engine.load(folder, other, device="cpu").identity == tuple(digests)


def test_models_of_an_ensemble_share_a_tokenizer(folder: Path, tmp_path: Path) -> None:
    stranger = write_model(tmp_path / "stranger", letters_of(["one two three"] * 9))
    with pytest.raises(UsageError, match=r"stranger: its tokenizer \(.* is not that of .*model"):
        torch_engine.load(folder, stranger, device="cpu")
