"""`s2s inspect recipe`: the recipes, what one resolves to, every setting and combination."""

import re
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from s2scli.config import Recipe, load_recipe, recipe_names
from s2scli.model.combinations import Matrix, make_matrix
from s2scli.pipeline.inspect_recipe import estimate_footprint
from s2scli.settings import list_settings
from tests.cli.inspecting import refused, run, run_json


def without_estimate(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "estimate"}


def test_the_recipe_of_a_workspaces_model_is_shown(model: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(model / "recipe.toml")).model_dump(mode="json")
    assert without_estimate(run_json("recipe", "-w", model.parent)) == recipe
    assert [one["name"] for one in run_json("recipe", "-w", tmp_path)] == recipe_names()


def test_all_recipes_are_listed() -> None:
    shown = run("recipe").stdout
    assert all(f"\n{name} " in shown for name in recipe_names())
    assert [recipe["name"] for recipe in run_json("recipe")] == recipe_names()


def test_a_recipe_resolves_to_its_values() -> None:
    result = run("recipe", "bahdanau2015", "--set", "model.encoder.model_dim=77")
    assert re.search(r"^model.encoder.model_dim +77 +256 +units", result.stdout, re.MULTILINE)
    assert "model.attention.kind" not in result.stdout
    assert "settings at their defaults are not shown; -v shows all" in result.stderr
    document = run_json("recipe", "bahdanau2015")
    assert without_estimate(document) == load_recipe("bahdanau2015").model_dump(mode="json")


def test_all_settings_are_listed_if_asked_for() -> None:
    result = run("recipe", "bahdanau2015", "-v")
    assert re.search(r'^model.attention.kind +"additive" ', result.stdout, re.MULTILINE)
    settings = set(re.findall(r"^[a-z]+\.[\w.]+", result.stdout, re.MULTILINE))
    differing = set(
        re.findall(r"^[a-z]+\.[\w.]+", run("recipe", "bahdanau2015").stdout, re.MULTILINE)
    )
    assert len(differing) < 20 < 60 < len(settings)
    assert differing < settings
    assert "-v" not in result.stderr
    assert "-v" not in run("recipe", "bahdanau2015", "--json").stderr


def test_the_size_of_the_model_and_its_training_is_told() -> None:
    def told(*changes: str) -> str:
        words = (word for change in changes for word in ("--set", change))
        return " ".join(run("recipe", "transformer-tiny", *words).stdout.split())

    size = r"([\d,]+) parameters with a joint vocabulary of 8,000; training keeps about [\d,]+ MB"
    small, large = (re.search(size, each) for each in (told(), told("model.encoder.num_layers=9")))
    assert small and large
    assert int(small[1].replace(",", "")) < int(large[1].replace(",", ""))
    assert "no model can be built: model.encoder.num_heads: " in told("model.encoder.num_heads=3")


def test_json_has_the_size_estimate_or_why_there_is_none() -> None:
    recipe = load_recipe("tiny")
    assert run_json("recipe", "tiny")["estimate"] == asdict(estimate_footprint(recipe))
    document = run_json("recipe", "transformer-tiny", "--set", "model.encoder.num_heads=3")
    assert document["estimate"].keys() == {"error"}
    assert document["estimate"]["error"].startswith("model.encoder.num_heads: ")


def test_a_size_changes_the_recipe() -> None:
    shown = run_json("recipe", "elman", "--size", "tiny", "--set", "model.encoder.num_layers=3")
    assert (
        shown["model"]["encoder"] | {"model_dim": 256, "num_layers": 3} == shown["model"]["encoder"]
    )
    assert shown["model"]["source"]["embedding_dim"] == 128
    line = refused(run("recipe", "elman", "--size", "huge"), 2)
    assert "--size: model.size: expected tiny, small, base, found 'huge'" in line


