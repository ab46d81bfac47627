"""What the shell offers after Tab."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from s2scli.cli.completion import (
    complete_assignment,
    complete_model,
    complete_recipe,
    complete_workspace,
)
from s2scli.config import SIZE, Recipe, recipe_names
from s2scli.settings import list_settings
from tests.test_architecture import HEAVY


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder: a workspace, a model, and something else of each kind."""
    for file in ("ours/corpus/manifest.json", "ours/model/recipe.toml", "copied/recipe.toml"):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "mine.toml").write_text("")
    (tmp_path / "notes.txt").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_recipes_are_the_built_in_ones_and_files(here: Path) -> None:
    names = recipe_names()
    assert complete_recipe("") == [*names, "copied/", "mine.toml", "other/", "ours/"]
    assert complete_recipe("tr") == ["transformer-small", "transformer-tiny"]
    assert complete_recipe("copied/") == ["copied/recipe.toml"]
    assert complete_recipe("no-such/") == []


def test_settings_are_completed_to_their_paths() -> None:
    found = complete_assignment("training.")
    assert "training.optimizer.learning_rate=" in found
    assert all(path.startswith("training.") and path.endswith("=") for path in found)
    assert complete_assignment("model.si") == ["model.size="]
    assert complete_assignment("training.see") == ["training.seed="]


def test_models_are_offered_alone_or_in_their_workspace(here: Path) -> None:
    assert complete_model("") == ["copied", "ours/model"]
    assert complete_model("ou") == ["ours/model"]
    assert complete_model("ours/") == ["ours/model"]
    assert complete_model(f"{here}/co") == [f"{here}/copied"]
    assert complete_model("ot") == ["other/"]
    assert complete_model(".h") == [".hidden/"]


def test_workspaces_are_offered_before_other_folders(here: Path) -> None:
    assert complete_workspace("") == ["ours"]
    assert complete_workspace("ot") == ["other/"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("s2s train -r trans", ["transformer-small", "transformer-tiny"]),
        ("s2s inspect recipe cho", ["cho2014"]),
        ("s2s compare tiny cho", ["cho2014"]),
        ("s2s train --set training.see", ["training.seed="]),
        ("s2s translate -m ou", ["ours/model"]),
        ("s2s train --init-from co", ["copied"]),
        ("s2s doctor -w ou", ["ours"]),
        ("s2s train --size sm", ["small"]),
        ("s2s train-t", ["train-tokenizer"]),
    ],
)
def test_bash_gets_them_without_the_heavy_libraries(
    here: Path, words: str, offered: list[str]
) -> None:
    program = f"""
import atexit, json, sys
atexit.register(lambda: print(json.dumps([each for each in {HEAVY!r} if each in sys.modules])))
sys.argv = ["s2s"]
from s2scli.__main__ import main
main()
"""
    asked = {
        "_S2S_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }
    result = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=os.environ | asked,
    )
    *lines, heavy = result.stdout.splitlines()
    assert (lines, json.loads(heavy)) == (offered, []), result.stderr


def test_every_setting_of_a_recipe_is_offered() -> None:
    declared = {re.sub(r"\[.*?\]", "", row.path) for row in list_settings(Recipe)}
    offered = [text.removesuffix("=") for text in complete_assignment("")]
    assert len(offered) == len(set(offered))
    assert set(offered) == {path for path in declared if "." in path} | {SIZE}
