"""`s2s doctor`: the installation, and a workspace that is sound, absent or damaged."""

import json
import re
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from s2scli import __version__
from s2scli.cli.app import app
from s2scli.cli.doctor import PROCESSOR, PURPOSES
from s2scli.pipeline import doctor
from s2scli.pipeline.doctor import Extra
from s2scli.translation.model_folder import WEIGHTS


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["doctor", *map(str, arguments)])


@pytest.fixture
def damaged(model: Path, tmp_path: Path) -> Path:
    """Return a workspace whose model is damaged."""
    copy = Path(shutil.copytree(model, tmp_path / "w" / "model"))
    (copy / WEIGHTS).write_bytes((copy / WEIGHTS).read_bytes()[:-1])
    return copy.parent


def test_a_sound_workspace_is_shown(model: Path) -> None:
    result = run("-w", model.parent)
    assert (result.exit_code, result.stderr) == (0, "")
    cells = [re.split(r"\s{2,}", line.strip()) for line in result.stdout.splitlines()]
    for cell in (["s2s", __version__], ["torch", torch.__version__], ["model", "sound"]):
        assert cell in cells
    assert ["corpus", "absent"] in cells
    assert all(any(name == cell[0] for cell in cells) for name in PROCESSOR.values())


def test_without_a_workspace_the_status_is_0(tmp_path: Path) -> None:
    result = run("-w", tmp_path / "none", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    assert re.search(r"^model +absent", result.stdout, re.MULTILINE)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named_and_has_its_status(damaged: Path) -> None:
    result = run("-w", damaged)
    assert result.exit_code == 65
    assert re.search(r"^model +damaged", result.stdout, re.MULTILINE)
    assert result.stderr.startswith(f"error: {damaged}: damaged: model;")
    assert result.stderr.count("\n") == 1


def test_json_is_one_document(damaged: Path, model: Path) -> None:
    document = json.loads(run("-w", model.parent, "--json").stdout)
    assert document["sound"] is True
    assert document["versions"]["s2s"] == __version__
    assert document["processor"].keys() == PROCESSOR.keys()
    result = run("-w", damaged, "--json")
    assert result.exit_code == 65
    document = json.loads(result.stdout)
    assert document["sound"] is False
    (one,) = [one for one in document["artifacts"] if one["state"] != "absent"]
    assert (one["kind"], one["path"], one["state"]) == ("model", str(damaged / "model"), "damaged")
    assert WEIGHTS in one["why"]


def test_a_missing_extra_has_its_install_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = Extra("fast", ("quick", "rapid"), "pip install 's2scli[fast]'")
    monkeypatch.setattr(doctor, "list_extras", lambda: (extra,))
    shown = run("-w", tmp_path).stdout
    assert re.search(r"^fast +pip install 's2scli\[fast\]' +quick, rapid", shown, re.MULTILINE)
    monkeypatch.setattr(doctor, "list_extras", lambda: ())
    assert "install" not in run("-w", tmp_path).stdout.partition("\n")[2]


def test_every_extra_for_users_says_what_it_is_for() -> None:
    names = {extra.name for extra in doctor.list_extras()}
    assert names - PURPOSES.keys() <= {"bench", "dev", "docs", "release"}
