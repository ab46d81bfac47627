"""What commands are told alike: where to work, how to answer, how much to say."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.text import Text
from typer.testing import CliRunner, Result

from s2scli.cli.app import Commands
from s2scli.cli.flags import expand
from s2scli.cli.options import (
    Common,
    CommonOptions,
    OutputOption,
    format_of,
    translate_example,
)
from s2scli.errors import UsageError
from s2scli.report.console import Talk
from s2scli.report.map_formats import Format
from s2scli.sides import Sound
from s2scli.tokenizer.tokenizers import Source, Target, Tokenizers
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace
from tests.pictures import BITS
from tests.tokenizer.samples import learn


def tell(*words: str, **environment: str) -> tuple[Result, Any]:
    """Run a command that answers as told; return what was told, too."""
    seen: list[Common] = []

    def command(common: CommonOptions) -> None:
        seen.append(common)
        common.show({"answer": 42}, Text("forty-two"), "that is all")
        common.say_next("train", "translate < input.txt")

    program = typer.Typer(cls=Commands)
    program.callback()(lambda: None)
    program.command("tell")(expand(command))
    return CliRunner().invoke(program, ["tell", *words], env=environment), seen


def test_what_is_not_told_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S2S_WORKSPACE", raising=False)
    result, (common,) = tell()
    assert common.workspace == Workspace(DEFAULT_WORKSPACE)
    assert result.stdout == "forty-two\nthat is all\n"
    assert result.stderr == "next: s2s train · s2s translate < input.txt\n"


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (learn("char"), learn("word"), "translate < input.txt"),
        (Sound(8000), learn("word"), "translate --files a.wav"),
        (BITS.picture, learn("word"), "translate --files a.png"),
        (BITS.picture, BITS, "translate --files a.png -o pictures/"),
        (learn("char"), BITS, 'echo "a text" | translate -o pictures/'),
    ],
)
def test_an_example_of_translation_fits_the_sides(
    source: Source, target: Target, expected: str, tmp_path: Path
) -> None:
    Tokenizers(source, target, joint=False).write(tmp_path)
    assert translate_example(tmp_path) == expected
    before, translate, after = expected.partition("translate")
    assert translate_example(tmp_path, "-m DIR") == f"{before}{translate} -m DIR{after}"


def test_an_example_of_a_damaged_model_is_for_text(tmp_path: Path) -> None:
    assert translate_example(tmp_path) == "translate < input.txt"


def test_a_pipe_stands_before_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    common = Common(Workspace(Path("w")), False, Talk())
    common.say_next('echo "a text" | translate -o pictures/')
    assert capsys.readouterr().err == 'next: echo "a text" | s2s translate -w w -o pictures/\n'


def test_the_workspace_is_that_of_the_flag_or_of_the_environment(tmp_path: Path) -> None:
    _, (common,) = tell(S2S_WORKSPACE=str(tmp_path))
    assert common.workspace == Workspace(tmp_path)
    result, (common,) = tell("-w", str(tmp_path / "other"), S2S_WORKSPACE=str(tmp_path))
    assert common.workspace == Workspace(tmp_path / "other")
    assert f"s2s train -w {tmp_path / 'other'}" in result.stderr


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result, seen = tell("-w", str(tmp_path / "file"))
    assert result.exit_code == 2
    assert result.stderr == f"error: {tmp_path / 'file'}: is a file, expected a folder\n"
    assert seen == []


def test_json_takes_the_place_of_what_is_shown() -> None:
    result, _ = tell("--json")
    assert json.loads(result.stdout) == {"answer": 42}


@pytest.mark.parametrize(
    ("flags", "summary"), [((), "made 42\n"), (("-q",), ""), (("-q", "--json"), "42\n")]
)
def test_a_summary_is_not_shown_to_the_quiet(flags: tuple[str, ...], summary: str) -> None:
    def command(common: CommonOptions) -> None:
        common.show_summary(42, "made 42")

    program = typer.Typer(cls=Commands)
    program.callback()(lambda: None)
    program.command("make")(expand(command))
    assert CliRunner().invoke(program, ["make", *flags]).stdout == summary


@pytest.mark.parametrize(
    ("flag", "quiet", "verbose"), [("-q", True, False), ("--verbose", False, True)]
)
def test_how_much_is_said(flag: str, quiet: bool, verbose: bool) -> None:
    result, (common,) = tell(flag)
    talk: Talk = common.talk
    assert (talk.quiet, talk.verbose) == (quiet, verbose)
    assert ("next:" in result.stderr) != quiet


def test_a_dash_is_stdout_and_a_place_is_checked_before_the_work(tmp_path: Path) -> None:
    seen: list[Path | None] = []

    def command(output: OutputOption = None) -> None:
        seen.append(output)

    program = typer.Typer(cls=Commands)
    program.callback()(lambda: None)
    program.command("write")(expand(command))
    for words in ((), ("-o", "-"), ("-o", str(tmp_path / "a"))):
        assert CliRunner().invoke(program, ["write", *words]).exit_code == 0
    assert seen == [None, None, tmp_path / "a"] and not (tmp_path / "a").exists()
    result = CliRunner().invoke(program, ["write", "-o", str(tmp_path / "none" / "a")])
    assert result.exit_code == 74 and f"cannot write {tmp_path}/none/a: " in result.stderr
    assert len(seen) == 3


def test_the_suffix_names_the_format() -> None:
    assert format_of(Path("a.htm"), Format) is format_of(Path("b.html"), Format) is Format.HTML
    assert format_of(Path("map"), Format) is Format.PLAIN
    with pytest.raises(UsageError, match=r"a.png: unknown suffix '.png'; expected one of .txt, "):
        format_of(Path("a.png"), Format)
