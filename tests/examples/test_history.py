"""The example of history: the recipes that its script compares are there, its variants too."""

import os
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.config import Recipe, load_recipe, recipe_names
from tests.examples.scripts import EXAMPLES

SCRIPT = EXAMPLES / "history" / "run.sh"
STUB = """#!/bin/sh
case $1 in
inspect) exec printf '%s\\n' "$@" ;;
prepare) mkdir -p "$S2S_WORKSPACE/corpus" ;;
esac
echo "$@" >> "$S2S_WORKSPACE/commands"
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The workspace of a script run twice, in which nothing but `s2s inspect` is done, once."""
    folder = tmp_path_factory.mktemp("history")
    (folder / "s2s").write_text(STUB)
    (folder / "s2s").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    for _ in range(2):
        command = ["sh", str(SCRIPT), "corpus.tsv", "7", str(folder / "w")]
        subprocess.run(command, check=True, env=environment)
    for file in (folder / "w").glob("*.toml"):
        result = CliRunner().invoke(app, file.read_text().splitlines())
        assert result.exit_code == 0, result.output
        file.write_text(result.stdout)
    return folder / "w"


def compared(workspace: Path) -> dict[str, Recipe]:
    *_, last = (workspace / "commands").read_text().splitlines()
    command, *words = last.split()
    assert (command, words[:2]) == ("compare", ["--max-minutes", "7"])
    return {Path(word).stem: load_recipe(word) for word in words[2:]}


def test_the_corpus_is_prepared_once(workspace: Path) -> None:
    commands = (workspace / "commands").read_text().split("\n")
    assert [line.split()[0] for line in commands if line] == ["prepare", "compare", "compare"]


def test_recipes_from_elman_to_vaswani_are_compared(workspace: Path) -> None:
    found = compared(workspace)
    assert {"elman", "cho2014", "bahdanau2015", "transformer-tiny"} <= found.keys()
    assert {name for name in found if name not in recipe_names()} == {
        *("elman-gru", "keras-lstm-reversed", "bahdanau2015-elman")
    }
    assert all(recipe.name == name for name, recipe in found.items())


@pytest.mark.parametrize(
    ("name", "original", "changed"),
    [
        ("elman-gru", "elman", {"model.encoder.kind", "model.decoder.kind"}),
        ("keras-lstm-reversed", "keras-lstm", {"model.encoder.reverse"}),
        ("bahdanau2015-elman", "bahdanau2015", {"model.encoder.kind", "model.decoder.kind"}),
    ],
)
def test_variants_change_what_they_are_named_for(
    workspace: Path, name: str, original: str, changed: set[str]
) -> None:
    from s2scli.training.checkpoint import settings_difference

    before, after = (
        recipe.model_dump(mode="json", exclude={"name"})
        for recipe in (load_recipe(original), compared(workspace)[name])
    )
    assert {line.split(":")[0] for line in settings_difference(before, after)} == changed
