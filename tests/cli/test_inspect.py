"""`s2s inspect` on a real model folder, untrained, with and without attention."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.config import Recipe, load_recipe, recipe_names
from s2scli.pipeline.model_folder import WEIGHTS
from s2scli.settings import list_settings
from tests.folders import letters_of, write_model

TEXTS = ("A dog runs .", "Two dogs run through the grass .", "Ein Hund rennt .") * 4
UPDATES = [
    {"kind": "update", "step": s, "epoch": s / 10, "loss": 9 - s / 10, "seconds": 6.0 * s}
    for s in range(10, 60, 10)
]
VALIDATIONS = [
    {
        "kind": "validation",
        "step": step,
        "epoch": step / 10,
        "seconds": 6.0 * step,
        "scores": {"loss": 8 - bleu / 10, "bleu": bleu, "exact_match": 0.0},
        "best": best,
    }
    for step, bleu, best in ((0, 0.0, True), (30, 12.5, True), (50, 11.0, False))
]


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
    changes = (f"model.attention={{kind='{attention}'}}", "search.max_length_ratio=0.1")
    return write_model(folder, letters_of(TEXTS), *changes)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(tmp_path_factory.mktemp("inspect") / "model", "dot")


@pytest.fixture(scope="module")
def transformer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three decoder layers of two heads."""
    changes = (
        "model.decoder={kind='transformer',model_dim=32,num_layers=3,num_heads=2,ffn_dim=32}",
        "model.attention={kind='multi_head',num_heads=2}",
        "model.connection={kind='none'}",
        "search.max_length_ratio=0.1",
    )
    folder = tmp_path_factory.mktemp("inspect") / "transformer"
    return write_model(folder, letters_of(TEXTS), *changes)


@pytest.fixture(scope="module")
def blind_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(tmp_path_factory.mktemp("inspect") / "blind", "none")


@pytest.fixture
def metrics(tmp_path: Path) -> Callable[..., Path]:
    """Write lines of `metrics.jsonl` and return the workspace."""

    def write(*lines: object) -> Path:
        folder = tmp_path / "training"
        folder.mkdir()
        texts = [line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines]
        (folder / "metrics.jsonl").write_text("".join(texts))
        return tmp_path

    return write


