"""`s2s inspect attention`: where the decoder looks while it translates a sentence."""

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from s2scli.cli.options import (
    DebugOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    QuietOption,
    VerboseOption,
    WorkspaceOption,
)
from s2scli.errors import UsageError
from s2scli.files import new_file
from s2scli.report.colours import ColourSystem, colour_system
from s2scli.report.console import Talk, json_text
from s2scli.workspace import DEFAULT_WORKSPACE, Workspace

if TYPE_CHECKING:
    from s2scli.report.attention import AttentionMap


class Format(enum.StrEnum):
    """What a heatmap is written as."""

    ANSI = "ansi"
    PLAIN = "plain"
    JSON = "json"
    HTML = "html"
    SVG = "svg"


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
    format: Annotated[
        Format | None,
        typer.Option(
            "-f",
            "--format",
            help="\\[default: by the suffix of -o; colours on a terminal, plain in a pipe]",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to a file.")
    ] = None,
    width: Annotated[
        int | None,
        typer.Option(min=32, max=10_000, help="Widest line in cells. \\[default: the terminal's]"),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Smallest weight that links two words.")
    ] = 0.2,
    half_blocks: Annotated[
        bool | None,
        typer.Option(
            "--half-blocks/--full-rows",
            help="Show two target pieces on a line. \\[default: where the map is large]",
            show_default=False,
        ),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    debug: DebugOption = False,
) -> None:
    """Show where the decoder looks while it translates a sentence.

    s2s inspect attention "A dog runs." --target "Ein Hund läuft." -o dog.html
    """
    from s2scli.pipeline.inspect import inspect_attention

    talk = Talk(quiet=quiet, verbose=verbose)
    chosen = Format.JSON if json else format or (output and format_of(output))
    found = inspect_attention(Workspace(workspace).find_model(model), text, target, device)
    system = colour_system(talk.stdout) if output is None else None
    document = attention_text(
        found,
        chosen or (Format.PLAIN if system is None else Format.ANSI),
        width=width or talk.stdout.width,
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
    threshold: float,
    half: bool | None = None,
) -> str:
    """Return a map in one of the formats, as the text of a file.

    Args:
        attention: the map.
        format: what to write it as.
        width: the widest line in cells, for ansi and plain.
        system: the colours of the terminal, for ansi; None means true colour.
        threshold: the smallest weight that links two words.
        half: whether a line shows two target pieces; None chooses.
    """
    from s2scli.report.attention import attention_document
    from s2scli.report.heatmap import render_attention
    from s2scli.report.html import attention_html
    from s2scli.report.svg import attention_svg

    if format is Format.HTML:
        return attention_html(attention, threshold)
    if format is Format.SVG:
        return attention_svg(attention)
    if format is Format.JSON:
        return json_text(attention_document(attention, threshold))
    colours = None if format is Format.PLAIN else system or "truecolor"
    return render_attention(attention, width, colours, half=half, threshold=threshold)
