"""`s2s inspect errors`: the worst outputs of a split beside their references."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import (
    CommonOptions,
    DeviceOption,
    ModelsOption,
    OutputOption,
    PageFormat,
    PageFormatOption,
    format_of,
)
from s2scli.errors import UsageError
from s2scli.report.colours import colour_system
from s2scli.report.console import json_text
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_errors import Errors, Group, Mistake
    from s2scli.report.differences import Compared


def command(
    table: Annotated[
        Path | None,
        typer.Argument(
            metavar="TABLE",
            help="A table that s2s evaluate -o FILE.tsv wrote. [default: translate the split]",
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT", help="Split to translate: train, valid or test. [default: test]"
        ),
    ] = None,
    by: Annotated[
        Literal["score", "length", "rare"],
        typer.Option(
            metavar="ORDER",
            help="What comes first: score, the lowest chrF; length, the length furthest from the "
            "reference's; or rare, the most source words with fewer than 3 training examples.",
        ),
    ] = "score",
    kind: Annotated[
        Literal["omission", "repeat", "unknown", "copied", "number"] | None,
        typer.Option(
            metavar="KIND",
            help="Show only this kind of mistake: omission, repeat, unknown, copied (source words) "
            "or number.",
        ),
    ] = None,
    count: Annotated[
        int, typer.Option("-n", "--count", min=0, max=100_000, help="Outputs to show.")
    ] = 10,
    html: Annotated[
        bool, typer.Option("--html", help="Write a page; the same as -f html.")
    ] = False,
    format: PageFormatOption = None,
    output: OutputOption = None,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    common: CommonOptions,
) -> None:
    """Show the worst outputs of a split beside their references, and where the mistakes are.

    Words that only one of them has are in colour. The tables show the mean sentence chrF by the
    length of the source, by its rare words, and by kind of mistake, which rules find.

    s2s inspect errors --kind number
    s2s evaluate -o outputs.tsv; s2s inspect errors outputs.tsv -o errors.html
    """
    from s2scli.pipeline.inspect_errors import ErrorsRequest, inspect_errors
    from s2scli.report.differences import compared_lines, differences_html

    given = {"--split": split, "--model": models, "--device": device != "auto"}
    for flag in filter(given.get, given if table else ()):
        raise UsageError(f"{flag} has no effect with a table, which has the outputs: leave it out")
    chosen = PageFormat.HTML if html else format or format_of(output or Path(), PageFormat)
    request = ErrorsRequest(table, split or "test", tuple(models or ()), device, by, kind, count)
    found = inspect_errors(common.workspace, request, common.talk)
    if common.json or chosen is PageFormat.JSON:
        common.write(json_text(_document(found)), output)
        return
    title, tables, compared = shown_errors(found)
    if chosen is PageFormat.HTML:
        common.write(differences_html(title, tables, compared), output)
        return
    colour = output is None and colour_system(common.talk.stdout) is not None
    common.show_or_write(
        output,
        Text(f"{title}\n"),
        *(part for one in tables for part in (one, Text())),
        *(line for one in compared for line in compared_lines(one, colour=colour)),
    )


def shown_errors(found: "Errors") -> "tuple[str, list[Table], list[Compared]]":
    """Return what to show about the mistakes: a title, the tables and the worst outputs."""
    title = f"{found.scored}: {found.sentences:,} outputs, mean chrF {found.chrf:.2f}"
    return title, _tables(found), list(map(_compared, found.worst))


def _tables(found: "Errors") -> list[Table]:
    """Return the groups by length, rare words and kind, those that there are."""
    from s2scli.metrics.mistakes import KINDS

    kinds = [
        (*_cells(group), f"{group.sentences / found.sentences:.1%}", KINDS[group.name].help)
        for group in found.by_kind
    ]
    tables = [
        _table((name, "outputs", "mean chrF"), map(_cells, groups))
        for name, groups in (
            ("words in the source", found.by_length),
            ("rare words in the source", found.by_rare),
        )
        if groups
    ]
    return [*tables, _table(("kind", "outputs", "mean chrF", "share", "which is"), kinds)]


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    return make_table(headings, rows, numbers=headings[1:3])


def _cells(group: "Group") -> tuple[str, str, str]:
    mean = f"{group.chrf:.2f}" if group.sentences else ""
    return group.name, f"{group.sentences:,}", mean


def _compared(mistake: "Mistake") -> "Compared":
    from s2scli.report.differences import Compared

    sentence = mistake.sentence
    facts = [f"line {sentence.number:,}", f"chrF {sentence.chrf:.2f}", *mistake.kinds]
    if mistake.rare:
        facts.append(f"rare: {', '.join(mistake.rare)}")
    return Compared(" · ".join(facts), sentence.source or "", sentence.reference, sentence.output)


def _document(found: "Errors") -> dict[str, Any]:
    tree = asdict(found)
    tree["worst"] = [
        {**asdict(one.sentence), "kinds": one.kinds, "rare": one.rare} for one in found.worst
    ]
    return tree
