"""`s2s prepare --explain`: what every cleaning rule thinks of one row, without writing anything."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from s2scli.data.cleaning import DUPLICATE, SHIFTED
from s2scli.data.cleaning.pairs import Pairs, Texts
from s2scli.data.cleaning.rule import Context, Filter, Repair
from s2scli.data.cleaning.rules import BATCH_ROWS, Cleaner, shift_of
from s2scli.data.cleaning.shifts import find_shifts
from s2scli.data.example import Example
from s2scli.data.rows import Dropped, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import MissingExtraError, UsageError
from s2scli.pipeline.prepare import Inputs, Part, opened_parts
from s2scli.report.console import Talk

NEARBY = 250  # rows before and after, to see whether the sides are shifted


@dataclass(frozen=True)
class Opinion:
    """What a rule thinks of a row.

    Attributes:
        rule: the name of the rule.
        on: whether the rule is on.
        verdict: keeps, drops, changes or "cannot say"; of a rule that is off, what it would do if
            it were on, and "" if that depends on its limit.
        why: the reason in a few words.
    """

    rule: str
    on: bool
    verdict: str
    why: str


@dataclass(frozen=True)
class Explanation:
    """What becomes of a row, and what every rule thinks of it.

    Attributes:
        line: the number of its line.
        source: the source; "" if the line could not be read.
        target: the target.
        fate: kept, or the reason it is dropped for.
        opinions: what each rule thinks; none if the row was dropped while it was read.
    """

    line: int
    source: str
    target: str
    fate: str
    opinions: tuple[Opinion, ...] = ()


def explain(inputs: Inputs, settings: PrepareSettings, line: int, talk: Talk) -> Explanation:
    """Return what the rules think of one row.

    Args:
        inputs: the corpus files; lines are counted on from one file to the next.
        settings: which rules are on, and their limits.
        line: the number of the line, from 1.
        talk: shows warnings.

    Raises:
        UsageError: there is no such line, or the corpus is not text.
        MissingInputError: a file is missing or unreadable.
        CorpusError: a file cannot be read as a corpus.
    """
    before = 0
    with opened_parts(inputs, settings, talk) as (known, parts):
        for part in parts:
            found = _find(part, line - before)
            if isinstance(found, _Found):
                return _explained(found, part.cleaner, known, line)
            if isinstance(found, Dropped):
                return Explanation(line, found.source, found.target, found.reason)
            before += found
    raise UsageError(f"--explain {line}: there is no such line; the corpus has {before:,}")


@dataclass(frozen=True)
class _Found:
    """A row with its neighbours.

    Attributes:
        example: the row.
        first: the first rows of its file.
        near: the rows around it, and itself.
        index: its index among them.
        copy: the line of an equal row before it; 0 if there is none.
    """

    example: Example
    first: Sequence[Row]
    near: Sequence[Example]
    index: int
    copy: int


def _find(part: Part, line: int) -> _Found | Dropped | int:
    """Return the row of a file with this line number, or the number of lines in the file."""
    rows, last = iter(part.rows), 0
    first: list[Row] = []
    near: list[Example] = []
    hashes, lines = array("q"), array("q")
    for row in rows:
        if not isinstance(row, Example | Dropped):
            continue
        last = row.line
        if isinstance(row, Dropped):
            if row.line == line:
                return row
            continue
        if len(first) < BATCH_ROWS:
            first.append(row)
        if row.line == line:
            return _with_neighbours(row, rows, first, near, _equal_before(row, hashes, lines))
        near = [*near[1 - NEARBY :], row]
        hashes.append(hash((row.source, row.target)))
        lines.append(row.line)
    return last


def _with_neighbours(
    row: Example, rows: Iterator[Row], first: list[Row], before: list[Example], copy: int
) -> _Found:
    near = [*before, row]
    for after in rows:
        if isinstance(after, Example):
            near.append(after)
            if len(first) < BATCH_ROWS:
                first.append(after)
        if len(near) >= len(before) + NEARBY and len(first) >= BATCH_ROWS:
            break
    return _Found(row, first, near[: len(before) + NEARBY], len(before), copy)


def _equal_before(row: Example, hashes: "array[int]", lines: "array[int]") -> int:
    equal = np.flatnonzero(np.asarray(hashes) == hash((row.source, row.target)))
    return lines[int(equal[0])] if len(equal) else 0


def _explained(
    found: _Found, cleaner: Cleaner, settings: PrepareSettings, line: int
) -> Explanation:
    row = found.example
    forced = settings if settings.max_other_script is not None else _with_scripts(settings)
    context = Cleaner(forced).context(found.first)
    opinions = [
        *(_repairs(name, rule, row, context, settings) for name, rule in cleaner.repairs.items()),
        _shift(found, settings),
        *(_filters(name, rule, row, context, settings) for name, rule in cleaner.filters.items()),
        Opinion(
            DUPLICATE,
            True,
            "drops" if found.copy else "keeps",
            f"equal to line {found.copy}" if found.copy else "no equal row before it",
        ),
    ]
    cleaned = cleaner.clean([row], cleaner.context(found.first)).rows
    reasons = [each.reason for each in cleaned if isinstance(each, Dropped)]
    shifted = [one.rule for one in opinions if one.rule == SHIFTED and one.on]
    if shifted and opinions[len(cleaner.repairs)].verdict == "drops":
        reasons = [SHIFTED]
    fate = reasons[0] if reasons else DUPLICATE if found.copy else "kept"
    return Explanation(line, row.source, row.target, fate, tuple(opinions))


def _with_scripts(settings: PrepareSettings) -> PrepareSettings:
    """Return settings with which the scripts of a corpus are found out."""
    return settings.model_copy(update={"max_other_script": 1.0})


def _repairs(
    name: str, rule: Repair, row: Example, context: Context, settings: PrepareSettings
) -> Opinion:
    on = rule.is_on(settings)
    if not on and rule.hides:
        asked = settings.model_copy(update={"redact": True})
        context = Context(asked, context.source_script, context.target_script)
    try:
        source, target = (
            rule.apply(Texts([text]), context)[0] for text in (row.source, row.target)
        )
    except MissingExtraError as error:
        return Opinion(name, on, "cannot say", str(error))
    if (source, target) == (row.source, row.target):
        return Opinion(name, on, "keeps", f"nothing to do ({rule.does})")
    changed = [
        f"{side}: {after}"
        for side, before, after in (
            ("source", row.source, source),
            ("target", row.target, target),
        )
        if before != after
    ]
    return Opinion(name, on, "changes", "; ".join(changed))


def _filters(
    name: str, rule: Filter, row: Example, context: Context, settings: PrepareSettings
) -> Opinion:
    limit = rule.limit(settings)
    score = float(rule.score(Pairs.of([row.source], [row.target]), context)[0])
    why = f"{rule.measures}: {score:.4g}"
    if limit is None:
        return Opinion(name, False, "", why)
    return Opinion(name, True, "drops" if score > limit else "keeps", f"{why}, limit {limit:g}")


def _shift(found: _Found, settings: PrepareSettings) -> Opinion:
    sources, targets = [row.source for row in found.near], [row.target for row in found.near]
    shift = shift_of(find_shifts(Pairs.of(sources, targets)), found.index)
    if shift is None:
        return Opinion(SHIFTED, settings.drop_shifted, "keeps", "the rows around it are aligned")
    where = "after" if shift.offset == 1 else "before"
    why = f"its target seems to be on the line {where} it (correlation {shift.correlation:.2f})"
    return Opinion(SHIFTED, settings.drop_shifted, "drops", why)
