"""The options of commands that show a map of the source and the target."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from s2scli.cli.flags import Options
from s2scli.cli.options import Common, OutputOption, format_of, format_option
from s2scli.report.colours import ColourSystem, colour_system, light_background
from s2scli.report.map_formats import LINK, Format, attention_text

if TYPE_CHECKING:
    from s2scli.report.attention import AttentionMap

MIN_WIDTH = 32


@dataclass(frozen=True)
class MapView:
    """How a map is shown: the format, where it is written, and what a terminal shows."""

    format: Format | None
    output: Path | None
    width: int | None
    threshold: float | None
    half_blocks: bool | None
    light: bool | None

    @property
    def of_one_map(self) -> str:
        """The first flag that was given and is for a single map; "" if there is none."""
        flags = {
            "--threshold": self.threshold is not None,
            "--half-blocks": self.half_blocks is True,
            "--full-rows": self.half_blocks is False,
        }
        return next((flag for flag, given in flags.items() if given), "")

    def chosen(self, common: Common) -> Format | None:
        """Return the format that the options ask for; None leaves it to the terminal."""
        suffix = format_of(self.output, Format) if self.output and not self.format else None
        return Format.JSON if common.json else self.format or suffix

    def terminal(self, common: Common) -> dict[str, Any]:
        """Return the width, the colours and the background to draw for."""
        return {
            "width": self.width or max(MIN_WIDTH, common.talk.stdout.width),
            "system": self.system(common),
            "light": light_background() if self.light is None else self.light,
        }

    def system(self, common: Common) -> ColourSystem:
        """Return the colours of the terminal; None for a file or a pipe."""
        return colour_system(common.talk.stdout) if self.output is None else None

    def drawn(self, common: Common) -> Format:
        """Return the format to write, which depends on the terminal if it is not chosen."""
        usual = Format.PLAIN if self.system(common) is None else Format.ANSI
        return self.chosen(common) or usual

    def text(self, attention: "AttentionMap", common: Common) -> str:
        """Return a map as the text to write."""
        return attention_text(
            attention,
            self.drawn(common),
            threshold=self.threshold,
            half=self.half_blocks,
            **self.terminal(common),
        )


def _view(
    format: Annotated[
        Format | None,
        format_option(Format, "by the suffix of -o; ansi on a terminal, plain in a pipe"),
    ] = None,
    output: OutputOption = None,
    width: Annotated[
        int | None,
        typer.Option(
            "--width",
            min=MIN_WIDTH,
            max=10_000,
            help="Maximum width of a line, in terminal columns. [default: the terminal's]",
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
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
) -> MapView:
    return MapView(format, output, width, threshold, half_blocks, light)


MapOptions = Annotated[MapView, Options(_view)]
