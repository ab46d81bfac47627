"""Draw pictures in a terminal, and join several pictures into a sheet.

Pixels are uint8 [H, W, C]; C is 1 (grey) or 3 (red, green, blue).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rich.color import Color, ColorSystem
from rich.style import Style
from rich.text import Text

from s2scli.report.colours import SHADES, ColourSystem, shade
from s2scli.report.heatmap import render_lines

Pixels = NDArray[np.uint8]

BORDER = 128
PALETTES = {"256": ColorSystem.EIGHT_BIT, "standard": ColorSystem.STANDARD}


def render_picture(pixels: Pixels, width: int, system: ColourSystem, *, light: bool = False) -> str:
    """Return a picture as text that ends with a newline; see `picture_lines`."""
    return render_lines(picture_lines(pixels, width, system, light=light), system)


def picture_lines(
    pixels: Pixels, width: int, system: ColourSystem, *, light: bool = False
) -> list[Text]:
    """Return a picture as lines; each character shows two pixels, one above the other.

    A picture wider than `width` is scaled down in proportion.

    Args:
        pixels: [H, W, C].
        width: the maximum width of a line in cells.
        system: the colours to use; None for plain text, with characters as shades.
        light: the background is light: in plain text, a dark pixel is a full block.
    """
    small = _no_wider(pixels, max(1, width))
    if system is None:
        return [Text(line) for line in _shaded(small, light=light)]
    return [_half_blocks(small[row : row + 2], system) for row in range(0, len(small), 2)]


def sheet(pictures: Sequence[Pixels], columns: int) -> Pixels:
    """Join pictures into one, with `columns` per row and a grey border of one pixel around each.

    All cells have the size of the largest picture. Smaller pictures are at the top left of their
    cell, on black. The sheet is grey if all pictures are grey.

    Args:
        pictures: pixels [H, W, C], at least one picture.
        columns: the number of pictures per row, at least 1.
    """
    height = max(len(pixels) for pixels in pictures)
    width = max(pixels.shape[1] for pixels in pictures)
    channels = max(pixels.shape[2] for pixels in pictures)
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    shape = (rows * (height + 1) + 1, columns * (width + 1) + 1, channels)
    whole = np.full(shape, BORDER, np.uint8)
    for index, pixels in enumerate(pictures):
        top = index // columns * (height + 1) + 1
        left = index % columns * (width + 1) + 1
        cell = whole[top : top + height, left : left + width]
        cell[:] = 0
        cell[: len(pixels), : pixels.shape[1]] = pixels  # grey is copied to all channels
    return whole


def _no_wider(pixels: Pixels, width: int) -> Pixels:
    """Scale a picture down to at most `width` columns by averaging pixels."""
    if pixels.shape[1] <= width:
        return pixels
    height = max(1, round(len(pixels) * width / pixels.shape[1]))
    smaller = _means(_means(pixels.astype(np.float64), 0, height), 1, width)
    return smaller.round().astype(np.uint8)


def _means(values: NDArray[np.float64], axis: int, count: int) -> NDArray[np.float64]:
    """Divide an axis into `count` nearly equal parts, and return their means."""
    edges = np.arange(count + 1) * values.shape[axis] // count
    sums = np.add.reduceat(values, edges[:-1], axis)
    sizes = np.diff(edges)
    means: NDArray[np.float64] = sums / (sizes[:, None, None] if axis == 0 else sizes[:, None])
    return means


def _half_blocks(rows: Pixels, system: ColourSystem) -> Text:
    """Return one or two rows of pixels as a line; the lower row is the background colour."""
    line = Text()
    for column in range(rows.shape[1]):
        upper = _colour(rows[0, column], system)
        lower = _colour(rows[1, column], system) if len(rows) > 1 else None
        line.append("▀", Style(color=upper, bgcolor=lower))
    return line


def _colour(pixel: Pixels, system: ColourSystem) -> Color:
    """Return the nearest colour of a colour system (see `colours._within` for why not Rich's)."""
    red, green, blue = (int(value) for value in np.broadcast_to(pixel, 3))
    colour = Color.from_rgb(red, green, blue)
    return colour if system in (None, "truecolor") else colour.downgrade(PALETTES[system])


def _shaded(pixels: Pixels, *, light: bool) -> list[str]:
    """Return lines of shades; each character shows the mean of two pixels."""
    grey = pixels.mean(-1, keepdims=True) / 255
    weights = _means(grey, 0, -(-len(grey) // 2)) if len(grey) > 1 else grey
    if light:
        weights = 1 - weights
    return ["".join(SHADES[shade(float(weight))] for weight in row) for row in weights[..., 0]]
