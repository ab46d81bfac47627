"""`s2s prepare`."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from s2scli.cli.cleaning import explanation_parts, suggestion_parts
from s2scli.cli.flags import flags
from s2scli.cli.options import Common, CommonOptions, OverwriteOption, WorkersOptions
from s2scli.data.settings import PrepareSettings
from s2scli.errors import UsageError
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.data.accounting import FileAccount, Report
    from s2scli.pipeline.inputs import Inputs
    from s2scli.sides import Media, Sides

# the recipe to suggest, by the kinds of source and target
RECIPES: dict[tuple[str, ...], str] = {
    ("audio", "text"): "speech-gru",
    ("image", "text"): "image-to-text",
    ("text", "image"): "text-to-image",
}

HeldOut = Annotated[
    list[Path] | None,
    typer.Option(
        metavar="FILE",
        help="Use your own file for this split: a TSV file, or a source file and a target file, "
        "one option each; repeatable. It is checked like the corpus, but only rows with an empty "
        "side are dropped.",
    ),
]


def command(
    corpus: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="TSV files (source TAB target), read in this order; or a source file and a target "
            "file with the same number of lines; or a .txt file of sentences, where the target is "
            "the source; or files of other formats (--format), or folders that Hugging Face "
            "datasets saved. Plain, gzip, bzip2, xz or zstd; - is stdin. FILE=2 (or FILE=0.5): in "
            "training, see the rows of this file twice (or every second time) per epoch; other "
            "splits do not change.",
        ),
    ],
    valid: HeldOut = None,
    test: HeldOut = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TAG",
            rich_help_panel="Input and output",
            help="Put this tag, such as de, in front of each source, as one token: several "
            "languages or styles in one model (Johnson et al. 2017); s2s translate --tag chooses "
            "one. Once for all inputs, or once for each, in this order.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    explain_line: Annotated[
        int | None,
        typer.Option(
            "--explain",
            metavar="LINE",
            min=1,
            rich_help_panel=PrepareSettings.panel,
            help="Write nothing; show what each rule says about this line of the corpus, from 1.",
        ),
    ] = None,
    suggest_rules: Annotated[
        bool,
        typer.Option(
            "--suggest",
            rich_help_panel=PrepareSettings.panel,
            help="Write nothing; look at a sample of the corpus, and propose rules and limits.",
        ),
    ] = False,
    *,
    settings: Annotated[PrepareSettings, flags(PrepareSettings)],
    sharing: WorkersOptions,
    common: CommonOptions,
) -> None:
    """Read, clean, deduplicate and split a corpus, and account for every row.

    s2s prepare *.tsv
    s2s prepare export.tsv --columns 2,3
    s2s prepare train.en.gz train.de.gz --valid val.en --valid val.de
    s2s prepare sentences.txt
    s2s prepare dialogues.tsv --history 3
    s2s prepare corpus.jsonl --source-field translation.en --target-field translation.de
    s2s prepare de.tsv=2 fr.tsv --tag de --tag fr
    s2s prepare large.tsv.zst --workers 16
    s2s prepare crawled.tsv --suggest
    s2s prepare crawled.tsv --max-length-ratio 4 --explain 17
    """
    from s2scli.pipeline.inputs import Inputs, weighted
    from s2scli.pipeline.prepare import prepare

    files, weights = zip(*map(weighted, corpus), strict=True)
    inputs = Inputs(files, tuple(valid or ()), tuple(test or ()), weights, tuple(tag or ()))
    if sharing.given and (explain_line is not None or suggest_rules):
        raise UsageError(
            "--explain and --suggest run in one process: leave --workers and --dask out"
        )
    if explain_line is not None:
        _explain(inputs, settings, explain_line, common, also=suggest_rules)
        return
    if suggest_rules:
        _suggest(inputs, settings, common)
        return
    workers = sharing.workers(common.workspace)
    report = prepare(
        common.workspace, inputs, settings, common.talk, overwrite=overwrite, workers=workers
    )
    common.show_summary(report.tree(), *report_tables(report))
    common.say_next(f"train --recipe {recipe}" if (recipe := _recipe(report.sides)) else "train")


def _explain(
    inputs: "Inputs", settings: PrepareSettings, line: int, common: Common, *, also: bool
) -> None:
    from s2scli.pipeline.explaining import explain

    if also:
        raise UsageError("--explain and --suggest: give one of them")
    found = explain(inputs, settings, line, common.talk)
    common.show(asdict(found), *explanation_parts(found))


def _suggest(inputs: "Inputs", settings: PrepareSettings, common: Common) -> None:
    from s2scli.pipeline.suggesting import suggest

    found = suggest(inputs, settings, common.talk)
    common.show({**asdict(found), "flags": found.flags}, *suggestion_parts(found))


def _recipe(sides: "Sides") -> str:
    """Return the recipe made for these sides; "" if the default recipe fits as well."""
    kinds = tuple(side.kind if side else "text" for side in (sides.source, sides.target))
    return RECIPES.get(kinds, "")


def report_tables(report: "Report") -> list[RenderableType]:
    """Return the tables: rows kept and dropped, input files, rows per file, splits."""
    several = len(report.files) > len(report.by_role())
    files = [_files(report)] if several else []
    tables = [_rows(report), _names(report), *files, _splits(report)]
    return [part for table in tables for part in (table, "")]


def _rows(report: "Report") -> Table:
    """Return the rows read, dropped (by reason), kept and changed (by rule)."""
    accounts = report.by_role()
    reasons = sorted({reason for account in accounts for reason in account.dropped})
    dropped = {f"- {reason.replace('_', ' ')}": reason for reason in reasons}
    rows = [
        ("read", *(f"{account.read:,}" for account in accounts)),
        *(
            (name, *(f"{account.dropped.get(reason, 0):,}" for account in accounts))
            for name, reason in dropped.items()
        ),
        ("= kept", *(f"{account.kept:,}" for account in accounts)),
        *(
            (
                f"changed: {name.replace('_', ' ')}",
                *(f"{one.changed.get(name, 0):,}" for one in accounts),
            )
            for name in sorted({name for account in accounts for name in account.changed})
        ),
    ]
    return _table("rows", [account.role for account in accounts], rows)


def _names(report: "Report") -> Table:
    """Return the files of each column, in a separate table because the names can be long."""
    rows = [(account.role, _named(account, report)) for account in report.by_role()]
    return make_table(("rows", "read from"), rows)


def _named(account: "FileAccount", report: "Report") -> str:
    """Return the file names of an account, or the number of files if it covers several."""
    names = account.names
    return " + ".join(names) if account in report.files else f"{len(names)} files"


def _files(report: "Report") -> Table:
    """Return the rows read, dropped and kept of each file."""
    counts = ((one.read, sum(one.dropped.values()), one.kept) for one in report.files)
    rows = [
        (" + ".join(one.names), *(f"{count:,}" for count in of_file))
        for one, of_file in zip(report.files, counts, strict=True)
    ]
    return _table("file", ("read", "dropped", "kept"), rows)


def _splits(report: "Report") -> Table:
    """Return the statistics of each split."""
    splits = report.splits.values()
    known = (split.length_correlation for split in splits)
    overlap = {name: f"{split.source_in_train:,}" for name, split in report.splits.items()}
    sides = report.sides
    equal = ("source = target", *(f"{split.source_equals_target:,}" for split in splits))
    ratio = ("target / source length", *(f"{split.length_ratio:.2f}" for split in splits))
    rows = [
        ("rows", *(f"{split.rows:,}" for split in splits)),
        *_sizes("source", sides.source, [(s.rows, s.source_characters) for s in splits]),
        *_sizes("target", sides.target, [(s.rows, s.target_characters) for s in splits]),
        *([ratio] if sides.are_text else []),
        ("length correlation", *("unknown" if r is None else f"{r:.2f}" for r in known)),
        *([equal] if sides.are_text else []),
        (f"{sides.grouped_by} also in train", *(overlap | {"train": ""}).values()),
    ]
    return _table("split", [*report.splits], rows)


def _sizes(
    side: str, media: "Media | None", splits: Sequence[tuple[int, float]]
) -> list[tuple[str, ...]]:
    """Return how large the cells of a side are: in characters, seconds or pixels.

    Args:
        side: source or target.
        media: what the side is made of; None is text.
        splits: the rows of each split, and their mean number of characters, samples or values.
    """
    unit, divisor = media.size_unit if media else ("characters", 1)
    means = [(rows, mean / divisor) for rows, mean in splits]
    digits = 2 if unit == "seconds" else 1
    sizes = [(f"{unit} per {side}", *(f"{mean:,.{digits}f}" for _, mean in means))]
    if unit == "seconds":
        sizes.append((f"hours of {side}", *(f"{rows * mean / 3600:.2f}" for rows, mean in means)))
    return sizes


def _table(heading: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return make_table((heading, *columns), rows, numbers=columns)
