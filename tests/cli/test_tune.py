"""`s2s tune` from the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app

pytestmark = pytest.mark.usefixtures("quick_fsync", "quick_commits")


def run(workspace: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["tune", "-w", str(workspace), *words])


def test_a_study_from_space_to_recipe(trained_workspace: Path, tmp_path: Path) -> None:
    asked = run(trained_workspace, "-r", "tiny", "--dry-run", "-q")
    assert asked.exit_code == 0, asked.output
    assert not (trained_workspace / "tune").exists()
    space = tmp_path / "space.toml"
    space.write_text(asked.stdout)
    options = ("-r", "tiny", "--space", str(space), "--max-steps", "2", "--trials", "2")
    found = run(trained_workspace, *options)
    assert found.exit_code == 0, found.output
    best = trained_workspace / "tune" / "best.toml"
    assert "trial   chrf   minutes   steps   state      learning_rate" in found.stdout
    assert f"next: s2s train -w {trained_workspace} -r {best}" in found.stderr
    assert "trial 0: learning_rate 0.005" in found.stderr
    document = json.loads(run(trained_workspace, *options, "--json", "-q").stdout)
    assert document["metric"] == "chrf" and document["recipe"] == str(best)
    assert [trial["state"] for trial in document["trials"]] == ["complete"] * 2
    train = ["train", "-w", str(tmp_path / "other"), "-r", str(best), "--max-steps", "1", "-q"]
    corpus = str(trained_workspace.parent / "corpus.tsv")
    assert CliRunner().invoke(app, ["prepare", corpus, *train[1:3], "-q"]).exit_code == 0
    trained = CliRunner().invoke(app, train)
    assert trained.exit_code == 0, trained.output


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((), 2, "no budget for a trial: give one or more of --max-minutes"),
        (("--minutes", "1", "-r", "tinny"), 78, "did you mean tiny?"),
        (("--minutes", "1", "--space", "none.toml"), 66, "none.toml: no such file"),
        (("--minutes", "0"), 2, "--max-minutes"),
        (("--dry-run", "--json"), 2, "--dry-run prints TOML: leave --json out"),
    ],
)
def test_a_wrong_request_is_one_line(
    words: tuple[str, ...], status: int, message: str, trained_workspace: Path
) -> None:
    result = run(trained_workspace, *words)
    assert result.exit_code == status, result.output
    assert message in result.stderr.splitlines()[-1]


def test_without_a_corpus_nothing_is_made(tmp_path: Path) -> None:
    for words in (("--minutes", "1"), ("--dry-run",)):
        result = run(tmp_path / "none", *words)
        assert result.exit_code == 66 and "s2s prepare" in result.stderr
    assert not (tmp_path / "none").exists()
