"""`s2s inspect neighbours`: the training sources nearest to a sentence."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions, DeviceOption, ModelOption, utf8
from s2scli.report.console import visible
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_neighbours import Neighbours


def command(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", callback=utf8, help="The source sentence.")
    ],
    count: Annotated[
        int, typer.Option("-n", "--count", min=1, max=10_000, help="Sources to show.")
    ] = 5,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    *,
    common: CommonOptions,
) -> None:
    """Show the training sources nearest to a sentence, to see where an output comes from.

    Near means a high cosine of the means of the encoder's states. Every source of the training
    split is compared.

    s2s inspect neighbours "A dog runs."
    """
    from s2scli.pipeline.inspect_neighbours import inspect_neighbours

    found = inspect_neighbours(common.workspace, model, text, count, device, common.talk)
    head = Text(f"{visible(found.source)}\n{visible(found.output)}\n")
    note = f"{found.searched:,} training rows compared"
    if found.left_out:
        note += f", {found.left_out:,} too long for the model"
    common.show(asdict(found), head, _table(found), Text(f"\n{note}", style="dim"))


def _table(found: "Neighbours") -> Table:
    """Return each source with its targets below it."""
    rows = []
    for neighbour in found.nearest:
        rows.append((f"{neighbour.cosine:.4f}", f"{neighbour.number:,}", neighbour.source))
        rows += [("", "", f"→ {target}") for target in neighbour.targets]
    return make_table(
        ("cosine", "row", "training source and targets"), rows, numbers=("cosine", "row")
    )
