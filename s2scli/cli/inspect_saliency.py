"""`s2s inspect saliency`: which source token caused which target token."""

from dataclasses import asdict
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from s2scli.cli.map_options import MapOptions
from s2scli.cli.options import CommonOptions, ModelOption, utf8
from s2scli.report.console import json_text
from s2scli.report.map_formats import LINK, Format

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_saliency import SaliencyMap


def command(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", callback=utf8, help="The source sentence.")
    ],
    target: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            callback=utf8,
            help="Explain this target instead of the model's own translation.",
        ),
    ] = None,
    method: Annotated[
        Literal["gradient", "integrated", "erasure"],
        typer.Option(
            metavar="METHOD",
            help="How to measure: gradient, the gradient times the embedding of a source token; "
            "integrated, integrated gradients (Sundararajan et al. 2017); or erasure, what an "
            "embedding of 0 does.",
        ),
    ] = "erasure",
    instead: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            callback=utf8,
            help="Explain why the target does not have this word, at the word of the target to "
            "which it is the closest rival (Yin & Neubig 2022).",
        ),
    ] = None,
    test: Annotated[
        bool,
        typer.Option(
            "--test/--no-test",
            help="Delete source tokens to test the result: does the log-probability fall most for "
            "those that are said to matter most?",
        ),
    ] = True,
    model: ModelOption = None,
    *,
    view: MapOptions,
    common: CommonOptions,
) -> None:
    """Show how much each source token contributed to each target token, and test it by deletion.

    It is computed on the CPU.

    s2s inspect saliency "A dog runs."
    s2s inspect saliency "A dog runs." --target "Ein Hund läuft." --instead Katze
    """
    from s2scli.pipeline.inspect_saliency import Asked, inspect_saliency

    asked = Asked(text, target, method, instead, test)
    found = inspect_saliency(common.workspace.find_model(model), asked, common.talk)
    if view.chosen(common) is Format.JSON:
        threshold = LINK if view.threshold is None else view.threshold
        common.write(json_text(_document(found, threshold)), view.output)
    else:
        common.write(view.text(found.map, common), view.output)


def _document(found: "SaliencyMap", threshold: float) -> dict[str, Any]:
    from s2scli.report.attention import attention_document

    test = found.deletion and {
        name: None if isnan(value) else value for name, value in asdict(found.deletion).items()
    }
    return {
        **attention_document(found.map, threshold),
        "method": found.method,
        "values": found.values,
        "deletion_test": test,
        "incompleteness": found.incompleteness,
    }
