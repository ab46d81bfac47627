"""`s2s inspect search`: what the beam search does with a sentence, as a tree."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from s2scli.cli.flags import OWN, flag_errors, flags
from s2scli.cli.options import (
    CommonOptions,
    DeviceOption,
    ModelsOption,
    OutputOption,
    PageFormat,
    PageFormatOption,
    SentenceArgument,
    format_of,
)
from s2scli.report.console import json_text, visible
from s2scli.report.tables import make_table
from s2scli.search.settings import NOT_EVALUATED, SearchSettings
from s2scli.settings import Tree


def command(
    text: SentenceArgument,
    pruned: Annotated[
        int,
        typer.Option(
            min=0, max=1000, help="Pruned continuations to show on each line; a page shows all."
        ),
    ] = 2,
    format: PageFormatOption = None,
    output: OutputOption = None,
    models: ModelsOption = None,
    device: DeviceOption = "auto",
    *,
    overrides: Annotated[
        Tree, flags(SearchSettings, but=NOT_EVALUATED - {"n_best"}, load=False, default=OWN)
    ],
    common: CommonOptions,
) -> None:
    """Show what the beam search does with a sentence, as a tree.

    A line of the tree is a run of tokens without a branch, with the sum of their log-probabilities
    and what became of it: ended, pruned, or not needed any more. The table below lists the
    ended hypotheses: their rank by score and by the sum alone (the length penalty and other rules
    make the difference), and how much of the source the attention covered.

    s2s inspect search "A dog runs." --beam-size 3
    s2s inspect search "A dog runs." -o search.html
    """
    from s2scli.pipeline.inspect_search import inspect_search
    from s2scli.report.search_html import search_html
    from s2scli.report.search_tree import finish_rows, tree_document, tree_lines

    folders = [common.workspace.find_model(model) for model in models or (None,)]
    with flag_errors():
        tree = inspect_search(folders, text, overrides, device)
    chosen = PageFormat.JSON if common.json else format or format_of(output or Path(), PageFormat)
    if chosen is not PageFormat.PLAIN:
        page = search_html(tree) if chosen is PageFormat.HTML else json_text(tree_document(tree))
        common.write(page, output)
        return
    headings, rows = finish_rows(tree)
    table = make_table(headings, rows, numbers=headings[:-1])
    head = Text(f"{visible(tree.source)}\n{tree.settings}\n", style="dim")
    common.show_or_write(output, head, *tree_lines(tree, pruned), Text(), table)
