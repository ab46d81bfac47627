import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.manifest import new_folder
from s2scli.sides import Sound
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace
from tests.tokenizer.samples import learn


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["inspect", "tokenizer", *arguments, "-w", str(folder)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A workspace with a char tokenizer for the source and a word tokenizer for the target."""
    tokenizers = Tokenizers(learn("char"), learn("word"), joint=False)
    for path, kind in ((Workspace(tmp_path).tokenizer, "tokenizer"), (tmp_path / "m", "model")):
        with new_folder(path, kind) as draft:
            tokenizers.write(draft.path)
    return tmp_path


def test_pieces_ids_and_round_trip(folder: Path) -> None:
    result = run(folder, "a cat")
    assert result.exit_code == 0
    rows = [line.split() for line in result.stdout.split("\n")[2:7]]
    assert [row[0] for row in rows] == ["a", "▁", "c", "a", "t"]
    assert rows[0][1] == rows[3][1]
    assert "5 pieces; decoding restores the text\n" in result.stdout


def test_what_is_unknown_is_shown(folder: Path) -> None:
    result = run(folder, "--target", "cat 猫")
    assert "2 pieces, 1 unknown; decoded text: cat ⁇\n" in result.stdout


def test_json(folder: Path) -> None:
    documents = json.loads(run(folder, "--json", "a cat", "tac").stdout)
    assert [document["text"] for document in documents] == ["a cat", "tac"]
    assert documents[0]["pieces"] == ["a", "▁", "c", "a", "t"]
    assert documents[0]["ids"] == learn("char").encode("a cat")
    assert documents[0]["decoded"] == "a cat"
    assert documents[0]["exact"] is True
    assert documents[0]["unknown"] == 0


def test_a_model_folder_has_its_own(folder: Path) -> None:
    model, nowhere = str(folder / "m"), folder / "empty"
    assert run(nowhere, "-m", model, "a cat").stdout == run(folder, "a cat").stdout


def test_control_characters_do_not_reach_the_terminal(folder: Path) -> None:
    result = run(folder, "a\x1b[31m")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no tokenizer here; make one: s2s train-tokenizer"),
        (["-m", "nowhere"], "no model here"),
    ],
)
def test_missing(tmp_path: Path, arguments: list[str], message: str) -> None:
    result = run(tmp_path, *arguments, "text")
    assert result.exit_code == 66
    assert message in result.stderr


@pytest.mark.parametrize("name", ["tokenizer", "m"])
def test_damage_is_named(folder: Path, name: str) -> None:
    (folder / name / "source.model").write_bytes(b"junk")
    result = run(folder, *(["-m", str(folder / "m")] if name == "m" else []), "text")
    assert result.exit_code == 65
    assert "source.model: damaged" in result.stderr


@pytest.fixture
def hearing(tmp_path: Path) -> Path:
    """A model folder that reads sound and writes words."""
    with new_folder(tmp_path / "m", "model") as draft:
        Tokenizers(Sound(8000), learn("word"), joint=False).write(draft.path)
    return tmp_path / "m"


def test_the_target_of_a_model_that_reads_sound(hearing: Path) -> None:
    result = run(hearing.parent, "-m", str(hearing), "--target", "a cat")
    assert result.exit_code == 0, result.stderr
    assert "2 pieces; decoding restores the text\n" in result.stdout


def test_sound_has_no_tokenizer(hearing: Path) -> None:
    result = run(hearing.parent, "-m", str(hearing), "a cat")
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert "the source is audio and has no tokenizer; --target uses the target's" in result.stderr
