"""`s2s prepare --explain`: what every cleaning rule thinks of one row, without writing anything."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from s2scli.data.cleaning import DUPLICATE, SHIFTED, put_tags, tidy
from s2scli.data.cleaning.pairs import Pairs, Texts
from s2scli.data.cleaning.rule import Context, Filter, Repair
from s2scli.data.cleaning.rules import BATCH_ROWS, Cleaner, shift_of
from s2scli.data.cleaning.shifts import find_shifts
from s2scli.data.example import Example
from s2scli.data.rows import Dropped, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import MissingExtraError, UsageError
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.parts import opened_parts
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
        UsageError: there is no such line, the corpus is not text, or a setting joins or compares
            rows.
        MissingInputError: a file is missing or unreadable.
        CorpusError: a file cannot be read as a corpus.
    """
    before, seen = 0, _Seen()
    if settings.history or settings.near_duplicates is not None:
        flag = "--history" if settings.history else "--near-duplicates"
        raise UsageError(f"--explain looks at one row, and {flag} at several: leave one out")
    with opened_parts(inputs, settings, talk) as (known, parts):
        for part in parts:
            watcher = _Watcher(line - before)
            rows = part.cleaner.cleaned(watcher.watch(part.rows), [])
            for row in put_tags(rows, part.tag, set()):
                if not isinstance(row, Example | Dropped):
                    continue
                if row.line == line - before:
                    copy = seen.line_of(row) if isinstance(row, Example) else 0
                    return _explained(line, watcher, row, copy, part.cleaner, known)
                if isinstance(row, Example):
                    seen.add(row, before + row.line)
            before += watcher.last
    raise UsageError(f"--explain {line}: there is no such line; the corpus has {before:,}")


class _Seen:
    """The rows before the one to explain, as they are after cleaning."""

    def __init__(self) -> None:
        self._hashes, self._lines = array("q"), array("q")

    def add(self, row: Example, line: int) -> None:
        self._hashes.append(hash((row.source, row.target)))
        self._lines.append(line)

    def line_of(self, row: Example) -> int:
        """Return the line of the first equal row; 0 if there is none."""
        equal = np.flatnonzero(np.asarray(self._hashes) == hash((row.source, row.target)))
        return self._lines[int(equal[0])] if len(equal) else 0


