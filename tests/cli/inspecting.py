"""What the tests of `s2s inspect` share."""

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.folders import letters_of, write_model

LETTERS = letters_of(("A dog runs .", "Two dogs run through the grass .", "Ein Hund rennt .") * 4)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["inspect", *map(str, arguments)])


def run_json(*arguments: str | Path) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refused(result: Result, status: int) -> str:
    """The one line of a refusal."""
    assert result.exit_code == status
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.stderr


def model_of(folder: Path, attention: str) -> Path:
    """Write an untrained model with this kind of attention."""
    changes = (f"model.attention={{kind='{attention}'}}", "search.max_length_ratio=0.1")
    return write_model(folder, LETTERS, *changes)
