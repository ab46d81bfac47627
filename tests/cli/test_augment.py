"""`s2s augment`, with a model of random weights."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.folders import letters_of, write_model

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("augment") / "model"
    return write_model(folder, letters_of(["abc"]), scale=3.0)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.tsv").write_text("".join(f"a{n}\tb{n}\n" for n in range(30)))

    def invoke(*words: str, given: str | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=given)

    return invoke


def test_the_rows_are_the_corpus_that_prepare_reads(model: Path, run: Run, tmp_path: Path) -> None:
    words = ("augment", "-m", str(model), "--with", "pairs.tsv", "--tag", "<bt>", "--device", "cpu")
    result = run(*words, "-", "-o", "more.tsv", "--json", given="abc\n\ncab\n")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert found == dict(rows=33, copied=30, made=2, empty=1, failed=0, overlong=0)
    translated = run("translate", "-m", str(model), "--device", "cpu", given="abc\n\ncab\n").stdout
    rows = (tmp_path / "more.tsv").read_text().splitlines()
    assert rows[:30] == (tmp_path / "pairs.tsv").read_text().splitlines()
    source, _, last = translated.splitlines()
    assert rows[30:] == [f"<bt> {source}\tabc", "", f"<bt> {last}\tcab"]
    shown = run(*words, given="abc\n\ncab\n")
    assert shown.stdout.splitlines() == rows
    assert "copied 30; made 2; empty: blank or left out 1; written 33" in shown.stderr
    table = run(*words, "-", "-o", "more pairs.tsv", given="abc\n\ncab\n")
    assert "next: s2s prepare 'more pairs.tsv' -w NEW_WORKSPACE" in table.stderr
    assert [row.split() for row in table.stdout.splitlines()][-1] == ["=", "written", "33"]
    (read,) = json.loads(run("prepare", "more.tsv", "-w", "w", "--json").stdout)["files"]
    assert (read["read"], read["kept"], read["dropped"]) == (33, 32, {"empty_both": 1})


def test_noise_needs_no_model_and_the_same_rows_can_be_copied(run: Run, tmp_path: Path) -> None:
    words = ("augment", "pairs.tsv", "--method", "noise", "--case", "1", "--with", "pairs.tsv")
    result = run(*words)
    assert result.exit_code == 0, result.stderr
    rows = (tmp_path / "pairs.tsv").read_text().splitlines()
    assert result.stdout.splitlines() == [*rows, *(f"A{n}\tb{n}" for n in range(30))]
    broken = run("augment", "--method", "noise", "--drop", "0.5", given="a\tb\nno pair\n")
    assert (broken.exit_code, broken.stdout.splitlines()[1]) == (3, "")
    assert "stdin, line 2: not made into a row (" in broken.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--method", "noise"], 2, "--method noise needs a rate of noise: --typos, --case, --drop"),
        (["--method", "noise", "--drop", "0.1", "-m", "x"], 2, "uses no model: leave --model out"),
        (["--method", "noise", "--drop", "0.1", "--beam-size", "2"], 2, "leave --beam-size out"),
        (["--method", "noise", "--drop", "0.1", "--shortlist"], 2, "leave --shortlist out"),
        (["--shortlist"], 66, "inspect alignment --shortlist"),
        (["--method", "distil", "--tag", "<x>"], 2, "--tag is for back-translate, and the method"),
        (["--tag", "a b"], 2, "--tag"),
        (["--typos", "2"], 2, "--typos"),
        (["--nbest", "2"], 2, "--nbest is for --method distil, which chooses one"),
        (["--noise-seed", "2"], 2, "--noise-seed has no effect without noise"),
        (["--json"], 2, "--json shows a summary on stdout: add -o FILE for the rows"),
        (["--resume", "-o", "-"], 2, "--resume continues an output file: add -o FILE"),
        (["nothing.txt"], 66, "nothing.txt: no such file"),
        (["--with", "nothing.tsv"], 66, "nothing.tsv: no such file"),
        (["--top-k", "2"], 2, "--top-k has no effect without --sample"),
    ],
)
def test_one_line_says_what_is_wrong(
    model: Path, run: Run, words: list[str], status: int, message: str
) -> None:
    known = [] if "noise" in words else ["-m", str(model), "--device", "cpu"]
    result = run("augment", *words, *known, given="abc\n")
    assert (result.exit_code, result.stdout) == (status, "")
    assert message in " ".join(result.stderr.split())