class _Watcher:
    """Remembers the rows of a file that an explanation needs, while they are read.

    Attributes:
        line: the line of the row to explain.
        row: the row as it was read; None if it was dropped then, or has not been read.
        first: the first rows of the file.
        near: the rows around it, and itself.
        index: its index among them.
        last: the last line that was read.
    """

    def __init__(self, line: int) -> None:
        self.line, self.last, self.index = line, 0, 0
        self.row: Example | None = None
        self.first: list[Row] = []
        self.near: list[Example] = []
        self._rows: Iterator[Row] = iter(())

    def watch(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows."""
        self._rows = iter(rows)
        for row in self._rows:
            self._note(row)
            yield row

    def read_on(self) -> None:
        """Read as many of the rows after it as there are before it."""
        for row in self._rows:
            if len(self.near) >= self.index + NEARBY and len(self.first) >= BATCH_ROWS:
                return
            self._note(row)

    def _note(self, row: Row) -> None:
        if isinstance(row, Example | Dropped):
            self.last = row.line
        if not isinstance(row, Example):
            return
        if len(self.first) < BATCH_ROWS:
            self.first.append(row)
        if self.row is None:
            self.near = [*self.near[1 - NEARBY :], row]
            self.index = len(self.near) - 1
        elif len(self.near) < self.index + NEARBY:
            self.near.append(row)
        if row.line == self.line:
            self.row = row


def _explained(
    line: int,
    watcher: _Watcher,
    cleaned: Example | Dropped,
    copy: int,
    cleaner: Cleaner,
    settings: PrepareSettings,
) -> Explanation:
    """Explain a row.

    Args:
        line: its line, counted over all files.
        watcher: has the row as it was read, and the rows around it.
        cleaned: what became of it.
        copy: the line of an equal row before it; 0 if there is none.
        cleaner: the rules of its file.
        settings: the settings of preparation.
    """
    row = watcher.row
    if row is None:
        assert isinstance(cleaned, Dropped)
        return Explanation(line, cleaned.source, cleaned.target, cleaned.reason)
    watcher.read_on()
    forced = settings if settings.max_other_script is not None else _with_scripts(settings)
    context = Cleaner(forced).context(watcher.first)
    repairs, after = _repaired(row, cleaner, context, settings)
    opinions = [
        *repairs,
        _shift(watcher, settings),
        *(_filters(name, rule, after, context, settings) for name, rule in cleaner.filters.items()),
        Opinion(
            DUPLICATE,
            True,
            "drops" if copy else "keeps",
            f"equal to line {copy}" if copy else "no equal row before it",
        ),
    ]
    fate = cleaned.reason if isinstance(cleaned, Dropped) else DUPLICATE if copy else "kept"
    return Explanation(line, row.source, row.target, fate, tuple(opinions))


def _with_scripts(settings: PrepareSettings) -> PrepareSettings:
    """Return settings with which the scripts of a corpus are found out."""
    return settings.model_copy(update={"max_other_script": 1.0})


def _repaired(
    row: Example, cleaner: Cleaner, context: Context, settings: PrepareSettings
) -> tuple[list[Opinion], Example]:
    """Return what the repairs think of a row, and the row after those that are on.

    As in preparation, each repair sees what those before it have left.
    """
    opinions = []
    for name, rule in cleaner.repairs.items():
        opinion, after = _repairs(name, rule, row, context, settings)
        opinions.append(opinion)
        row = after if opinion.on else row
    return opinions, row


def _repairs(
    name: str, rule: Repair, row: Example, context: Context, settings: PrepareSettings
) -> tuple[Opinion, Example]:
    """Return what a repair thinks of a row, and the row after it."""
    on = rule.is_on(settings)
    if not on and rule.hides:
        asked = settings.model_copy(update={"redact": True})
        context = Context(asked, context.source_script, context.target_script)
    try:
        source, target = (
            tidy(rule.apply(Texts([text]), context)[0], settings.normalization)
            for text in (row.source, row.target)
        )
    except MissingExtraError as error:
        return Opinion(name, on, "cannot say", str(error)), row
    if (source, target) == (row.source, row.target):
        return Opinion(name, on, "keeps", f"nothing to do ({rule.does})"), row
    changed = [
        f"{side}: {new}"
        for side, old, new in (("source", row.source, source), ("target", row.target, target))
        if old != new
    ]
    after = replace(row, source=source, target=target)
    return Opinion(name, on, "changes", "; ".join(changed)), after


def _filters(
    name: str, rule: Filter, row: Example, context: Context, settings: PrepareSettings
) -> Opinion:
    limit = rule.limit(settings)
    score = float(rule.score(Pairs.of([row.source], [row.target]), context)[0])
    why = f"{rule.measures}: {score:.4g}"
    if limit is None:
        return Opinion(name, False, "", why)
    return Opinion(name, True, "drops" if score > limit else "keeps", f"{why}, limit {limit:g}")


def _shift(found: _Watcher, settings: PrepareSettings) -> Opinion:
    sources, targets = [row.source for row in found.near], [row.target for row in found.near]
    shift = shift_of(find_shifts(Pairs.of(sources, targets)), found.index)
    if shift is None:
        return Opinion(SHIFTED, settings.drop_shifted, "keeps", "the rows around it are aligned")
    where = "after" if shift.offset == 1 else "before"
    why = f"its target seems to be on the line {where} it (correlation {shift.correlation:.2f})"
    return Opinion(SHIFTED, settings.drop_shifted, "drops", why)
