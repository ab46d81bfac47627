"""`s2s inspect neighbours` on a trained workspace."""

from pathlib import Path

import pytest

from s2scli.data.store import Corpus
from tests.cli.inspecting import refused, run, run_json


def test_a_training_source_is_its_own_nearest_neighbour(trained_workspace: Path) -> None:
    rows = list(Corpus.load(trained_workspace / "corpus").open_split("train"))
    row = rows[7]
    found = run_json("neighbours", row.source, "-w", trained_workspace, "-n", "3")
    first, *others = found["nearest"]
    assert first["cosine"] == pytest.approx(1.0, abs=1e-5)
    assert (first["number"], first["source"], first["targets"]) == (8, row.source, [row.target])
    assert len(others) == 2 and found["searched"] == len(rows)


def test_the_sources_are_shown_with_their_targets(trained_workspace: Path) -> None:
    shown = run("neighbours", "one two three", "-w", trained_workspace, "-n", "2").stdout
    assert shown.startswith("one two three\n")
    assert shown.count("→") == 2
    assert "training rows compared" in shown


def test_what_has_no_neighbours_is_refused(
    trained_workspace: Path, tone_workspace: Path, tmp_path: Path
) -> None:
    assert "the text is empty" in refused(run("neighbours", " ", "-w", trained_workspace), 2)
    assert "models and corpora of text" in refused(run("neighbours", "a", "-w", tone_workspace), 2)
    model = trained_workspace / "model"
    line = refused(run("neighbours", "a", "-w", tmp_path, "-m", model), 66)
    assert "no corpus here" in line
