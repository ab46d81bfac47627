"""A corpus of recordings, from `prepare` to `evaluate`: what is shown, and how it is scored."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import s2scli
from s2scli.cli.app import app
from s2scli.cli.prepare import report_tables
from s2scli.config import load_recipe
from s2scli.data.accounting import FileAccount, Report, SplitSummary
from s2scli.report.console import make_console
from s2scli.sides import Picture, Sides, Sound
from tests.sounds import RATE

SPEECH = {"wer", "cer", "exact_match"}


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_character_error_rate_chooses_the_best_model_of_speech() -> None:
    speech = Sides(Sound(RATE))
    recipe = load_recipe("tiny", sides=speech)
    assert recipe.training.metric == "cer"
    assert not recipe.criterion.higher_is_better
    assert load_recipe("tiny", ["training.metric=wer"], sides=speech).training.metric == "wer"
    assert load_recipe("tiny").training.metric == "chrf"
    pictures = Sides(Picture(8, 8, 1))
    assert load_recipe("tiny", sides=pictures).training.metric == "chrf"


def test_validation_computes_the_error_rates(tone_workspace: Path) -> None:
    lines = (tone_workspace / "training" / "metrics.jsonl").read_text().splitlines()
    scores = [record["scores"] for record in map(json.loads, lines) if "scores" in record]
    assert scores
    for one in scores:
        assert {"bleu", "chrf", *SPEECH} <= one.keys()


def test_evaluate_shows_the_error_rates(tone_workspace: Path, tmp_path: Path) -> None:
    document = json.loads(run("evaluate", "-w", tone_workspace, "--json"))
    assert [score["name"] for score in document["scores"]] == ["WER", "CER", "exact match"]
    found = s2scli.evaluate(tone_workspace, metrics=["chrf"], examples=1)
    assert [score.name for score in found.scores] == ["chrF2"]
    assert found.examples[0].as_json()["source"].endswith(".wav")


def test_evaluate_of_text_is_as_before(trained_workspace: Path, tmp_path: Path) -> None:
    document = json.loads(run("evaluate", "-w", trained_workspace, "--json"))
    assert [score["name"] for score in document["scores"]] == ["BLEU", "chrF2", "exact match"]
    (tmp_path / "out.txt").write_text("a\n")
    shown = run(
        "evaluate", "--hypothesis", tmp_path / "out.txt", "--reference", tmp_path / "out.txt"
    )
    assert "BLEU" in shown
    assert "WER" not in shown


def shown_rows(report: Report) -> dict[str, list[str]]:
    """Return the cells of each row of the tables."""
    console = make_console(width=200)
    with console.capture() as capture:
        for table in report_tables(report):
            console.print(table)
    lines = [line.split("  ") for line in capture.get().splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    return {row[0]: row[1:] for row in rows if row}


def report_of(sides: Sides, source_size: float) -> Report:
    account = FileAccount("corpus", ("a.tsv",), ("",), 9000, 9000, {})
    return Report(
        (account,), {"train": SplitSummary(9000, source_size, 12.0, 0.9, 7, 0, 9000)}, (), sides
    )


def test_sound_is_measured_in_seconds_and_hours() -> None:
    rows = shown_rows(report_of(Sides(Sound(RATE)), 2.5 * RATE))
    assert rows["seconds per source"] == ["2.50"]
    assert rows["hours of source"] == ["6.25"]
    assert rows["characters per target"] == ["12.0"]
    assert not {"target / source length", "source = target", "characters per source"} & rows.keys()


def test_pictures_are_measured_in_pixels() -> None:
    rows = shown_rows(report_of(Sides(Picture(8, None, 3)), 8 * 10 * 3))
    assert rows["pixels per source"] == ["80.0"]
    assert "hours of source" not in rows


def test_text_is_measured_in_characters() -> None:
    rows = shown_rows(report_of(Sides(), 24.0))
    assert rows["characters per source"] == ["24.0"]
    assert rows["target / source length"] == ["0.50"]
    assert rows["source = target"] == ["7"]


def test_the_corpus_of_recordings_has_a_histogram_of_seconds(tone_workspace: Path) -> None:
    shown = run("inspect", "corpus", "-w", tone_workspace, "-n", "2")
    for heading in ("seconds of source in train", "characters of target in train", "0.4-0.8"):
        assert heading in shown
    document = json.loads(run("inspect", "corpus", "-w", tone_workspace, "--json"))
    assert document["lengths"] == []
    rows = document["report"]["splits"]["train"]["rows"]
    for side, unit in (("source", "seconds"), ("target", "characters")):
        bins = [one for one in document["sizes"] if one["side"] == side]
        assert {one["unit"] for one in bins} == {unit}
        assert sum(one["rows"] for one in bins) == rows
        assert all(one["limit"] == 2 * one["smallest"] for one in bins)


def test_training_says_what_the_model_reads(
    tone_workspace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(tone_workspace, tmp_path / "w")
    words = ["train", "-w", str(tmp_path / "w"), "--max-steps", "20", "--device", "cpu"]
    result = CliRunner().invoke(app, words)
    shown = " ".join(result.stderr.split())
    assert "the model reads sound at 8,000 Hz through the front end audio" in shown


def test_the_model_says_which_extra_its_files_need(
    tone_workspace: Path, trained_workspace: Path
) -> None:
    shown = " ".join(run("inspect", "model", "-w", tone_workspace).split())
    assert "reads sound at 8,000 Hz; files other than 16-bit WAV at this rate need the" in shown
    assert 'pip install "s2scli[speech]"' in shown
    assert "[speech]" not in run("inspect", "model", "-w", trained_workspace)
