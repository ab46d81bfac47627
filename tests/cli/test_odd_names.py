"""Names of files and folders that are not UTF-8 work; texts that are not are refused in a line."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.errors import ConfigError
from s2scli.export.ctranslate2 import CTranslate2

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are Unicode")
ODD = os.fsdecode(b"b\xe4d \xff")


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, words)])


@pytest.fixture(scope="module")
def odd(trained_workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of an odd name with a corpus, a text, and a trained workspace."""
    folder = tmp_path_factory.mktemp("odd") / ODD
    folder.mkdir()
    shutil.copytree(trained_workspace, folder / "trained")
    (folder / f"{ODD}.txt").write_text("one two three\n")
    rows = (f"source {number}\ttarget {number}\n" for number in range(60))
    (folder / f"{ODD}.tsv").write_text("".join(rows))
    return folder


def test_a_workspace_of_an_odd_name_is_made_and_used(odd: Path) -> None:
    new = ("-w", odd / "new")
    for words in (
        ("prepare", odd / f"{ODD}.tsv", *new),
        ("train-tokenizer", *new),
        ("train", "-r", "tiny", "--max-steps", "2", *new),
        ("train", "--max-steps", "3", *new),
        ("evaluate", *new),
        ("translate", odd / f"{ODD}.txt", "-o", odd / f"{ODD}.out", *new),
        ("inspect", "corpus", "--json", *new),
        ("inspect", "model", *new),
        ("inspect", "training", *new),
        ("train-tokenizer", "--from", odd / "trained" / "model", "--overwrite", *new),
    ):
        result = run(*words)
        assert result.exit_code == 0, (words, result.stderr, result.exception)
    assert (odd / f"{ODD}.out").read_text().count("\n") == 1


def test_a_trained_workspace_may_be_moved_there(odd: Path) -> None:
    for words in (
        ("translate", odd / f"{ODD}.txt"),
        ("inspect", "attention", "one two", "-o", odd / f"{ODD}.html"),
        ("inspect", "tokenizer", "one two"),
        ("evaluate", "--json"),
    ):
        result = run(*words, "-w", odd / "trained")
        assert result.exit_code == 0, (words, result.stderr, result.exception)


def test_a_message_shows_the_bytes_of_a_name(tmp_path: Path) -> None:
    result = run("translate", tmp_path / ODD)
    assert result.exit_code == 66
    assert f"{tmp_path}/b\\xe4d \\xff: no such file" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("inspect", "tokenizer", ODD),
        ("inspect", "attention", ODD),
        ("inspect", "attention", "one", "--target", ODD),
        ("generate", "--between", "one", ODD),
        ("generate", "--around", ODD),
        ("train", "--set", f"name={ODD}"),
    ],
)
def test_a_text_that_is_not_utf8_is_refused(
    trained_workspace: Path, words: tuple[str, ...]
) -> None:
    result = run(*words, "-w", trained_workspace)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: not UTF-8: ") and result.stderr.count("\n") == 1
    assert "b\\xe4d \\xff" in result.stderr


def test_ctranslate2_says_that_it_opens_no_such_path(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    with pytest.raises(ConfigError, match="opens only UTF-8 paths"):
        CTranslate2().open(tmp_path / ODD, "cpu")
