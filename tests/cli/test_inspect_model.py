"""`s2s inspect model`, and what it says of a folder that holds none."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from s2scli.config import load_recipe
from s2scli.translation.model_folder import WEIGHTS
from tests.cli.inspecting import refused, run, run_json


def test_a_model_is_described(model: Path) -> None:
    document = run_json("model", "-m", model)
    recipe = load_recipe(str(model / "recipe.toml"))
    assert document["recipe"] == recipe.model_dump(mode="json")
    assert document["training"]["step"] == 1234
    assert document["vocab_size"].keys() == {"joint"}
    counts = [np.prod(tensor["shape"], dtype=int) for tensor in document["tensors"]]
    assert counts == [tensor["count"] for tensor in document["tensors"]]
    assert document["parameters"]["total"] == sum(counts) == document["training"]["parameters"]
    assert sum(document["parameters"]["parts"].values()) == sum(counts)


def test_a_model_is_shown_as_tables(model: Path) -> None:
    result = run("model", "-m", model, "-v")
    shown = result.stdout
    assert "-v" not in result.stderr
    assert "encoder.recurrence.weight_hh_l0" in shown
    assert "96 × 32" in shown
    assert re.search(r"joint vocabulary +\d+", shown)
    assert re.search(r"total +[\d,]+", shown)
    assert re.search(r"^training.batch_tokens +1024 ", shown, re.MULTILINE)


def test_defaults_and_tensors_are_shown_only_if_asked_for(model: Path) -> None:
    result = run("model", "-m", model)
    assert "encoder.recurrence.weight_hh_l0" not in result.stdout
    assert re.search(r"^training.batch_tokens +1024 +4096 ", result.stdout, re.MULTILINE)
    assert "training.seed" not in result.stdout
    assert result.stdout.count("\n") < 40
    assert result.stderr.endswith("-v shows everything\n")
    assert result.stderr.count("\n") == 1
    assert run("model", "-m", model, "-q").stderr == ""
    assert run_json("model", "-m", model) == json.loads(
        run("model", "-m", model, "-v", "--json").stdout
    )


@pytest.mark.parametrize("command", [("attention", "A dog"), ("model",)])
def test_a_missing_model_is_named(command: tuple[str, ...], tmp_path: Path) -> None:
    line = refused(run(*command, "-w", tmp_path), 66)
    assert f"{tmp_path / 'model'}: no model here" in line
    assert "s2s train" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [("attention", "A dog"), ("model",)])
def test_a_damaged_model_is_refused(command: tuple[str, ...], model: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    weights = bytearray((copy / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (copy / WEIGHTS).write_bytes(weights)
    assert f"{WEIGHTS}: damaged" in refused(run(*command, "-m", copy), 65)
