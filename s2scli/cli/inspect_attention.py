"""`s2s inspect attention`: where the decoder looks while it translates a sentence."""

from dataclasses import replace
from typing import Annotated

import typer

from s2scli.cli.map_options import MapOptions
from s2scli.cli.options import CommonOptions, DeviceOption, ModelOption, SentenceArgument, utf8
from s2scli.errors import UsageError
from s2scli.report.map_formats import Format, grid_text


def command(
    text: SentenceArgument,
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
    model: ModelOption = None,
    device: DeviceOption = "auto",
    *,
    view: MapOptions,
    common: CommonOptions,
) -> None:
    """Show where the decoder looks while it translates a sentence.

    s2s inspect attention "A dog runs." --target "Ein Hund läuft." -o dog.html
    s2s inspect attention "A dog runs." --grid
    """
    from s2scli.pipeline.inspect_attention import inspect_attention
    from s2scli.report.heads import choose_map
    from s2scli.report.readings import one_step_later

    if grid and (layer or head):
        raise UsageError("--grid shows every layer and head: leave --layer and --head out")
    if grid and view.of_one_map:
        raise UsageError(f"--grid shows every layer and head: leave {view.of_one_map} out")
    if grid and view.chosen(common) is Format.PHARAOH:
        raise UsageError("-f pharaoh writes the words of one map: leave --grid out")
    folder = common.workspace.find_model(model)
    found = inspect_attention(folder, text, target, device, common.talk)
    if later:
        weights = one_step_later(found.weights, found.target_pieces, found.from_right)
        found = replace(found, weights=weights)
    if grid:
        document = grid_text(found, view.drawn(common), **view.terminal(common))
    else:
        document = view.text(choose_map(found, layer, head), common)
    common.write(document, view.output)
