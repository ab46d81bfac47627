"""`s2s report`: a whole workspace as one HTML page."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import RenderableType
from rich.table import Table

from s2scli.cli.cards import card_page
from s2scli.cli.doctor import installation_rows
from s2scli.cli.evaluate import facts_table, scores_table, signatures
from s2scli.cli.inspect_corpus import view_tables
from s2scli.cli.inspect_errors import shown_errors
from s2scli.cli.inspect_model import model_tables
from s2scli.cli.inspect_training import shown_training
from s2scli.cli.options import CommonOptions, DeviceOption, not_stdout
from s2scli.errors import UsageError
from s2scli.metrics import value_and_interval
from s2scli.report.console import Talk
from s2scli.report.tables import make_table, table_html

if TYPE_CHECKING:
    from s2scli.pipeline.inspect_corpus import CorpusView
    from s2scli.pipeline.report import Dossier
    from s2scli.report.document import Chapter
    from s2scli.report.page import Part

LINK = 0.2  # the smallest weight that links two words below a map


def command(
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write to this file; - is stdout. [default: report.html in the workspace]",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="SPLIT", help="Split to score: train, valid or test.")
    ] = "test",
    sentences: Annotated[
        int,
        typer.Option(
            min=0,
            max=100,
            metavar="N",
            help="Sentences whose attention is shown: a third each of the best, the middle and the "
            "worst by chrF.",
        ),
    ] = 3,
    worst: Annotated[
        int, typer.Option(min=0, max=10_000, metavar="N", help="Worst outputs to show.")
    ] = 10,
    device: DeviceOption = "auto",
    *,
    common: CommonOptions,
) -> None:
    """Write one page about a workspace: corpus, model, training, scores, errors and attention.

    The page loads nothing, so it can be sent as it is. It also has the machine, the versions and
    the commands that make the same model. Without a model, it describes the corpus.

    s2s report
    s2s report --split valid -o report.html
    """
    from s2scli.data.store import require_split
    from s2scli.files import require_writable
    from s2scli.pipeline.report import ReportRequest, report
    from s2scli.report.document import document_html

    require_split(split)
    common.workspace.find_corpus()
    path = not_stdout(output or common.workspace.root / "report.html")
    if path is None and common.json:
        raise UsageError("--json shows a summary on stdout: give a file for the page with -o")
    if path:
        require_writable(path)
    request = ReportRequest(split, sentences, worst, device)
    found = report(common.workspace, request, common.talk)
    chapters = list(_chapters(found, common.talk))
    common.write(document_html(found.name, list(_summary(found)), chapters), path)
    scores = found.evaluation.scores if found.evaluation else ()
    document = {
        "report": str(path),
        "chapters": [chapter.name for chapter in chapters],
        "scores": [score.as_json() for score in scores],
    }
    common.show(document)


def _summary(found: "Dossier") -> Iterator[str]:
    """Yield a sentence about the corpus, the model, and its scores."""
    rows = ", ".join(f"{one.rows:,} {name}" for name, one in found.corpus.report.splits.items())
    yield f"Corpus: {rows} rows."
    if found.model:
        count = sum(found.model.parts.values())
        yield f"Model: recipe {found.model.recipe.name}, {count:,} parameters."
    if found.evaluation:
        scores = ", ".join(
            f"{one.name} {value}" + (f" ({interval})" if interval else "")
            for one in found.evaluation.scores
            for value, interval in [value_and_interval(one)]
        )
        yield f"Scores ({found.evaluation.scored}, 95 % interval): {scores}."


def _chapters(found: "Dossier", talk: Talk) -> "Iterator[Chapter]":
    """Yield the chapters that the workspace has something for."""
    from s2scli.report.document import Chapter, preformatted
    from s2scli.report.page import Part
    from s2scli.report.training import training_part

    yield Chapter("corpus", "Corpus", _corpus(found.corpus))
    if found.tokenizer:
        settings = [(name, _chosen(value)) for name, value in found.tokenizer.items()]
        yield Chapter("tokenizer", "Tokenizer", _tables([make_table(("setting", ""), settings)]))
    if found.model:
        tables = _tables(model_tables(found.model, talk))
        recipe = f"<details><summary>recipe.toml</summary>{preformatted(found.recipe)}</details>"
        yield Chapter("model", "Model", Part(tables.style, tables.body + recipe))
    if found.history:
        yield Chapter("training", "Training", training_part(shown_training(found.history)))
    if found.evaluation:
        yield Chapter("scores", "Scores", _scores(found))
    if found.errors:
        yield Chapter("errors", "Errors", _errors(found))
    if found.attention:
        yield Chapter("attention", "Attention", _attention(found))
    machine = make_table(("installation", ""), installation_rows(found.machine))
    yield Chapter("machine", "Machine", _tables([machine]))
    commands = Part("", preformatted("\n".join(found.commands)))
    yield Chapter("commands", "Commands", commands)


def _corpus(view: "CorpusView") -> "Part":
    """Return the report card of a corpus; its tables if it is not text."""
    from s2scli.report.card_html import card_part

    return card_part(card_page(view)) if view.card else _tables(view_tables(view))


def _tables(shown: "Iterable[RenderableType]") -> "Part":
    """Return tables, one after the other; the empty lines between them are left out."""
    from s2scli.report.page import Part

    return Part(body="\n".join(table_html(one) for one in shown if isinstance(one, Table)))


def _chosen(value: object) -> str:
    """Return a setting of the tokenizer; None leaves it to the corpus."""
    return "chosen by the corpus" if value is None else str(value)


def _scores(found: "Dossier") -> "Part":
    """Return the scores with their intervals, what was scored and how, and the signatures."""
    from s2scli.report.document import preformatted
    from s2scli.report.page import Part

    evaluation = found.evaluation
    if evaluation is None:
        return Part()
    tables = _tables([scores_table(evaluation), facts_table(evaluation, all_settings=True)])
    return Part(body=tables.body + preformatted(signatures(evaluation.scores).plain.strip()))


def _errors(found: "Dossier") -> "Part":
    from s2scli.report.differences import differences_part
    from s2scli.report.page import Part

    return differences_part(*shown_errors(found.errors)) if found.errors else Part()


def _attention(found: "Dossier") -> "Part":
    """Return the map of each sentence, from the head that aligns best."""
    from s2scli.report.document import joined
    from s2scli.report.heads import choose_map
    from s2scli.report.html import attention_part

    maps = (choose_map(heads, None, None) for heads in found.attention)
    return joined([attention_part(one, LINK) for one in maps])
