"""The Python API: its functions do what the commands of the same names do."""

import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import s2scli
from s2scli.cli.app import app
from s2scli.data.store import Corpus
from s2scli.errors import ConfigError, LockedError, UsageError
from s2scli.pipeline.train import TrainReport
from s2scli.workspace import DEFAULT_WORKSPACE

STEPS = 3
TIMES = ("minutes", "outlook")


def by_command(*words: object) -> Any:
    result = CliRunner().invoke(app, [*map(str, words), "--json", "-q"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def as_json(value: object) -> Any:
    return json.loads(json.dumps(value))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "corpus.tsv"
    words = ["one", "two", "three", "four", "five", "six"]
    rows = [f"{a} {b} {c}\t{c} {b} {a}\n" for a in words for b in words for c in words]
    path.write_text("".join(rows))
    return path


@pytest.fixture(scope="module")
def home(corpus: Path) -> Path:
    return corpus.parent / "api"


@pytest.fixture(scope="module")
def trained(corpus: Path, home: Path) -> TrainReport:
    s2scli.prepare(corpus, workspace=home, valid_size=20, test_size=20)
    changes = {"training.seed": 7, "training.metric": "loss"}
    return s2scli.train(home, recipe="tiny", changes=changes, device="cpu", max_steps=STEPS)


def test_the_corpus_is_that_of_the_command(corpus: Path, tmp_path: Path) -> None:
    split = tmp_path / "valid.tsv"
    split.write_text("one two\ttwo one\n")
    report = s2scli.prepare(corpus, workspace=tmp_path / "api", valid=str(split), test_size=9)
    flags = ("-w", tmp_path / "cli", "--valid", split, "--test-size", 9)
    assert as_json(report.tree()) == by_command("prepare", corpus, *flags)
    assert report.splits["test"].rows == 9


def test_the_model_is_that_of_the_command(trained: TrainReport, corpus: Path, home: Path) -> None:
    other = corpus.parent / "cli"
    by_command("prepare", corpus, "-w", other, "--valid-size", 20, "--test-size", 20)
    flags = ("-r", "tiny", "--seed", 7, "--metric", "loss", "--max-steps", STEPS)
    found = by_command("train", "-w", other, "--device", "cpu", *flags)
    ours = as_json(asdict(trained))
    assert (ours["recipe"], ours["step"], ours["limit"]) == ("tiny", STEPS, "max_steps")
    for name in ours.keys() - set(TIMES):
        assert ours[name] == found[name], name
    weights = [folder / "model" / "model.safetensors" for folder in (home, other)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.usefixtures("trained")
def test_the_scores_are_those_of_the_command(home: Path) -> None:
    found = s2scli.evaluate(home, metrics=["chrf"], resamples=20, beam_size=1, device="cpu")
    flags = ("--chrf", "--resamples", 20, "--beam-size", 1, "--device", "cpu")
    saved = home / "evaluation.json"
    ours = json.loads(saved.read_text())
    theirs = by_command("evaluate", "-w", home, *flags)
    for document in (ours, theirs):
        del document["speed"]
    assert ours.items() >= theirs.items()
    assert [score.value for score in found.scores] == [one["value"] for one in theirs["scores"]]


def test_outputs_are_scored_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("one two three four\n")
    lines = str(tmp_path / "lines")
    found = s2scli.evaluate(tmp_path, hypothesis=lines, reference=lines)
    assert [score.name for score in found.scores] == ["BLEU", "chrF2", "exact match"]
    assert {round(score.value) for score in found.scores} == {100}


def test_one_name_is_not_its_letters(corpus: Path, tmp_path: Path) -> None:
    s2scli.prepare([corpus, corpus], tmp_path / "w", tags="fr")
    assert Corpus.load(tmp_path / "w" / "corpus").tags == ("fr",)
    (tmp_path / "lines").write_text("a b c d\n")
    lines = tmp_path / "lines"
    found = s2scli.evaluate(metrics="exact_match", hypothesis=lines, reference=lines, resamples=0)
    (score,) = found.scores
    assert score.value == 100


@pytest.mark.usefixtures("trained")
def test_nothing_trained_is_lost_and_nobody_is_asked(
    corpus: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    with pytest.raises(LockedError, match="add --overwrite"):
        s2scli.prepare(corpus, workspace=home)
    with pytest.raises(LockedError, match="add --overwrite"):
        s2scli.train(home, restart=True)


def test_the_functions_are_quiet_unless_told(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    s2scli.prepare(corpus, workspace=tmp_path / "quiet")
    assert capsys.readouterr() == ("", "")
    s2scli.prepare(corpus, workspace=tmp_path / "loud", quiet=False)
    shown = capsys.readouterr()
    assert shown.out == "" and "source: " in shown.err


@pytest.mark.usefixtures("trained")
def test_unknown_names_are_refused(corpus: Path, home: Path) -> None:
    with pytest.raises(ConfigError, match="prepare: unknown setting vald_size"):
        s2scli.prepare(corpus, workspace=home, vald_size=3)
    with pytest.raises(ConfigError, match=r"unknown setting \S*max_step"):
        s2scli.train(home, max_step=3)
    with pytest.raises(ConfigError, match="evaluate: unknown setting beem_size"):
        s2scli.evaluate(home, beem_size=3)
    with pytest.raises(UsageError, match="unknown metric 'blue'; expected one of bleu, chrf, "):
        s2scli.evaluate(home, metrics=["blue"])


def test_a_corpus_needs_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no corpus file is given"):
        s2scli.prepare([], workspace=tmp_path)


@pytest.mark.parametrize("name", ["n_best", "sample", "top_k"])
def test_only_the_best_output_is_evaluated(name: str) -> None:
    settings: Any = {name: 2}
    with pytest.raises(UsageError, match=f"evaluate: {name} cannot be set"):
        s2scli.evaluate(**settings)


@pytest.mark.parametrize("function", [s2scli.prepare, s2scli.train, s2scli.evaluate])
def test_the_workspace_is_that_of_the_commands(function: Callable[..., object]) -> None:
    default = inspect.signature(function).parameters["workspace"].default
    assert Path(default) == DEFAULT_WORKSPACE


def test_the_package_names_what_it_offers() -> None:
    assert set(s2scli.__all__) == {"evaluate", "load", "prepare", "train"}
    assert all(callable(getattr(s2scli, name)) for name in s2scli.__all__)


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import s2scli, sys; print([name for name in sys.modules if name[:7] == 's2scli.'])"
    result = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]"
