"""What an export is verified with: a file of pairs, or the validation split."""

from pathlib import Path

import pytest

from s2scli.errors import MissingInputError
from s2scli.pipeline.export import Verification
from s2scli.translation.torch_engine import load
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace


@pytest.fixture(scope="module")
def translator(trained_workspace: Path) -> Translator:
    return load(trained_workspace / "model", device="cpu")


def test_the_first_pairs_of_the_validation_split_are_taken(
    trained_workspace: Path, translator: Translator
) -> None:
    pairs = Verification(Workspace(trained_workspace)).pairs(5, translator)
    assert len(pairs) == 5
    assert all(pair.target.split() == pair.source.split()[::-1] for pair in pairs)
    assert pairs[0].line.where.startswith("the validation split, line ")


def test_a_file_takes_the_place_of_the_split(tmp_path: Path, translator: Translator) -> None:
    path = tmp_path / "pairs.tsv"
    path.write_text("one\tone\n\ttwo\nsix\tsix\n")
    pairs = Verification(Workspace(tmp_path / "none"), path).pairs(5, translator)
    assert [pair.source for pair in pairs] == ["one", "six"]


def test_without_a_split_a_file_is_asked_for(tmp_path: Path, translator: Translator) -> None:
    with pytest.raises(MissingInputError, match=r"no corpus here; .*verify with a file: --verify"):
        Verification(Workspace(tmp_path / "none")).pairs(5, translator)
