"""`s2s inspect search` on an untrained model."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app
from tests.cli.inspecting import LETTERS, refused, run, run_json
from tests.folders import write_model


def translated(text: str, model: Path, *flags: str) -> dict[str, object]:
    words = ["translate", "-m", str(model), "--json", *flags, "--device", "cpu"]
    result = CliRunner().invoke(app, words, input=f"{text}\n")
    found: dict[str, object] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with opinions."""
    return write_model(tmp_path_factory.mktemp("search") / "model", LETTERS, scale=3.0)


@pytest.mark.parametrize("flags", [(), ("--beam-size", "2", "--length-penalty", "0.5")])
def test_the_first_rank_is_the_translation(flags: tuple[str, ...], decided: Path) -> None:
    more = (*flags, "--max-length", "9")
    found = run_json("search", "A dog", "-m", decided, *more)
    expected = translated("A dog", decided, *more)["hypotheses"]
    assert isinstance(expected, list)
    assert found["ended"][0]["text"] == expected[0]["text"]
    assert found["ended"][0]["score"] == pytest.approx(expected[0]["score"], abs=1e-5)
    scores = [one["score"] for one in found["ended"]]
    assert scores == sorted(scores, reverse=True)


def test_the_tree_is_shown_and_written(decided: Path, tmp_path: Path) -> None:
    words = ("search", "A \x1b dog", "-m", decided, "--max-length", "6", "--beam-size", "3")
    shown = run(*words).stdout
    assert shown.startswith("A ␛ dog\nbeam size 3, length penalty 1.0, max length 6\n")
    assert "\nbegin" in shown and "■ rank 1" in shown and "hypothesis" in shown
    assert "\x1b" not in shown
    for name, begins in (("a.html", "<!doctype html>"), ("a.json", "{\n"), ("a.txt", "A ␛ dog\n")):
        assert run(*words, "-o", tmp_path / name).exit_code == 0
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)


def test_what_cannot_be_searched_is_refused(decided: Path, tmp_path: Path) -> None:
    assert "the text is empty" in refused(run("search", " ", "-m", decided), 2)
    assert "too long" in refused(run("search", "dog " * 999, "-m", decided), 65)
    assert "--n-best 3" in refused(
        run("search", "a", "-m", decided, "--beam-size", "1", "--nbest", "3"), 2
    )
    sampling = write_model(tmp_path / "sampling", LETTERS, "search.sample=true")
    assert "this model samples" in refused(run("search", "a", "-m", sampling), 2)
