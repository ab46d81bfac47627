"""Writes the reference of the guide from what the program declares: nothing is typed twice.

Where a page has the line `<!-- generated: NAME -->`, it is replaced by the text of `PARTS[NAME]`.
"""

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import typer

from s2scli import errors
from s2scli.cli.app import BROKEN_PIPE, INTERRUPTED, app
from s2scli.cli.help import all_commands, panels_of
from s2scli.cli.options import SOME_FAILED
from s2scli.config import list_recipe_settings, load_recipe, recipe_names
from s2scli.data import encoded, store
from s2scli.data.formats import FORMATS as CORPUS_FORMATS
from s2scli.errors import S2SError
from s2scli.manifest import FORMATS, Manifest
from s2scli.metrics import GROUP_OF, METRICS
from s2scli.settings import SettingRow, flag_of
from s2scli.training.metrics_log import MEASUREMENTS, NOTES
from s2scli.translation.records import json_record
from s2scli.workspace import Workspace

HERE = Path(__file__).parent
INDEXES = ("# The guide\n", "# Examples\n")
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.MULTILINE)
LINK = re.compile(r"\]\(([\w./-]+)\)")
SPECIAL = re.compile(r"([\\*_<>\[\]|#])")
BAR = re.compile(r"(?<!\\)\|")
CODE = re.compile(r"(`[^`]*`)")
BAR_IN_CELL = r"\\|"
OTHER_STATUSES = (
    (0, "The command did what it was asked."),
    (1, "A bug in s2s; `--debug` shows where."),
    (SOME_FAILED, "Some lines, files or recipes failed, and the others are done."),
    (INTERRUPTED, "Ctrl-C; other signals end with 128 + their number. `s2s train` resumes."),
    (BROKEN_PIPE, "The program that read the output has closed it, as `head` does."),
)


def page(text: str, folder: Path) -> str:
    """Return a page for Sphinx: its reference written, its links to folders completed.

    Args:
        text: the page as it is stored.
        folder: the folder of the page.
    """
    text = MARK.sub(lambda mark: PARTS[mark[1]](), text)
    text = LINK.sub(lambda link: f"]({_readme(link[1], folder)})", text)
    if not text.startswith(INDEXES):
        return text
    below = [path for path in LINK.findall(text) if path.endswith(".md") and path[0] != "."]
    return text + _contents(["../README.md", *below] if folder == HERE else below)


def _contents(paths: Iterable[str]) -> str:
    """Return the hidden table of contents that Sphinx makes its navigation from."""
    names = [path.removesuffix(".md") for path in paths if path != "guide/README.md"]
    return "\n\n```{toctree}\n:hidden:\n\n" + "\n".join(dict.fromkeys(names)) + "\n```\n"


def _readme(path: str, folder: Path) -> str:
    """Return the page of a link: that of a folder is its README.md."""
    return f"{path.rstrip('/')}/README.md" if (folder / path / "README.md").exists() else path


def commands() -> str:
    """Return every command, with its arguments and options."""
    program: Any = typer.main.get_command(app)
    context = program.make_context("s2s", [], resilient_parsing=True)
    return "\n".join(
        _command(name, command, context) for name, command in all_commands(program, "s2s")
    )


def _command(name: str, command: Any, parent: Any) -> str:
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    about = [
        f"```sh\n{paragraph}\n```" if paragraph.startswith("s2s ") else plain(paragraph)
        for paragraph in inspect.cleandoc(command.help or "").split("\n\n")
    ]
    panels = [
        f"**{title}**\n\n"
        + table(("option", "meaning"), ((f"`{names}`", plain(text)) for names, text in rows))
        for title, rows in panels_of(command, context).items()
    ]
    return "\n\n".join([f"## {name}", *about, *panels, ""])


def settings() -> str:
    """Return every setting of a recipe, by section, with its type, default and unit."""

    def section(row: SettingRow) -> str:
        return row.path.rpartition(".")[0]

    parts = []
    for name, rows in groupby(list_recipe_settings(), key=section):
        cells = (
            (
                f"`{row.path.rpartition('.')[2]}`",
                f"`{row.type}`",
                f"`{row.default}`",
                row.unit,
                plain(row.help),
            )
            for row in rows
        )
        lines = table(("setting", "type", "default", "unit", "what it does"), cells)
        parts.append(f"## {plain(name or 'recipe')}\n\n{lines}\n")
    return "\n".join(parts)


def recipes() -> str:
    """Return every recipe that comes with the program, with its paper."""
    found = map(load_recipe, recipe_names())
    cells = ((f"`{one.name}`", plain(one.description), plain(one.paper)) for one in found)
    return table(("recipe", "what it is", "paper"), cells)


