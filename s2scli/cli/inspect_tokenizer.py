"""`s2s inspect tokenizer`: the pieces that a text is split into."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions, ModelOption, utf8
from s2scli.report.console import visible
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_tokenizer import TokenizedText


def command(
    texts: Annotated[
        list[str], typer.Argument(metavar="TEXT", callback=utf8, help="Text to tokenize.")
    ],
    target: Annotated[
        bool, typer.Option("--target", help="Use the target's tokenizer instead of the source's.")
    ] = False,
    model: ModelOption = None,
    *,
    common: CommonOptions,
) -> None:
    """Show the pieces and ids of a text, and whether decoding them restores it.

    s2s inspect tokenizer "a sentence"
    """
    from s2scli.pipeline.inspect_tokenizer import load_tokenizers, tokenize

    tokenizers = load_tokenizers(common.workspace, model)
    tokenizer = tokenizers.texts[1 if target else 0]
    results = [tokenize(tokenizer, text) for text in texts]
    shown = [part for result in results for part in _shown(result)]
    common.show([asdict(result) for result in results], *shown)


def _shown(result: "TokenizedText") -> tuple[Table, Text]:
    """Return the pieces, and whether decoding them restores the text."""
    pieces = list(zip(result.pieces, map(str, result.ids), strict=True))
    verdict = "decoding restores the text" if result.exact else f"decoded text: {result.decoded}"
    unknown = f", {result.unknown} unknown" if result.unknown else ""
    summary = Text(visible(f"{len(pieces)} pieces{unknown}; {verdict}"))
    return make_table(("piece", "id"), pieces, numbers=("id",)), summary
