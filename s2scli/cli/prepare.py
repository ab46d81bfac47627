"""`s2s prepare`."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from s2scli.cli.flags import flags
from s2scli.cli.options import CommonOptions, OverwriteOption
from s2scli.data.settings import PrepareSettings
from s2scli.report.console import visible

if TYPE_CHECKING:
    from s2scli.data.accounting import Report

HeldOut = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Your own split of this name: a TSV file (repeatable), or, given twice, a source and "
        "a target file. It is checked like the corpus, but no row is dropped unless a side is "
        "empty.",
    ),
]


def command(
    corpus: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="TSV files (source TAB target), which are read one after the other; or a file of "
            "sources and a file of their targets, line by line; or a .txt file of sentences that "
            "are their own targets. Plain or gzip; - is stdin.",
        ),
    ],
    valid: HeldOut = None,
    test: HeldOut = None,
    overwrite: OverwriteOption = False,
    *,
    settings: Annotated[PrepareSettings, flags(PrepareSettings)],
    common: CommonOptions,
) -> None:
    """Read, clean, deduplicate and split a corpus, and account for every row.

    s2s prepare *.tsv
    s2s prepare export.tsv --columns 2,3
    s2s prepare train.en.gz train.de.gz --valid val.en --valid val.de
    s2s prepare sentences.txt
    """
    from s2scli.pipeline.prepare import Inputs, prepare

    inputs = Inputs(tuple(corpus), tuple(valid or ()), tuple(test or ()))
    report = prepare(common.workspace, inputs, settings, common.talk, overwrite=overwrite)
    common.show(asdict(report), *report_tables(report))
    common.say_next("train")


def report_tables(report: "Report") -> list[Table]:
    """Return the tables of a report."""
    several = len(report.files) > len(report.by_role())
    return [rows_table(report), *([files_table(report)] if several else []), splits_table(report)]


def rows_table(report: "Report") -> Table:
    """Return what happened to every row: read = kept + dropped, by reason."""
    accounts = report.by_role()
    table = _numbers_table("rows", [account.role for account in accounts])
    table.add_row("read", *(f"{account.read:,}" for account in accounts))
    for reason in sorted({reason for account in accounts for reason in account.dropped}):
        counts = (account.dropped.get(reason, 0) for account in accounts)
        table.add_row(f"- {reason.replace('_', ' ')}", *(f"{count:,}" for count in counts))
    table.add_row("= kept", *(f"{account.kept:,}" for account in accounts), style="bold")
    parallel = (account in report.files for account in accounts)
    names = map(_files, (account.names for account in accounts), parallel)
    table.add_row("file", *map(Text, names))
    return table


def files_table(report: "Report") -> Table:
    """Return the rows of each file, where several were read one after the other."""
    table = _numbers_table("file", ["read", "dropped", "kept"])
    for account in report.files:
        counts = (account.read, sum(account.dropped.values()), account.kept)
        table.add_row(Text(_files(account.names)), *(f"{count:,}" for count in counts))
    return table


def _files(names: Sequence[str], parallel: bool = True) -> str:
    return visible(" + ".join(names)) if parallel else f"{len(names)} files"


def splits_table(report: "Report") -> Table:
    """Return what each split is like."""
    table = _numbers_table("split", report.splits)
    splits = report.splits.values()
    table.add_row("rows", *(f"{split.rows:,}" for split in splits), style="bold")
    table.add_row("characters a source", *(f"{split.source_characters:.1f}" for split in splits))
    table.add_row("characters a target", *(f"{split.target_characters:.1f}" for split in splits))
    table.add_row("target / source length", *(f"{split.length_ratio:.2f}" for split in splits))
    table.add_row("length correlation", *(_known(split.length_correlation) for split in splits))
    table.add_row("source = target", *(f"{split.source_equals_target:,}" for split in splits))
    table.add_row("source also in train", *(_overlap(name, report) for name in report.splits))
    return table


def _numbers_table(heading: str, names: Iterable[str]) -> Table:
    return Table(heading, *(Column(name, justify="right") for name in names))


def _known(correlation: float | None) -> str:
    return "unknown" if correlation is None else f"{correlation:.2f}"


def _overlap(name: str, report: "Report") -> str:
    return "" if name == "train" else f"{report.splits[name].source_in_train:,}"
