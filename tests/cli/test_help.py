"""Every command's help: it fits the terminal, and every option has its text and its panel."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.search.settings import SearchSettings
from s2scli.settings import flag_of

Words = tuple[str, ...]
PANELS = {
    *("Input and output", "Search", "Sampling", "Engine", "General", "Metrics", "Limits", "Export"),
    *("Input", "Output", "Constraints", "Server"),
    *(
        "Recipe and run",
        "Cleaning",
        "Privacy",
        "Sound and pictures",
        "Splits",
        "Tokenizer",
        "Vectors",
        "Commands",
        "Training",
        "Model",
        "Rows",
        "Noise",
        "Processes and machines",
    ),
}


def all_commands(command: Any, words: Words = ()) -> Iterator[tuple[Words, Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from all_commands(inner, (*words, name))


COMMANDS = dict(all_commands(typer.main.get_command(app)))


def help_of(words: Words, width: int = 80) -> str:
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(width)})
    assert result.exit_code == 0
    return result.stdout


def panels_of(words: Words) -> dict[str, str]:
    """Each panel's heading and what stands in it."""
    return dict(re.findall(r"^╭─ (.+?) ─+╮\n(.*?)^╰", help_of(words), re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("width", [40, 80, 100])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_fits_the_terminal(words: Words, width: int) -> None:
    assert max(map(len, help_of(words, width).splitlines())) <= width


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_option_has_its_text_in_one_panel(words: Words) -> None:
    panels = panels_of(words)
    assert panels.keys() <= PANELS
    for parameter in COMMANDS[words].params:
        if parameter.param_type_name == "argument":
            continue
        assert parameter.help, parameter.name
        long = max(parameter.opts, key=len)
        found = [name for name, text in panels.items() if re.search(rf"{long}(?![\w-])", text)]
        assert found, long
        own = getattr(parameter, "rich_help_panel", None)
        assert own is None or own in found


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_text_has_most_of_the_width_and_no_type_of_python(words: Words) -> None:
    for panel in panels_of(words).values():
        for line in (line.strip("│ ") for line in panel.splitlines()):
            gap = re.search(r"  +", line)
            assert gap is None or gap.end() <= 30
        assert not re.search(r"<(?!BT>)\w+|\b(BOOL|STR|LIST)\b", panel)


def test_the_general_options_come_last() -> None:
    for words in COMMANDS:
        assert [*panels_of(words)][-1] == "General"


def test_examples_are_lines_of_their_own_above_the_options() -> None:
    above, _, _ = help_of(("translate",)).partition("╭")
    assert [line.strip() for line in above.splitlines() if line.startswith(" s2s ")] == [
        "s2s translate < input.txt > output.txt",
        "s2s translate --nbest 3 input.txt -o output.txt",
        "s2s translate large.txt -o output.txt --dask tcp://host:8786",
        "s2s translate --files talk.wav --format srt -o talk.srt",
        "s2s translate --files *.flac --format vtt -o subtitles",
    ]


def test_what_must_be_given_stands_bare_in_the_usage() -> None:
    assert "prepare [OPTIONS] FILE..." in help_of(("prepare",))
    assert "translate [OPTIONS] [FILE]..." in help_of(("translate",))


def test_every_setting_of_the_search_is_a_flag_of_translate() -> None:
    panels = panels_of(("translate",))
    for name in SearchSettings.model_fields:
        panel = panels["Output"] if name == "n_best" else panels["Search"] + panels["Sampling"]
        assert re.search(rf"{flag_of(name)}\b", panel), name


def test_the_flags_of_translate_stand_in_panels() -> None:
    assert {*panels_of(("translate",))} == {
        *("Input", "Output", "Search", "Sampling", "Constraints", "Engine", "General")
    }


def test_a_terminal_with_colours_gets_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[36m--beam-size" in help_of(("translate",))
