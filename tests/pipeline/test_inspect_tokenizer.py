from pathlib import Path

import pytest

from s2scli.errors import CheckpointError, MissingInputError
from s2scli.manifest import new_folder
from s2scli.pipeline.inspect_tokenizer import load_tokenizers, tokenize
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace
from tests.tokenizer.samples import learn


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A workspace with tokenizers of its own and others in a model folder `m`."""
    workspace = Workspace(tmp_path)
    kinds = ((workspace.tokenizer, "tokenizer", "char"), (tmp_path / "m", "model", "word"))
    for path, kind, learned in kinds:
        tokenizer = learn("char" if learned == "char" else "word")
        with new_folder(path, kind) as draft:
            Tokenizers(tokenizer, tokenizer, joint=True).write(draft.path)
    return workspace


@pytest.mark.parametrize(
    ("text", "unknown", "exact"),
    [("a cat", 0, True), ("  a cat ", 0, True), ("cat 猫", 1, False), ("", 0, True)],
)
def test_a_text_is_split_and_decoded(text: str, unknown: int, exact: bool) -> None:
    tokenizer = learn("char")
    found = tokenize(tokenizer, text)
    assert found.ids == tuple(tokenizer.encode(text))
    assert found.pieces == tuple(tokenizer.pieces(text))
    assert found.decoded == tokenizer.decode(found.ids)
    assert (found.text, found.unknown, found.exact) == (text, unknown, exact)


def test_a_model_has_tokenizers_of_its_own(workspace: Workspace) -> None:
    assert load_tokenizers(workspace, None).source.kind == "char"
    assert load_tokenizers(workspace, workspace.root / "m").source.kind == "word"


def test_missing_tokenizers_are_named_with_the_command_that_makes_them(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"make one: s2s train-tokenizer -w"):
        load_tokenizers(Workspace(tmp_path), None)


def test_damaged_tokenizers_are_refused_with_the_mend(workspace: Workspace) -> None:
    (workspace.tokenizer / "joint.model").write_bytes(b"junk")
    with pytest.raises(CheckpointError, match=r"joint.model: damaged.* `s2s train-tokenizer`"):
        load_tokenizers(workspace, None)
