"""The program: its version, its commands, and how every kind of failure ends."""

import errno
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from s2scli import __version__
from s2scli.cli.app import COMMANDS, INSPECTIONS, Commands, app
from s2scli.cli.flags import expand
from s2scli.cli.help import summary_of
from s2scli.cli.options import TalkOptions
from s2scli.errors import CorpusError


def fail(failure: BaseException, *words: str) -> Result:
    def command(talk: TalkOptions) -> None:
        raise failure

    program = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    program.callback()(lambda: None)
    program.command("fail")(expand(command))
    return CliRunner().invoke(program, ["fail", *words])


@pytest.mark.parametrize(
    ("failure", "status", "told"),
    [
        (CorpusError("a.tsv, line 3: bad\nand worse"), 65, "error: a.tsv, line 3: bad and worse\n"),
        (CorpusError("\x1b[31mred"), 65, "error: ␛[31mred\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (ImportError("cannot load module more than once per process"), 130, "interrupted\n"),
        (BrokenPipeError(), 141, ""),
        (OSError(errno.ENOSPC, "disk full", "x"), 74, "error: x: disk full\n"),
        (OSError("odd"), 74, "error: odd\n"),
    ],
)
def test_a_failure_is_one_line_and_a_status(failure: BaseException, status: int, told: str) -> None:
    result = fail(failure)
    assert (result.exit_code, result.stdout, result.stderr) == (status, "", told)


def test_a_bug_says_how_to_report_it() -> None:
    result = fail(ZeroDivisionError("division by zero"))
    assert result.exit_code == 1
    assert "error: ZeroDivisionError: division by zero (this is a bug in s2s" in result.stderr
    assert "--debug" in result.stderr


@pytest.mark.parametrize("failure", [CorpusError("bad"), ZeroDivisionError(), OSError("odd")])
def test_debug_shows_the_failure_itself(failure: Exception) -> None:
    assert fail(failure, "--debug").exception is failure


@pytest.mark.parametrize(
    "words", [("translate", "--no-such-flag"), ("no-such-command",), ("translate", "--top-k", "x")]
)
def test_complaints_of_typer_are_left_to_it(words: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "bug" not in result.stderr


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version(flag: str) -> None:
    assert CliRunner().invoke(app, [flag]).stdout == f"s2s {__version__}\n"


@pytest.mark.parametrize("words", [(), ("inspect",)])
def test_a_group_alone_shows_its_help(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words]).output
    assert "Commands" in shown
    assert shown.strip() == CliRunner().invoke(app, [*words, "--help"]).output.strip()


def test_what_is_nearly_a_command_is_offered() -> None:
    told = CliRunner().invoke(app, ["translat"]).stderr
    assert "translate" in told


def test_a_command_is_called_as_its_module_is() -> None:
    group: Callable[..., object] = typer.main.get_command(app)
    names = getattr(group, "commands")  # noqa: B009
    assert {"prepare", "train-tokenizer", "inspect"} <= names.keys()
    assert {"attention", "recipe"} <= names["inspect"].commands.keys()


def test_the_summary_of_a_command_is_that_of_its_docstring() -> None:
    group: Any = typer.main.get_command(app)
    for summaries, commands in (
        (COMMANDS, group.commands),
        (INSPECTIONS, group.commands["inspect"].commands),
    ):
        assert [*summaries] == [name for name in commands if name != "inspect"]
        for name, summary in summaries.items():
            assert summary == summary_of(commands[name]), name


def test_the_help_imports_no_command() -> None:
    program = """
import sys
from s2scli.cli.app import COMMANDS, app
try:
    app(["--help"])
except SystemExit:
    names = {f"s2scli.cli.{name.replace('-', '_')}" for name in COMMANDS}
    sys.exit(bool((names | {"pydantic"}) & sys.modules.keys()))
"""
    subprocess.run([sys.executable, "-X", "utf8", "-c", program], check=True, capture_output=True)