def metrics() -> str:
    """Return every metric, with its flag."""
    cells = (
        (
            f"`{flag_of(GROUP_OF.get(name, name))}`",
            plain(metric.name),
            "higher" if metric.higher_is_better else "lower",
            metric.needs,
            plain(metric.help),
        )
        for name, metric in METRICS.items()
    )
    return table(("flag", "name", "better", "computed from", "what it measures"), cells)


def statuses() -> str:
    """Return every exit status; those of errors come from the errors."""
    found = list(OTHER_STATUSES)
    for error in S2SError.__subclasses__():
        found.append((error.exit_status, f"{summary(error)} (`{error.__name__}`)"))
    cells = (
        (str(status), " ".join(text for _, text in group))
        for status, group in groupby(sorted(found), key=lambda row: row[0])
    )
    return table(("status", "meaning"), cells)


def folders() -> str:
    """Return every folder of a workspace, with the number of its format."""
    cells = []
    for name, member in vars(Workspace).items():
        if isinstance(member, property) and member.fget.__annotations__.get("return") is Path:
            path: Path = getattr(Workspace(Path()), name)
            if path != Path():
                kind = "checkpoint" if name == "training" else name
                cells.append((f"`{path}`", str(FORMATS.get(kind, "")), plain(summary(member))))
    return table(("folder", "format", "what it holds"), cells)


def manifest() -> str:
    """Return the fields of a manifest."""
    return _fields(Manifest)


def _fields(kind: Any) -> str:
    """Return the fields of a dataclass, from the `Attributes` of its docstring."""
    text = inspect.cleandoc(kind.__doc__).partition("Attributes:\n")[2]
    about = dict(re.findall(r"^    (\w+): ((?:.|\n {8,})*)", text, re.MULTILINE))
    cells = (
        (f"`{field.name}`", plain(" ".join(about[field.name].split())))
        for field in dataclasses.fields(kind)
    )
    return table(("field", "what it holds"), cells)


def tables() -> str:
    """Return what the Arrow files of a workspace hold."""
    return "\n\n".join(
        f"- `{name}`: {paragraph(one.__doc__ or '')}"
        for name, one in (("corpus", store), ("encoded", encoded))
    )


def log() -> str:
    """Return the kinds of lines of `metrics.jsonl`, with their fields."""
    return "\n\n".join(
        f"### {kind}\n\n{plain(summary(made))}\n\n{_fields(made)}"
        for kind, made in (MEASUREMENTS | NOTES).items()
    )


def records() -> str:
    """Return what is said of the JSON lines of `s2s translate --json`."""
    return paragraph(inspect.getdoc(json_record) or "")


def paragraph(text: str) -> str:
    """Return all but the first paragraph of a docstring."""
    return plain(inspect.cleandoc(text).partition("\n\n")[2])


def formats() -> str:
    """Return every format of a corpus."""
    cells = ((name, plain(_of_module(one))) for name, one in CORPUS_FORMATS.items())
    return table(("format", "what it is"), cells)


def _of_module(one: object) -> str:
    module = inspect.getmodule(type(one))
    return summary(module).partition(": ")[2]


def api() -> str:
    """Return the Python API, which Sphinx writes from the docstrings."""
    documented = [
        ".. automodule:: s2scli\n   :members:",
        ".. autoclass:: s2scli.translation.api.TextModel\n   :members:",
        ".. autoclass:: s2scli.translation.records.Record",
        f".. automodule:: {errors.__name__}\n   :members:",
    ]
    return "```{eval-rst}\n" + "\n\n".join(documented) + "\n```"


def summary(member: object) -> str:
    """Return the first paragraph of a docstring, as one line."""
    return " ".join((inspect.getdoc(member) or "").partition("\n\n")[0].split())


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown; the cells are Markdown without line breaks."""

    def lines() -> Iterator[str]:
        yield _row(heading)
        yield _row(["---"] * len(heading))
        yield from map(_row, rows)

    return "\n".join(lines())


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(BAR.sub(BAR_IN_CELL, cell) for cell in cells)} |"


def plain(text: str) -> str:
    """Escape what Markdown would read as markup, except for code between backquotes."""
    pieces = CODE.split(" ".join(text.split()))
    return "".join(
        piece if piece.startswith("`") else SPECIAL.sub(r"\\\1", piece) for piece in pieces
    )


PARTS: dict[str, Callable[[], str]] = {
    "commands": commands,
    "settings": settings,
    "recipes": recipes,
    "metrics": metrics,
    "statuses": statuses,
    "folders": folders,
    "manifest": manifest,
    "tables": tables,
    "log": log,
    "records": records,
    "formats": formats,
    "api": api,
}
