"""Weights as colours: a perceptual colour map, and its replacement on 16-colour terminals.

Weight 0 has nearly the colour of the background: one colour map is for dark backgrounds, one for
light ones.
"""

import os
from typing import Literal

from rich.color import Color, ColorSystem
from rich.console import Console
from rich.style import Style

ColourSystem = Literal["truecolor", "256", "standard"] | None

# Nine points of magma (Smith and van der Walt 2015), equally spaced; sRGB.
MAGMA = (
    (0, 0, 4),
    (28, 16, 68),
    (79, 18, 123),
    (129, 37, 129),
    (181, 54, 122),
    (229, 80, 100),
    (251, 135, 97),
    (254, 194, 135),
    (252, 253, 191),
)
LIGHT_MAGMA = ((255, 255, 255), *MAGMA[-2::-1])
SHADES = " ░▒▓█"
ANSI_SHADES = ("black", "blue", "magenta", "bright_red", "bright_yellow")
LIGHT_ANSI_SHADES = ("bright_white", "bright_yellow", "bright_red", "magenta", "black")
LIGHT_GROUNDS = frozenset(
    {"7", "9", "10", "11", "12", "13", "14", "15"}
)  # the light ones of 16 colours


def magma(weight: float, *, light: bool = False) -> tuple[int, int, int]:
    """Return the sRGB colour of a weight, from 0 (near black) to 1 (pale yellow).

    With `light`, the colours go from white (0) to near black (1).
    """
    points = LIGHT_MAGMA if light else MAGMA
    position = min(max(weight, 0.0), 1.0) * (len(points) - 1)
    index = min(int(position), len(points) - 2)
    share = position - index
    red, green, blue = (
        round(low + share * (high - low))
        for low, high in zip(points[index], points[index + 1], strict=True)
    )
    return red, green, blue


def hex_colour(weight: float, *, light: bool = False) -> str:
    """Return the colour of a weight as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*magma(weight, light=light))


def shade(weight: float) -> int:
    """Return the shade of a weight: the nearest of five levels, 0 to 4."""
    return round(min(max(weight, 0.0), 1.0) * (len(SHADES) - 1))


def weight_colour(weight: float, system: ColourSystem, *, light: bool = False) -> Color:
    """Return the Rich colour of a weight; a 16-colour terminal shows five levels."""
    if system == "standard":
        return Color.parse((LIGHT_ANSI_SHADES if light else ANSI_SHADES)[shade(weight)])
    return _within(Color.from_rgb(*magma(weight, light=light)), system)


def ink(weight: float, system: ColourSystem) -> Style:
    """Return the text style of a weight: stronger if it is larger, readable on any background."""
    if system is None or weight < 0.25:
        return Style(dim=True)
    if system == "standard":
        return Style(color="bright_red" if weight >= 0.5 else "magenta")
    colour = Color.from_rgb(*magma(0.45 + 0.3 * min(weight, 1.0)))
    return Style(color=_within(colour, system), bold=weight >= 0.5)


def _within(colour: Color, system: ColourSystem) -> Color:
    """Return the nearest colour that a colour system has.

    Rich can do this too, but it caches the escape codes of a style for the first console that
    shows it. A map in 256 colours would then change all later maps in true colour.
    """
    return colour.downgrade(ColorSystem.EIGHT_BIT) if system == "256" else colour


def colour_system(console: Console) -> ColourSystem:
    """Return the colour system of a console; None for a pipe, a dumb terminal or NO_COLOR."""
    system = console.color_system
    if console.no_color or system is None:
        return None
    if system in ("truecolor", "256"):
        return "truecolor" if system == "truecolor" else "256"
    return "standard"


def light_background() -> bool:
    """Return whether COLORFGBG, which some terminals set (`0;15`), has a light background."""
    return os.environ.get("COLORFGBG", "").rpartition(";")[2] in LIGHT_GROUNDS
