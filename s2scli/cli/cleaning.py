"""How `s2s prepare` shows what its cleaning rules think, and what it suggests."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from s2scli.report.bars import bar
from s2scli.report.console import visible
from s2scli.report.tables import make_table

if TYPE_CHECKING:
    from s2scli.pipeline.explaining import Explanation
    from s2scli.pipeline.suggesting import Proposal, Suggestion

BEYOND = "red"  # bins of rows that the proposed limit drops


def explanation_parts(found: "Explanation") -> Iterator[RenderableType]:
    """Yield the row, what becomes of it, and a table of what each rule thinks."""
    fate = "kept" if found.fate == "kept" else f"dropped: {found.fate.replace('_', ' ')}"
    head = (("line", f"{found.line:,}"), ("source", found.source), ("target", found.target))
    for name, text in (*head, ("fate", fate)):
        yield Text(f"{name}: {visible(text)}")
    if found.opinions:
        yield ""
        rows = [
            (
                one.rule.replace("_", " "),
                "on" if one.on else "off",
                one.verdict if one.on or not one.verdict else f"({one.verdict})",
                one.why,
            )
            for one in found.opinions
        ]
        yield make_table(("rule", "is", "verdict", "why"), rows)


def suggestion_parts(found: "Suggestion") -> Iterator[RenderableType]:
    """Yield what was found for each rule, a histogram of its scores, and the flags to give."""
    yield Text(f"{found.sample:,} of {found.read:,} rows looked at\n")
    rows = [
        (
            one.rule.replace("_", " "),
            f"{one.rows:,}",
            *(
                [
                    f"{one.percentiles[0]:.3g}",
                    f"{one.percentiles[2]:.3g}",
                    f"{one.percentiles[-1]:.3g}",
                ]
                if one.percentiles
                else ["", "", ""]
            ),
            one.flags or "-",
        )
        for one in found.proposals
    ]
    numbers = ("rows", "median", "99 %", "most")
    yield make_table(("rule", *numbers, "suggested"), rows, numbers=numbers)
    for one in found.proposals:
        if len(one.bins) > 1 and one.flags:
            yield Text(f"\n{one.rule.replace('_', ' ')}: {one.measures}")
            yield from _histogram(one)
    for one in found.proposals:
        if one.rule == "other_language":
            yield Text(f"\n{one.measures}")
    for line in found.skipped:
        yield Text(f"\nnot judged: {visible(line)}")
    yield Text(f"\n{found.flags or 'no rule is needed'}")


def _histogram(proposal: "Proposal") -> Iterator[Text]:
    """Yield a line for each bin; those beyond the limit are marked."""
    most = max(one.rows for one in proposal.bins)
    labels = [f"{one.low:.3g} to {one.high:.3g}" for one in proposal.bins]
    wide = max(map(len, labels))
    count = max(len(f"{one.rows:,}") for one in proposal.bins)
    for label, one in zip(labels, proposal.bins, strict=True):
        beyond = proposal.limit is not None and one.low >= proposal.limit
        mark = " ✗" if beyond and one.rows else ""
        line = f"{label:>{wide}}  {one.rows:>{count},}  {bar(one.rows, most, 40)}{mark}"
        yield Text(line, style=BEYOND if beyond else "")
