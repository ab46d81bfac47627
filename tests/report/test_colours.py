import io
import itertools
import re

import pytest
from rich.console import Console
from rich.style import Style
from rich.text import Text

from s2scli.report.colours import (
    MAGMA,
    ColourSystem,
    colour_system,
    hex_colour,
    ink,
    light_background,
    magma,
    shade,
    weight_colour,
)
from s2scli.report.console import make_console


def test_the_map_goes_through_its_points() -> None:
    assert [magma(index / 8) for index in range(9)] == list(MAGMA)


def test_weights_beyond_the_ends_take_the_ends() -> None:
    assert (magma(-1), magma(2)) == (MAGMA[0], MAGMA[-1])
    assert (shade(-1), shade(2)) == (0, 4)


def test_more_weight_is_always_lighter() -> None:
    # relative luminance (ITU-R BT.709)
    lights = [
        sum(c * part for c, part in zip(magma(w / 100), (0.2126, 0.7152, 0.0722), strict=True))
        for w in range(101)
    ]
    assert all(low <= high for low, high in itertools.pairwise(lights))


def test_hex_is_the_same_colour() -> None:
    assert hex_colour(0.5) == "#b5367a" == weight_colour(0.5, "truecolor").name


def test_sixteen_colours_have_five_levels() -> None:
    names = {weight_colour(weight / 100, "standard").name for weight in range(101)}
    assert len(names) == 5


CODES = {  # what each colour system is sent for a colour, after bold or nothing
    "truecolor": r"(1;)?[34]8;2;\d+;\d+;\d+",
    "256": r"(1;)?[34]8;5;\d+",
    "standard": r"(1;)?([349]|10)\d",
}


@pytest.mark.parametrize("systems", [*itertools.permutations(CODES)])
def test_colours_do_not_depend_on_what_was_shown_before(systems: tuple[ColourSystem, ...]) -> None:
    """Rich keeps a style together with the codes of the first console that showed it."""
    for system in systems:
        for style in (Style(bgcolor=weight_colour(0.83, system)), ink(0.83, system)):
            console = make_console(
                file=(written := io.StringIO()),
                color_system=system,
                force_terminal=True,
                no_color=False,
            )
            console.print(Text("x", style))
            shown = re.fullmatch(r"\x1b\[(.*)mx\x1b\[0m\n", written.getvalue())
            assert shown and re.fullmatch(CODES[str(system)], shown[1]), (system, shown)


def test_text_without_colours_has_no_colour() -> None:
    assert all(ink(weight, None).color is None for weight in (0.0, 0.5, 1.0))


@pytest.mark.parametrize("system", ["truecolor", "256", "standard"])
def test_a_terminal_shows_what_it_can(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = Console(file=io.StringIO(), force_terminal=True, color_system=system)  # type: ignore[arg-type]
    assert colour_system(console) == system


def test_pipes_and_no_color_have_no_colours() -> None:
    assert colour_system(Console(file=io.StringIO(), force_terminal=False)) is None
    plain = Console(
        file=io.StringIO(), force_terminal=True, color_system="truecolor", no_color=True
    )
    assert colour_system(plain) is None


def test_on_a_light_background_no_weight_is_white_and_more_is_darker() -> None:
    lights = [sum(magma(weight / 100, light=True)) for weight in range(101)]
    assert lights[0] == 3 * 255
    assert lights[-1] < 20
    assert all(before >= after for before, after in itertools.pairwise(lights))
    names = {weight_colour(w / 100, "standard", light=True).name for w in range(101)}
    assert len(names) == 5
    assert weight_colour(0.0, "standard", light=True).name == "bright_white"


@pytest.mark.parametrize(
    ("value", "light"),
    [("0;15", True), ("0;default;15", True), ("15;0", False), ("15;8", False), ("", False)],
)
def test_the_terminal_says_that_it_is_light(
    value: str, light: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLORFGBG", value)
    assert light_background() is light
    monkeypatch.delenv("COLORFGBG")
    assert light_background() is False
