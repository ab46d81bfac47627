"""`s2s inspect errors` on a trained workspace and on a table of outputs."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app
from tests.cli.inspecting import refused, run, run_json

ROWS = [
    ("one two three", "drei zwei eins", "drei zwei eins", "100.00"),
    ("four five", "fünf vier 45", "fünf vier 54", "60.00"),
    ("six strange seven", "sieben sechs acht neun", "sechs", "20.00"),
]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "outputs.tsv"
    path.write_text("".join("\t".join(row) + "\n" for row in ROWS))
    return path


def test_a_table_is_inspected_without_a_model(table: Path, tmp_path: Path) -> None:
    found = run_json("errors", table, "-w", tmp_path)
    assert [one["number"] for one in found["worst"]] == [3, 2, 1]
    assert found["worst"][0]["kinds"] == ["omission"]
    assert found["worst"][1]["kinds"] == ["number"]
    assert (found["sentences"], found["by_rare"]) == (3, [])
    assert [group["sentences"] for group in found["by_length"]] == [3, 0, 0, 0, 0]
    assert {group["name"]: group["sentences"] for group in found["by_kind"]} == {
        **{"omission": 1, "repeat": 0, "unknown": 0},
        **{"copied": 0, "number": 1},
    }


def test_rare_words_are_counted_in_the_training_split(table: Path, trained_workspace: Path) -> None:
    found = run_json("errors", table, "-w", trained_workspace, "--by", "rare", "-n", "1")
    assert found["worst"][0]["rare"] == ["strange"]
    assert [group["sentences"] for group in found["by_rare"]] == [2, 1, 0, 0]


def test_a_kind_and_an_order_are_chosen(table: Path, tmp_path: Path) -> None:
    words = ("errors", table, "-w", tmp_path)
    assert [one["number"] for one in run_json(*words, "--kind", "number")["worst"]] == [2]
    assert run_json(*words, "--by", "length")["worst"][0]["number"] == 3
    assert run_json(*words, "-n", "0")["worst"] == []


def test_the_split_is_translated_as_evaluate_does(trained_workspace: Path, tmp_path: Path) -> None:
    output = tmp_path / "outputs.tsv"
    words = ["evaluate", "-w", str(trained_workspace), "--chrf", "--resamples", "0", "-q"]
    assert CliRunner().invoke(app, [*words, "-o", str(output)]).exit_code == 0
    ours = run_json("errors", "-w", trained_workspace, "-n", "999")
    theirs = run_json("errors", output, "-w", trained_workspace, "-n", "999")
    assert ours["worst"] == theirs["worst"]
    assert ours["chrf"] == pytest.approx(theirs["chrf"])


def test_it_is_shown_in_every_format(table: Path, tmp_path: Path) -> None:
    shown = run("errors", table, "-w", tmp_path).stdout
    assert shown.startswith("outputs.tsv: 3 outputs, mean chrF ")
    assert "reference  fünf vier [-45-]\noutput     fünf vier {+54+}\n" in shown
    assert "line 3 · chrF" in shown and "omission" in shown
    page = run("errors", table, "-w", tmp_path, "--html").stdout
    assert page.startswith("<!doctype html>") and "<del>45</del>" in page
    assert run("errors", table, "-w", tmp_path, "-f", "json").stdout.startswith("{\n")
    for name in ("a.html", "a.txt"):
        assert run("errors", table, "-w", tmp_path, "-o", tmp_path / name).exit_code == 0
    written, sentence = (tmp_path / "a.txt").read_text(), "reference  fünf vier [-45-]"
    assert written[written.index(sentence) :] == shown[shown.index(sentence) :]
    assert (tmp_path / "a.html").read_text() == page


def test_what_cannot_be_inspected_is_refused(
    table: Path, tmp_path: Path, tone_workspace: Path
) -> None:
    line = refused(run("errors", table, "-w", tmp_path, "--by", "rare"), 2)
    assert "--by rare counts words in the training split" in line
    (tmp_path / "bad.tsv").write_text("a\tb\tc\na\tb\n")
    line = refused(run("errors", tmp_path / "bad.tsv", "-w", tmp_path), 65)
    assert "bad.tsv, line 2: found 2 columns, expected source, reference, output" in line
    (tmp_path / "empty.tsv").write_text("")
    assert "the file is empty" in refused(run("errors", tmp_path / "empty.tsv", "-w", tmp_path), 65)
    (tmp_path / "odd.tsv").write_bytes(b"a\tb\t\xff\n")
    assert "odd.tsv, line 1" in refused(run("errors", tmp_path / "odd.tsv", "-w", tmp_path), 65)
    assert "no such file" in refused(run("errors", tmp_path / "none.tsv", "-w", tmp_path), 66)
    assert "no corpus here" in refused(run("errors", "-w", tmp_path), 66)
    for name, status in (("a.pdf", 2), ("none/a.html", 74)):  # before anything is read
        line = refused(run("errors", "-w", tmp_path, "-o", tmp_path / name), status)
        assert f"{tmp_path / name}: " in line
    for flag in (["--split", "test"], ["--model", "m"], ["--device", "cpu"]):
        line = refused(run("errors", table, "-w", tmp_path, *flag), 2)
        assert f"{flag[0]} has no effect with a table" in line
    assert "corpora of text" in refused(run("errors", "-w", tone_workspace), 2)
