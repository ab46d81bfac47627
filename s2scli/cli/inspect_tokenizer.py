"""`s2s inspect tokenizer`: the pieces of a text, or the tokens of a picture."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from s2scli.cli.options import CommonOptions, ModelOption, utf8
from s2scli.report.console import Talk, visible
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_pictures import TokenizedPicture
    from s2scli.pipeline.inspect_tokenizer import TokenizedText


def command(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT", callback=utf8, help="Text, or picture file, to tokenize."),
    ],
    target: Annotated[
        bool, typer.Option("--target", help="Use the target's tokenizer instead of the source's.")
    ] = False,
    model: ModelOption = None,
    *,
    common: CommonOptions,
) -> None:
    """Show the pieces and ids of a text, and whether decoding them restores it.

    Of a picture, show its tokens, and the picture before and after.

    s2s inspect tokenizer "a sentence"
    s2s inspect tokenizer a.png
    """
    from s2scli.pipeline.inspect_tokenizer import choose_tokenizer, load_tokenizers, tokenize
    from s2scli.tokenizer.sentencepiece import SentencePiece

    tokenizers = load_tokenizers(common.workspace, model)
    tokenizer = choose_tokenizer(tokenizers, texts, target=target)
    if not isinstance(tokenizer, SentencePiece):
        from s2scli.pipeline.inspect_pictures import tokenize_picture

        pictures = [tokenize_picture(tokenizer, text) for text in texts]
        parts = [part for one in pictures for part in _shown_picture(one, common.talk)]
        common.show([one.as_json() for one in pictures], *parts)
        return
    results = [tokenize(tokenizer, text) for text in texts]
    shown = [part for result in results for part in _shown(result)]
    common.show([asdict(result) for result in results], *shown)


def _shown_picture(result: "TokenizedPicture", talk: Talk) -> tuple[Text, Text, Text]:
    """Return the picture beside the one that its tokens decode to, the tokens, and the error."""
    from s2scli.pipeline.pictures import drawn
    from s2scli.report.picture import sheet

    drawing = Text.from_ansi(drawn(sheet([result.pixels, result.decoded], 2), talk))
    width = max(len(piece) for row in result.rows for piece in row)
    tokens = "\n".join(" ".join(f"{piece:{width}}" for piece in row) for row in result.rows)
    summary = f"{len(result.ids)} tokens; mean squared error {result.error:.4f} (pixels 0 to 1)"
    return drawing, Text(f"\n{tokens}"), Text(f"\n{summary}")


def _shown(result: "TokenizedText") -> tuple[Table, Text]:
    """Return the pieces, and whether decoding them restores the text."""
    pieces = list(zip(result.pieces, map(str, result.ids), strict=True))
    verdict = "decoding restores the text" if result.exact else f"decoded text: {result.decoded}"
    unknown = f", {result.unknown} unknown" if result.unknown else ""
    summary = Text(visible(f"{len(pieces)} pieces{unknown}; {verdict}"))
    return make_table(("piece", "id"), pieces, numbers=("id",)), summary
