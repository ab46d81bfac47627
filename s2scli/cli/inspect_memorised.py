"""`s2s inspect memorised`: training rows that a model repeats when given their beginning."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions, DeviceOption, ModelOption
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_memorised import Memorised


def command(
    rows: Annotated[
        int,
        typer.Option("--rows", min=1, max=10_000_000, help="Rows of each split to test, at most."),
    ] = 1000,
    prefix_share: Annotated[
        float,
        typer.Option(
            "--prefix-share", min=0.0, max=0.9, help="Share of a target's tokens to give."
        ),
    ] = 0.5,
    count: Annotated[
        int, typer.Option("-n", "--count", min=0, max=10_000, help="Training rows to show.")
    ] = 5,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    *,
    common: CommonOptions,
) -> None:
    """Test which training rows a model repeats when given their source and their beginning.

    A row counts if greedy decoding writes the rest exactly. Held-out rows show how often the model
    completes rows that it never saw; only the excess over that is memorised.

    s2s inspect memorised --rows 5000
    """
    from s2scli.pipeline.inspect_memorised import inspect_memorised

    found = inspect_memorised(
        common.workspace, model, rows, prefix_share, count, device, common.talk
    )
    tree = {**asdict(found), "verdict": found.sentence}
    shown: list[RenderableType] = [_rows(found), ""] if found.rows else []
    common.show(tree, _splits(found), "", *shown, Text(found.sentence))


def _splits(found: "Memorised") -> Table:
    rows = [
        (one.split, f"{one.rows:,}", f"{one.repeated:,}", f"{one.share:.1%}", f"{one.left_out:,}")
        for one in found.splits
    ]
    numbers = ("tested", "repeated", "share", "left out")
    return make_table(("split", *numbers), rows, numbers=numbers)


def _rows(found: "Memorised") -> Table:
    rows = [
        (f"{one.line:,}", one.source, one.beginning, one.rest, f"{one.log_prob:.3f}")
        for one in found.rows
    ]
    return make_table(
        ("line", "source", "given", "repeated", "nats per token"),
        rows,
        numbers=("line", "nats per token"),
    )
