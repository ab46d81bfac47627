"""`s2s inspect memorised` on a trained workspace."""

from pathlib import Path

from s2scli.data.store import Corpus
from tests.cli.inspecting import refused, run, run_json


def test_the_splits_are_compared_and_rows_shown(trained_workspace: Path) -> None:
    found = run_json("memorised", "-w", trained_workspace, "--prefix-share", "0", "-n", "2")
    corpus = Corpus.load(trained_workspace / "corpus")
    assert [one["split"] for one in found["splits"]] == list(corpus.splits)
    for one in found["splits"]:
        assert 0 <= one["repeated"] <= one["rows"]
        assert one["rows"] + one["left_out"] == len(corpus.open_split(one["split"]))
    by_line = {row.line: row for row in corpus.open_split("train")}
    for row in found["rows"]:
        told = f"{row['beginning']} {row['rest']}".replace(" ", "")
        assert told == by_line[row["line"]].target.replace(" ", "")
    shown = run("memorised", "-w", trained_workspace, "--prefix-share", "0").stdout
    assert "tested" in shown and found["verdict"] in " ".join(shown.split())


def test_what_cannot_be_tested_is_refused(
    trained_workspace: Path, tone_workspace: Path, tmp_path: Path
) -> None:
    assert "models and corpora of text" in refused(run("memorised", "-w", tone_workspace), 2)
    model = trained_workspace / "model"
    assert "no corpus here" in refused(run("memorised", "-w", tmp_path, "-m", model), 66)
    assert "no model here" in refused(run("memorised", "-w", tmp_path), 66)
