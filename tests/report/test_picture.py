"""Pictures are drawn within the width, in colours or in shades, and side by side in a sheet."""

import io

import numpy as np
import pytest
from rich.cells import cell_len
from rich.color import ColorType
from rich.console import Console

from s2scli.report.colours import ColourSystem
from s2scli.report.picture import BORDER, Pixels, picture_lines, render_picture, sheet


def noise(*shape: int) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_two_pixels_are_one_half_block() -> None:
    pixels = noise(3, 2, 3)
    lines = picture_lines(pixels, 80, "truecolor")
    assert [line.plain for line in lines] == ["▀▀", "▀▀"]
    for row, line in enumerate(lines):
        for column, span in enumerate(line.spans):
            style = span.style
            assert not isinstance(style, str) and style.color is not None
            assert tuple(style.color.triplet or ()) == tuple(pixels[2 * row, column])
            if row == 0:
                assert style.bgcolor is not None
                assert tuple(style.bgcolor.triplet or ()) == tuple(pixels[1, column])
            else:
                assert style.bgcolor is None


def test_grey_has_three_equal_colours() -> None:
    [line] = picture_lines(np.array([[[7]], [[9]]], np.uint8), 80, "truecolor")
    assert "38;2;7;7;7" in render_picture(np.full((1, 1, 1), 7, np.uint8), 80, "truecolor")
    assert line.plain == "▀"


@pytest.mark.parametrize(
    ("system", "type"), [("256", ColorType.EIGHT_BIT), ("standard", ColorType.STANDARD)]
)
def test_colours_are_those_of_the_terminal(system: ColourSystem, type: ColorType) -> None:
    for line in picture_lines(noise(4, 4, 3), 80, system):
        for span in line.spans:
            assert not isinstance(span.style, str)
            assert span.style.color is not None and span.style.color.type is type


def test_plain_text_has_shades_and_no_codes() -> None:
    levels = np.repeat(np.array([[0, 64, 128, 191, 255]], np.uint8), 2, 0)[..., None]
    assert render_picture(levels, 80, None) == " ░▒▓█\n"
    assert render_picture(levels, 80, None, light=True) == "█▓▒░\n"
    assert render_picture(levels[:1], 80, None) == " ░▒▓█\n"


@pytest.mark.parametrize("system", ["truecolor", "256", "standard", None])
@pytest.mark.parametrize("width", [0, 1, 2, 7, 80])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 300, 3), (300, 1, 1), (9, 100, 3), (7, 8, 1)])
def test_no_line_is_wider_than_the_terminal(
    shape: tuple[int, int, int], width: int, system: ColourSystem
) -> None:
    lines = picture_lines(noise(*shape), width, system)
    assert lines and all(cell_len(line.plain) <= max(1, width) for line in lines)
    written = io.StringIO()
    Console(file=written, width=max(1, width), force_terminal=True).print(*lines, sep="\n")
    assert written.getvalue().count("\n") == len(lines)


def test_a_smaller_picture_holds_the_means() -> None:
    pixels = noise(4, 6, 1)
    means = pixels[..., 0].reshape(2, 2, 3, 2).mean((1, 3)).round().astype(int)
    [line] = picture_lines(pixels, 3, "truecolor")
    found = [
        span.style.color.triplet.red
        for span in line.spans
        if not isinstance(span.style, str) and span.style.color and span.style.color.triplet
    ]
    assert found == means[0].tolist()


def test_a_sheet_holds_each_picture_in_a_border() -> None:
    pictures = [noise(2, 3, 1), noise(2, 3, 1) // 2, noise(1, 2, 1)]
    whole = sheet(pictures, 2)
    assert whole.shape == (7, 9, 1)
    assert (whole[::3] == BORDER).all() and (whole[:, ::4] == BORDER).all()
    assert np.array_equal(whole[1:3, 1:4], pictures[0])
    assert np.array_equal(whole[1:3, 5:8], pictures[1])
    assert np.array_equal(whole[4:5, 1:3], pictures[2])
    assert not whole[5, 1:4].any() and not whole[4:6, 3].any()


def test_a_sheet_is_in_colour_if_one_picture_is() -> None:
    grey, colour = noise(2, 2, 1), noise(2, 2, 3)
    whole = sheet([grey, colour], 9)
    assert whole.shape == (4, 7, 3)
    assert np.array_equal(whole[1:3, 1:3], np.repeat(grey, 3, -1))
    assert np.array_equal(whole[1:3, 4:6], colour)
