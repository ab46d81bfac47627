"""The recorded commands make the same corpus and the same tokenizer again."""

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.data.accounting import read_report
from s2scli.manifest import read_manifest
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.reproducing import evaluating_command, preparing_commands
from s2scli.workspace import Workspace
from tests.toy import write_corpus


def invoke(words: list[str], workspace: Path) -> None:
    result = CliRunner().invoke(app, [*words, "-q", "-w", str(workspace)])
    assert result.exit_code == 0, result.stderr


def commands_of(folder: Path) -> list[str]:
    workspace = Workspace(folder)
    facts = read_manifest(workspace.corpus, "corpus").facts
    return preparing_commands(workspace, read_report(workspace.corpus), facts)


@pytest.mark.parametrize(
    "options",
    [
        "a.tsv",
        "a.tsv --swap --max-length 77 --no-header --skip-bad-lines",
        "a.tsv=2 'b c.tsv' --tag up --tag down --test-size 3",
        "a.tsv --valid 'b c.tsv' --tag up",
        "a.tsv b.tsv --sampling-temperature 5 --max-repeats 9",
    ],
)
def test_the_commands_make_the_same_again(
    options: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("a.tsv", "b.tsv", "b c.tsv")):
        write_corpus(tmp_path / name, 60 + 20 * number)
    monkeypatch.chdir(tmp_path)
    invoke(["prepare", *shlex.split(options)], tmp_path / "one")
    invoke(["train-tokenizer", "--kind", "char", "--separate", "--no-split-digits"], Path("one"))
    commands = commands_of(tmp_path / "one")
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "s2s"
        invoke(words, tmp_path / "two")
    for kind in ("corpus", "tokenizer"):
        first, second = (read_manifest(tmp_path / each / kind, kind) for each in ("one", "two"))
        assert first.digest == second.digest
    assert commands_of(tmp_path / "two") == commands


def test_the_command_of_scores_has_all_that_differs() -> None:
    settings = MetricSettings(resamples=7, tokenize="char")
    search = {"beam_size": 5, "length_penalty": 0.5}
    command = evaluating_command(
        "test", ("bleu", "exact_match"), settings, search, multi_reference=True
    )
    assert command == (
        "s2s evaluate --split test --bleu --exact-match --multi-reference --tokenize char "
        "--resamples 7 --beam-size 5 --length-penalty 0.5"
    )
    plain = evaluating_command("valid", ("chrf",), MetricSettings(), {}, multi_reference=False)
    assert plain == "s2s evaluate --split valid --chrf"