def files_of(folder: Path) -> list[tuple[str, int]]:
    return sorted((path.name, path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_attention_of_a_translation_is_shown_and_nothing_is_written(model: Path) -> None:
    before = files_of(model.parent)
    result = run("attention", "A dog", "-m", model)
    assert result.exit_code == 0
    assert result.stdout.startswith("A dog\n")
    assert "weight bits prob" in result.stdout
    assert "\x1b" not in result.stdout
    assert result.stderr == ""
    assert files_of(model.parent) == before


def test_a_given_target_is_forced(model: Path) -> None:
    document = run_json("attention", "A dog", "--target", "Ein Hund", "-m", model)
    assert document["target"] == "Ein Hund"
    weights = np.array(document["weights"])
    assert weights.shape == (len(document["target_pieces"]), len(document["source_pieces"]))
    assert weights.sum(axis=1) == pytest.approx(np.ones(len(weights)), abs=1e-5)
    assert len(document["token_scores"]) == len(weights)


def test_the_workspace_holds_the_model(model: Path) -> None:
    one = run("attention", "A dog", "-m", model).stdout
    assert run("attention", "A dog", "-w", model.parent).stdout == one


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.html", "<!doctype html>"), ("a.svg", "<svg "), ("a.json", "{\n"), ("a.txt", "A dog\n")],
)
def test_a_file_is_written_in_the_format_of_its_suffix(
    name: str, begins: str, model: Path, tmp_path: Path
) -> None:
    result = run("attention", "A dog", "-m", model, "-o", tmp_path / name)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.replace("\n", "") == f"wrote {tmp_path / name}"
    assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_the_format_asked_for_wins(model: Path, tmp_path: Path) -> None:
    run("attention", "A dog", "-m", model, "-o", tmp_path / "a.svg", "-f", "html")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<!doctype html>")
    coloured = run("attention", "A dog", "-m", model, "-f", "ansi").stdout
    plain = run("attention", "A dog", "-m", model, "-f", "plain").stdout
    assert "\x1b[48;2;" in coloured
    assert "\x1b" not in plain


def test_the_width_is_kept(model: Path) -> None:
    shown = run("attention", "Two dogs run . " * 4, "-m", model, "--width", "40").stdout
    assert max(map(len, shown.splitlines())) <= 40


def test_hostile_text_is_harmless(model: Path, tmp_path: Path) -> None:
    text = "\x1b[31m[link=x]<script>\x07"
    shown = run("attention", text, "-m", model).stdout
    assert shown.startswith("␛[31m[link=x]<script>␇\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", shown)
    run("attention", text, "-m", model, "-o", tmp_path / "a.html")
    assert "<script" not in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_every_layer_and_head_of_a_transformer_can_be_seen(transformer: Path) -> None:
    words = ("attention", "A dog", "--target", "Ein Hund", "-m", transformer)
    grid = run_json(*words, "--grid")
    weights = np.array([one["weights"] for one in grid["maps"]])
    assert len(weights) == 3 * 2
    assert weights.sum(axis=-1) == pytest.approx(np.ones(weights.shape[:2]), abs=1e-5)
    assert len({str(one["weights"]) for one in grid["maps"]}) == 6

    def seen(*flags: str) -> Any:
        return pytest.approx(np.array(run_json(*words, *flags)["weights"]), abs=1e-6)

    assert weights[4] == seen("--layer", "3", "--head", "1")
    assert weights[2:4].mean(axis=0) == seen("--head", "mean")
    assert weights[2:4].mean(axis=0) == seen("--layer", "2")
    few = np.argsort([-one["alignment_quality"] for one in grid["maps"]], kind="stable")[:2]
    assert weights[few].mean(axis=0) == seen()
    assert weights.mean(axis=0) == seen("--layer", "all")
    best = 2 * (grid["best"]["layer"] - 1) + grid["best"]["head"] - 1
    assert weights[best] == seen("--head", "best")
    shown = run(*words, "--layer", "1", "--head", "max").stdout
    assert "layer 1, max of 2 heads · mean entropy" in " ".join(shown.split())


def test_the_grid_is_shown(transformer: Path, tmp_path: Path) -> None:
    words = ("attention", "A dog", "-m", transformer, "--grid")
    shown = run(*words, "--width", "40").stdout
    assert re.findall(r"L\d H\d", shown) == [f"L{la} H{h}" for la in (1, 2, 3) for h in (1, 2)]
    assert "\x1b" not in shown
    assert max(map(len, shown.splitlines())) <= 40
    assert "\x1b[38;2;" in run(*words, "-f", "ansi").stdout
    for name, begins in (("a.html", "<!doctype html>"), ("a.svg", "<svg "), ("a.txt", "A dog\n")):
        assert run(*words, "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_a_recurrent_model_is_a_grid_of_one(model: Path) -> None:
    assert len(run_json("attention", "A dog", "-m", model, "--grid")["maps"]) == 1
    document = run_json("attention", "A dog", "-m", model, "--layer", "1", "--head", "1")
    assert document == run_json("attention", "A dog", "-m", model)
    assert document["map"] == ""


@pytest.mark.parametrize("name", ["model", "transformer"])
def test_words_are_aligned_as_pharaoh_writes_them(
    name: str, request: pytest.FixtureRequest
) -> None:
    words = ("attention", "A big dog", "--target", "Ein Hund", "-f", "pharaoh", "-m")
    folder = request.getfixturevalue(name)
    line = run(*words, folder).stdout
    assert re.fullmatch(r"(\d-\d( \d-\d)*)?\n", line)
    every = run(*words, folder, "--threshold", "0").stdout
    assert every == "0-0 1-0 2-0 0-1 1-1 2-1\n"
    assert set(line.split()) <= set(every.split())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--layer", "4"), "--layer 4: the decoder attends with 3 layers; choose 1 to 3 or all"),
        (("--head", "x"), "--head x: the decoder attends with 2 heads; choose 1 to 2, mean, max"),
        (("--grid", "--head", "1"), "--grid shows every layer and head: leave --layer and --head"),
        (("--grid", "-f", "pharaoh"), "-f pharaoh writes the words of one map: leave --grid out"),
    ],
)
def test_maps_that_are_not_there_are_refused(
    flags: tuple[str, ...], message: str, transformer: Path
) -> None:
    assert message in refused(run("attention", "A dog", "-m", transformer, *flags), 2)


def test_a_model_without_attention_names_recipes_that_have_it(blind_model: Path) -> None:
    line = refused(run("attention", "A dog", "-m", blind_model), 2)
    assert "has no attention" in line
    assert "bahdanau2015" in line
    assert "elman" not in line


def test_an_empty_text_is_refused(model: Path) -> None:
    assert "the text is empty" in refused(run("attention", "  ", "-m", model), 2)


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


def test_a_file_that_cannot_be_written_is_named(model: Path) -> None:
    line = refused(run("attention", "A dog", "-m", model, "-o", "/dev/null/a.svg"), 74)
    assert "/dev/null/a.svg" in line


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
    shown = run("model", "-m", model).stdout
    assert "encoder.recurrence.weight_hh_l0" in shown
    assert "96 × 32" in shown
    assert re.search(r"joint vocabulary +\d+", shown)
    assert re.search(r"total +[\d,]+", shown)
    assert re.search(r"^training.batch_tokens +1024 ", shown, re.MULTILINE)


def test_the_recipe_of_a_workspaces_model_is_shown(model: Path, tmp_path: Path) -> None:
    recipe = load_recipe(str(model / "recipe.toml")).model_dump(mode="json")
    assert run_json("recipe", "-w", model.parent) == recipe
    assert [one["name"] for one in run_json("recipe", "-w", tmp_path)] == recipe_names()


def test_an_unknown_suffix_is_refused(model: Path, tmp_path: Path) -> None:
    line = refused(run("attention", "A dog", "-m", model, "-o", tmp_path / "a.png"), 2)
    assert "no format is known by .png; there are .txt, .json, .html, .htm, .svg" in line
    assert (
        run("attention", "A dog", "-m", model, "-o", tmp_path / "a.png", "-f", "svg").exit_code == 0
    )


def test_a_run_is_drawn(metrics: Callable[..., Path]) -> None:
    shown = run("training", "-w", metrics(*UPDATES, *VALIDATIONS)).stdout
    assert "training loss" in shown
    assert "● validation loss" in shown
    assert "validation bleu" in shown
    assert "validation exact_match" not in shown  # it never changed
    assert re.search(r"^step +30 +50 *$", shown, re.MULTILINE)
    assert re.search(r"^bleu +12.5 +11 *$", shown, re.MULTILINE)
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_a_run_as_json(metrics: Callable[..., Path]) -> None:
    document = run_json("training", "-w", metrics(*UPDATES, *VALIDATIONS))
    assert document["best"]["step"] == 30
    assert document["best"]["bleu"] == 12.5
    assert [line["step"] for line in document["updates"]] == [10, 20, 30, 40, 50]
    assert [line["step"] for line in document["validations"]] == [0, 30, 50]


def test_values_that_are_not_finite_are_null(metrics: Callable[..., Path]) -> None:
    diverged = {**UPDATES[0], "loss": float("nan"), "gradient_norm": None}
    document = run_json("training", "-w", metrics(diverged))
    assert document["updates"][0]["loss"] is None
    assert document["updates"][0]["gradient_norm"] is None
    assert document["best"] is None


def test_a_last_line_cut_short_is_left_out(metrics: Callable[..., Path]) -> None:
    workspace = metrics(*UPDATES, '{"kind": "update", "st')
    assert len(run_json("training", "-w", workspace)["updates"]) == len(UPDATES)
    assert run("training", "-w", workspace).exit_code == 0


@pytest.mark.parametrize("lines", [None, []])
def test_a_run_that_recorded_nothing_is_refused(
    lines: list[str] | None, metrics: Callable[..., Path], tmp_path: Path
) -> None:
    workspace = tmp_path if lines is None else metrics(*lines)
    line = refused(run("training", "-w", workspace), 66)
    assert "metrics.jsonl: no training to look at yet" in line


@pytest.mark.parametrize(
    "record",
    [
        {"kind": "sonnet", "step": 1, "epoch": 0, "seconds": 1},
        {"kind": "update", "step": "x", "epoch": 0, "seconds": 1},
        {"kind": "update", "step": 1, "epoch": 0},
        {"kind": "validation", "step": 1, "epoch": 0, "seconds": 1, "scores": 3},
        {"kind": "update", "step": 1, "epoch": 0, "seconds": 1, "loss": [1]},
    ],
)
def test_a_record_of_another_kind_is_damage(
    record: dict[str, Any], metrics: Callable[..., Path]
) -> None:
    line = refused(run("training", "-w", metrics(record)), 65)
    assert "metrics.jsonl: damaged" in line


def test_all_recipes_are_listed() -> None:
    shown = run("recipe").stdout
    assert all(f"\n{name} " in shown for name in recipe_names())
    assert [recipe["name"] for recipe in run_json("recipe")] == recipe_names()


def test_a_recipe_resolves_to_its_values() -> None:
    result = run("recipe", "bahdanau2015", "--set", "model.encoder.model_dim=77")
    assert re.search(r"^model.encoder.model_dim +77 +256 +units", result.stdout, re.MULTILINE)
    assert "model.attention.kind" in result.stdout
    document = run_json("recipe", "bahdanau2015")
    assert document == load_recipe("bahdanau2015").model_dump(mode="json")


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


@pytest.mark.parametrize("flags", [("--toml",), ("--set", "a=b")])
def test_changes_need_a_recipe(flags: tuple[str, ...]) -> None:
    assert "need a recipe" in refused(run("recipe", *flags), 2)


@pytest.fixture(scope="module")
def matrix() -> object:
    from s2scli.model.combinations import make_matrix

    return make_matrix()


@pytest.fixture
def made_once(matrix: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("s2scli.model.combinations.make_matrix", lambda: matrix)


@pytest.mark.usefixtures("made_once")
def test_combinations_are_counted_and_refusals_explained() -> None:
    shown = run("recipe", "--combinations").stdout
    assert re.match(r"2,\d\d\d of 3,\d\d\d combinations make a model:\n", shown)
    assert re.search(r"^lstm +188 +188 +230 +35$", shown, re.MULTILINE)
    assert re.search(r"^model.decoder.attend +before, after *$", shown, re.MULTILINE)
    assert re.search(r"^144 +model.connection.kind: last needs an encoder", shown, re.MULTILINE)
    assert "decoder.kind = elman, gru, lstm; decoder.attend = before" in shown


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
    assert "give it alone" in refused(run("recipe", "--combinations", *other), 2)
