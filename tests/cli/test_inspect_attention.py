"""`s2s inspect attention` on real model folders, untrained, with and without attention."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.inspecting import LETTERS, model_of, refused, run, run_json
from tests.folders import write_model


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
    return write_model(folder, LETTERS, *changes)


@pytest.fixture(scope="module")
def blind_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model_of(tmp_path_factory.mktemp("inspect") / "blind", "none")


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


@pytest.mark.parametrize("flags", [(), ("--grid",)])
def test_the_colours_are_for_a_light_terminal_or_a_dark_one(
    flags: tuple[str, ...], model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words: tuple[str | Path, ...] = ("attention", "A dog", "-m", model, "-f", "ansi", *flags)
    monkeypatch.setenv("COLORFGBG", "0;15")
    light, dark = run(*words).stdout, run(*words, "--dark").stdout
    assert light != dark
    monkeypatch.delenv("COLORFGBG")
    assert (run(*words, "--light").stdout, run(*words).stdout) == (light, dark)


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


def test_the_attention_of_the_step_that_reads_a_piece_is_shown(transformer: Path) -> None:
    words = ("attention", "A dog", "--target", "Ein Hund", "--layer", "2", "-m", transformer)
    same, later = (np.array(run_json(*words, *more)["weights"]) for more in ((), ("--later",)))
    np.testing.assert_array_equal(later, np.concatenate([same[1:], same[-1:]]))


def test_the_grid_is_shown(transformer: Path, tmp_path: Path) -> None:
    words = ("attention", "A dog", "-m", transformer, "--grid")
    shown = run(*words, "--width", "40").stdout
    assert re.findall(r"layer \d", shown) == ["layer 1", "layer 2", "layer 3"]
    assert re.findall(r"head \d", shown) == ["head 1", "head 2"] * 3
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
        (("--grid", "--threshold", "0"), "every layer and head: leave --threshold out"),
        (("--grid", "--half-blocks"), "every layer and head: leave --half-blocks out"),
        (("--grid", "--full-rows"), "every layer and head: leave --full-rows out"),
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


def test_a_file_that_cannot_be_written_is_named(model: Path) -> None:
    line = refused(run("attention", "A dog", "-m", model, "-o", "/dev/null/a.svg"), 74)
    assert "/dev/null/a.svg" in line


def test_an_unknown_suffix_is_refused(model: Path, tmp_path: Path) -> None:
    line = refused(run("attention", "A dog", "-m", model, "-o", tmp_path / "a.png"), 2)
    assert "unknown suffix '.png'; expected one of .txt, .json, .html, .htm, .svg" in line
    assert (
        run("attention", "A dog", "-m", model, "-o", tmp_path / "a.png", "-f", "svg").exit_code == 0
    )
