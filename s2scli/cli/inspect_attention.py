"""`s2s inspect attention`: where the decoder looks while it translates a sentence."""

from dataclasses import replace
from typing import Annotated

import typer

from s2scli.cli.options import (
    CommonOptions,
    DeviceOption,
    ModelOption,
    OutputOption,
    format_of,
    format_option,
    utf8,
)
from s2scli.errors import UsageError
from s2scli.report.colours import colour_system, light_background
from s2scli.report.map_formats import LINK, Format, attention_text, grid_text

MIN_WIDTH = 32


def command(
    text: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            callback=utf8,
            help="The source sentence; for a model that reads sound or pictures, the path of a "
            "file.",
        ),
    ],
    target: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            callback=utf8,
            help="Show the attention for this target instead of the model's own translation.",
        ),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            metavar="L",
            help="Decoder layer to show, counted from 1, or all. [default: the second to last with "
            "--head H, mean or max; otherwise all]",
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option(
            metavar="H",
            help="Head to show, counted from 1; mean or max, over the heads; or best, the head "
            "that aligns best (largest sharpness x coverage). [default: mean; without --layer, the "
            "mean of the H heads that align best, where H is the number of heads per layer]",
        ),
    ] = None,
    later: Annotated[
        bool,
        typer.Option(
            "--later",
            help="Show the attention of the step that reads each target piece, one step after the "
            "step that wrote it; some layers align better there (Chen et al. 2020).",
        ),
    ] = False,
    grid: Annotated[
        bool, typer.Option("--grid", help="Show a small picture of every layer and head.")
    ] = False,
    format: Annotated[
        Format | None,
        format_option(Format, "by the suffix of -o; ansi on a terminal, plain in a pipe"),
    ] = None,
    output: OutputOption = None,
    width: Annotated[
        int | None,
        typer.Option(
            min=MIN_WIDTH,
            max=10_000,
            help="Maximum width of a line, in terminal columns. [default: the terminal's]",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help=f"Smallest weight that links two words. [default: {LINK}; with -f pharaoh, each "
            "target word is linked to its best source word]",
        ),
    ] = None,
    half_blocks: Annotated[
        bool | None,
        typer.Option(
            "--half-blocks/--full-rows",
            help="Show two target pieces on each line, or one. [default: two if the map is large "
            "and in colour]",
        ),
    ] = None,
    light: Annotated[
        bool | None,
        typer.Option(
            "--light/--dark",
            help="Use colours for a light or a dark background. Most terminals do not set "
            "COLORFGBG, so give --light if yours is light. [default: from COLORFGBG, otherwise "
            "dark]",
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
    from s2scli.pipeline.inspect_attention import inspect_attention
    from s2scli.report.heads import choose_map
    from s2scli.report.readings import one_step_later

    talk = common.talk
    chosen = Format.JSON if common.json else format or (output and format_of(output, Format))
    if grid and (layer or head):
        raise UsageError("--grid shows every layer and head: leave --layer and --head out")
    if grid and chosen is Format.PHARAOH:
        raise UsageError("-f pharaoh writes the words of one map: leave --grid out")
    found = inspect_attention(common.workspace.find_model(model), text, target, device, talk)
    if later:
        found = replace(found, weights=one_step_later(found.weights, found.target_pieces))
    system = colour_system(talk.stdout) if output is None else None
    form = chosen or (Format.PLAIN if system is None else Format.ANSI)
    cells = width or max(MIN_WIDTH, talk.stdout.width)
    bright = light_background() if light is None else light
    if grid:
        document = grid_text(found, form, width=cells, system=system, light=bright)
    else:
        one, half = choose_map(found, layer, head), half_blocks
        document = attention_text(
            one, form, width=cells, system=system, threshold=threshold, half=half, light=bright
        )
    common.write(document, output)
