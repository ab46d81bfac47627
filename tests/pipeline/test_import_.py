"""An imported folder is a model folder like any other."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from s2scli.errors import CheckpointError, LockedError
from s2scli.export.foreign import Foreign, TokenizerFiles
from s2scli.manifest import read_manifest
from s2scli.pipeline.import_ import import_model, recipe_of
from tests.export.foreign_models import make_marian
from tests.export.importing import imported
from tests.folders import letters_of, write_model


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_marian().save(tmp_path_factory.mktemp("import") / "marian")


def test_the_folder_says_where_it_comes_from(marian: Path, tmp_path: Path) -> None:
    found = imported(marian, tmp_path / "model").loaded
    facts = read_manifest(tmp_path / "model", "model").facts
    assert facts["imported"] == {"from": "marian", "program": "Marian"}
    assert facts["parameters"] == sum(w.numel() for w in found.model.parameters())
    card = (tmp_path / "model" / "README.md").read_text()
    assert "imported from marian, a model of Marian" in card


def test_an_imported_model_is_replaced_and_another_one_is_not(marian: Path, tmp_path: Path) -> None:
    imported(marian, tmp_path / "model")
    imported(marian, tmp_path / "model")
    write_model(tmp_path / "own", letters_of(["abc"]))
    for name in ("own", "some"):
        (tmp_path / name).mkdir(exist_ok=True)
        with pytest.raises(LockedError, match="exists and is not an imported model"):
            import_model(marian, tmp_path / name, "x", TokenizerFiles())


def test_sizes_that_no_recipe_allows_are_one_line() -> None:
    tokenizers = letters_of(["abc"])
    found = Foreign("Marian", {"encoder": {"kind": "none"}}, {}, 10, {}, tokenizers)
    with pytest.raises(CheckpointError, match=r"here: model\.encoder"):
        recipe_of(found, "x", "here")
    assert recipe_of(replace(found, model={}), "x", "here").training.max_length == 10


def test_saved_weights_are_those_of_the_checkpoint(marian: Path, tmp_path: Path) -> None:
    model = make_marian()
    found = imported(marian, tmp_path / "model").loaded.model.state_dict()
    name = "encoder.layers.0.self_attention.output.weight"
    assert torch.equal(found[name], model.arrays["encoder_l1_self_Wo"].T)
