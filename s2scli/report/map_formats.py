"""The output formats of attention maps. NumPy is imported only when a map is written."""

import enum
from typing import TYPE_CHECKING

from s2scli.report.colours import ColourSystem
from s2scli.report.console import json_text

if TYPE_CHECKING:
    from s2scli.report.attention import AttentionMap
    from s2scli.report.heads import AttentionHeads

LINK = 0.2


class Format(enum.StrEnum):
    """An output format of attention maps."""

    ANSI = "ansi"
    PLAIN = "plain"
    JSON = "json"
    HTML = "html"
    SVG = "svg"
    PHARAOH = "pharaoh"


def attention_text(
    attention: "AttentionMap",
    format: Format,
    *,
    width: int,
    system: ColourSystem,
    threshold: float | None = None,
    half: bool | None = None,
    light: bool = False,
) -> str:
    """Return a map in one of the formats, as the text of a file.

    Args:
        attention: the map.
        format: the output format.
        width: the maximum width of a line in cells, for ansi and plain.
        system: the colours of the terminal, for ansi; None means true colour.
        threshold: the smallest weight that links two words; None means `LINK`, or for Pharaoh
            the best source word of each target word.
        half: whether a line shows two target pieces; None decides by the size of the map.
        light: whether the background of the terminal is light, for ansi.
    """
    from s2scli.report.alignment import align_words, pharaoh
    from s2scli.report.attention import attention_document
    from s2scli.report.heatmap import render_attention
    from s2scli.report.html import attention_html
    from s2scli.report.svg import attention_svg

    if format is Format.PHARAOH:
        return pharaoh(align_words(attention, threshold)) + "\n"
    link = LINK if threshold is None else threshold
    if format is Format.HTML:
        return attention_html(attention, link)
    if format is Format.SVG:
        return attention_svg(attention)
    if format is Format.JSON:
        return json_text(attention_document(attention, link))
    colours = None if format is Format.PLAIN else system or "truecolor"
    return render_attention(attention, width, colours, half=half, threshold=link, light=light)


def grid_text(
    heads: "AttentionHeads",
    format: Format,
    *,
    width: int,
    system: ColourSystem,
    light: bool = False,
) -> str:
    """Return all maps in one of the formats, as the text of a file.

    Args:
        heads: the maps.
        format: the output format; not Pharaoh, which holds one map only.
        width: the maximum width of a line in cells, for ansi and plain.
        system: the colours of the terminal, for ansi; None means true colour.
        light: whether the background of the terminal is light, for ansi.
    """
    from s2scli.report.grid import grid_document, grid_svg, render_grid
    from s2scli.report.grid_html import grid_html

    if format is Format.HTML:
        return grid_html(heads)
    if format is Format.SVG:
        return grid_svg(heads)
    if format is Format.JSON:
        return json_text(grid_document(heads))
    colours = None if format is Format.PLAIN else system or "truecolor"
    return render_grid(heads, width, colours, light=light)
