"""A report card: numbers, findings, bar charts and samples, in the terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from s2scli.report.bars import bar
from s2scli.report.console import visible
from s2scli.report.tables import make_table


@dataclass(frozen=True)
class Bars:
    """A bar chart.

    Attributes:
        title: what is counted.
        series: the name of each bar of a row.
        rows: the label of each row, and the value and the text of each of its bars.
    """

    title: str
    series: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[float, str], ...]], ...]

    @property
    def most(self) -> float:
        """The largest value, at least a little more than 0."""
        return max((value for _, bars in self.rows for value, _ in bars), default=0) or 1


@dataclass(frozen=True)
class ShownRow:
    """A row to show as a sample; texts before a change are "" if there was none."""

    label: str
    source: str
    target: str
    source_before: str = ""
    target_before: str = ""


@dataclass(frozen=True)
class Samples:
    """Samples of the rows that something happened to.

    Attributes:
        title: what happened, and to how many rows.
        rows: the samples.
    """

    title: str
    rows: tuple[ShownRow, ...]


@dataclass(frozen=True)
class CardPage:
    """The content of a report card.

    Attributes:
        title: the title.
        facts: the main numbers, with what they count.
        findings: what to look at, the most important first, and what to do about it.
        tables: a title, the headings and the cells of each table.
        charts: the bar charts.
        samples: the rows that were dropped, changed or found.
        note: how the figures were found.
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    findings: tuple[tuple[str, str], ...]
    tables: tuple[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]], ...]
    charts: tuple[Bars, ...]
    samples: tuple[Samples, ...]
    note: str


def finding_lines(findings: Sequence[tuple[str, str]]) -> Iterator[Text]:
    """Yield what to look at first, as a numbered list."""
    yield Text("look at first", style="bold")
    for number, (what, do) in enumerate(findings, start=1):
        yield Text(f"{number}. {visible(what)}" + (f": {visible(do)}" if do else ""))
    if not findings:
        yield Text("nothing stands out")


def chart_table(chart: Bars) -> RenderableType:
    """Return a bar chart as a table."""
    headings = [chart.title]
    for name in chart.series:
        headings += [name, " " * len(headings)]  # headings differ
    rows = [
        (label, *(cell for value, text in bars for cell in (text, _bar(value, chart.most))))
        for label, bars in chart.rows
    ]
    return make_table(headings, rows, numbers=chart.series)


def _bar(value: float, most: float) -> str:
    return bar(round(1000 * value / most) or int(value > 0), 1000)
