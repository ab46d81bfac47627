"""`s2s inspect attention`: where the decoder looks while it translates a sentence."""

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.options import CommonOptions, DeviceOption, ModelOption
from s2scli.errors import UsageError
from s2scli.files import new_file
from s2scli.report.colours import ColourSystem, colour_system
from s2scli.report.console import json_text

if TYPE_CHECKING:
    from s2scli.report.attention import AttentionMap
    from s2scli.report.heads import AttentionHeads

LINK = 0.2


class Format(enum.StrEnum):
    """What a heatmap is written as."""

    ANSI = "ansi"
    PLAIN = "plain"
    JSON = "json"
    HTML = "html"
    SVG = "svg"
    PHARAOH = "pharaoh"


SUFFIXES = {
    "": Format.PLAIN,
    ".txt": Format.PLAIN,
    ".json": Format.JSON,
    ".html": Format.HTML,
    ".htm": Format.HTML,
    ".svg": Format.SVG,
}


def command(
    text: Annotated[str, typer.Argument(help="The source sentence.", show_default=False)],
    target: Annotated[
        str | None,
        typer.Option(help="Look at this target instead of the model's own translation."),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="L",
            help="Decoder layer to look at, counted from 1, or all. [default: all for --head "
            "best, the last but one for other heads]",
            show_default=False,
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="H",
            help="Head to look at, counted from 1; mean or max of the heads; or best, the head "
            "that aligns best: the highest sharpness x coverage. [default: mean; without --layer "
            "the mean of those that align best, as many as a layer has]",
            show_default=False,
        ),
    ] = None,
    grid: Annotated[
        bool, typer.Option("--grid", help="Show a small picture of every layer and head.")
    ] = False,
    format: Annotated[
        Format | None,
        typer.Option(
            "-f",
            "--format",
            help="What to write; pharaoh is one line of word alignments. [default: by the suffix "
            "of -o; colours on a terminal, plain in a pipe]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file.")
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(min=32, max=10_000, help="Widest line in cells. [default: the terminal's]"),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help=f"Smallest weight that links two words. [default: {LINK}; for pharaoh each "
            "target word's best]",
            show_default=False,
        ),
    ] = None,
    half_blocks: Annotated[
        bool | None,
        typer.Option(
            "--half-blocks/--full-rows",
            help="Show two target pieces on a line. [default: where the map is large]",
            show_default=False,
        ),
    ] = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    *,
    common: CommonOptions,
) -> None:
    """Show where the decoder looks while it translates a sentence.

    s2s inspect attention "A dog runs." --target "Ein Hund läuft." -o dog.html

    s2s inspect attention "A dog runs." --grid
    """
    from s2scli.pipeline.inspect import inspect_attention
    from s2scli.report.heads import choose_map

    talk = common.talk
    chosen = Format.JSON if common.json else format or (output and format_of(output))
    if grid and (layer or head):
        raise UsageError("--grid shows every layer and head: leave --layer and --head out")
    if grid and chosen is Format.PHARAOH:
        raise UsageError("-f pharaoh writes the words of one map: leave --grid out")
    found = inspect_attention(common.workspace.find_model(model), text, target, device)
    system = colour_system(talk.stdout) if output is None else None
    form = chosen or (Format.PLAIN if system is None else Format.ANSI)
    cells = width or talk.stdout.width
    if grid:
        document = grid_text(found, form, width=cells, system=system)
    else:
        document = attention_text(
            choose_map(found, layer, head),
            form,
            width=cells,
            system=system,
            threshold=threshold,
            half=half_blocks,
        )
    if output is None:
        sys.stdout.write(document)
    else:
        with new_file(output) as file:
            file.write(document.encode())
        talk.say(f"wrote {output}")


def format_of(path: Path) -> Format:
    """Return the format that the suffix of a file stands for.

    Raises:
        UsageError: it stands for none.
    """
    try:
        return SUFFIXES[path.suffix]
    except KeyError:
        known = ", ".join(filter(None, SUFFIXES))
        raise UsageError(
            f"-o {path}: no format is known by {path.suffix}; there are {known}, or choose with -f"
        ) from None


def attention_text(
    attention: "AttentionMap",
    format: Format,
    *,
    width: int,
    system: "ColourSystem",
    threshold: float | None = None,
    half: bool | None = None,
) -> str:
    """Return a map in one of the formats, as the text of a file.

    Args:
        attention: the map.
        format: what to write it as.
        width: the widest line in cells, for ansi and plain.
        system: the colours of the terminal, for ansi; None means true colour.
        threshold: the smallest weight that links two words; None is `LINK`, and for Pharaoh the
            best of each target word.
        half: whether a line shows two target pieces; None chooses.
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
    return render_attention(attention, width, colours, half=half, threshold=link)


def grid_text(
    heads: "AttentionHeads", format: Format, *, width: int, system: "ColourSystem"
) -> str:
    """Return all maps in one of the formats, as the text of a file.

    Args:
        heads: the maps.
        format: what to write them as; Pharaoh is of one map only.
        width: the widest line in cells, for ansi and plain.
        system: the colours of the terminal, for ansi; None means true colour.
    """
    from s2scli.report.grid import grid_document, grid_svg, render_grid
    from s2scli.report.html import grid_html

    if format is Format.HTML:
        return grid_html(heads)
    if format is Format.SVG:
        return grid_svg(heads)
    if format is Format.JSON:
        return json_text(grid_document(heads))
    return render_grid(heads, width, None if format is Format.PLAIN else system or "truecolor")