@pytest.mark.parametrize("name", recipe_names())
def test_every_value_of_a_recipe_is_listed(name: str) -> None:
    def leaves(tree: dict[str, Any], prefix: str = "") -> set[str]:
        return {
            path
            for key, value in tree.items()
            for path in (
                leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]
            )
        }

    shown = run("recipe", name, "--settings").stdout
    listed = set(re.findall(r"^([\w.]+) = ", shown, re.MULTILINE))
    tree = load_recipe(name).model_dump(mode="json")
    assert listed == leaves(tree) - {"name", "paper", "description"}


def test_a_recipe_as_toml_is_a_recipe(tmp_path: Path) -> None:
    result = run("recipe", "luong2015", "--toml")
    assert tomllib.loads(result.stdout)["name"] == "luong2015"
    (tmp_path / "mine.toml").write_text(result.stdout, encoding="utf-8")
    assert load_recipe(str(tmp_path / "mine.toml")) == load_recipe("luong2015")


def test_every_setting_is_explained() -> None:
    rows = list(list_settings(Recipe))
    assert [row["path"] for row in run_json("recipe", "--settings")] == [row.path for row in rows]
    shown = " ".join(run("recipe", "--settings").stdout.split())
    assert all(" ".join(row.help.split()) in shown for row in rows)


def test_an_unknown_recipe_offers_the_nearest() -> None:
    line = refused(run("recipe", "badanau2015"), 78)
    assert "did you mean bahdanau2015?" in line


def test_an_unknown_setting_offers_the_nearest() -> None:
    line = refused(run("recipe", "elman", "--set", "model.encoder.model_dims=3"), 78)
    assert "model_dim?" in line


@pytest.mark.parametrize("flags", [("--toml",), ("--set", "a=b"), ("--size", "tiny")])
def test_changes_need_a_recipe(flags: tuple[str, ...]) -> None:
    assert "need a recipe" in refused(run("recipe", *flags), 2)


@pytest.mark.parametrize("flag", ["--json", "--settings"])
def test_toml_is_not_shown_in_another_way(flag: str) -> None:
    line = refused(run("recipe", "tiny", "--toml", flag), 2)
    assert f"--toml prints a recipe as TOML: leave {flag} out" in line


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return make_matrix()


@pytest.fixture
def made_once(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2scli.pipeline.inspect_recipe.make_matrix", lambda: matrix)


@pytest.mark.gate
@pytest.mark.usefixtures("made_once")
def test_combinations_are_counted_and_refusals_explained() -> None:
    shown = run("recipe", "--combinations").stdout
    assert re.match(r"2,\d\d\d of 3,\d\d\d combinations make a model:\n", shown)
    assert re.search(r"^lstm +188 +188 +230 +35 +35 *$", shown, re.MULTILINE)
    assert re.search(r"^model.decoder.attend +before, after *$", shown, re.MULTILINE)
    assert re.search(r"^144 +model.connection.kind: last needs an encoder", shown, re.MULTILINE)
    assert "decoder.kind = elman, gru, lstm; decoder.attend = before" in shown


@pytest.mark.gate
@pytest.mark.usefixtures("made_once")
def test_combinations_as_json() -> None:
    document = run_json("recipe", "--combinations")
    assert document["count"] == len(document["combinations"])
    refused = sum(refusal["count"] for refusal in document["refusals"])
    assert document["count"] + refused == document["total"]
    assert {
        "encoder.kind": "transformer",
        "decoder.kind": "lstm",
        "decoder.attend": "before",
        "decoder.input_feeding": True,
        "attention.kind": "multi_head",
        "connection.kind": "max",
        "connection.every_step": True,
    } in document["combinations"]


@pytest.mark.parametrize("other", [("tiny",), ("--settings",), ("--toml",), ("--set", "name=x")])
def test_combinations_stand_alone(other: tuple[str, ...]) -> None:
    assert "takes no recipe and no other option" in refused(
        run("recipe", "--combinations", *other), 2
    )
