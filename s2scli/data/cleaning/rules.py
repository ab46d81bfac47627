"""All cleaning rules in their order, and how a corpus goes through them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from s2scli.data.cleaning import LENGTH_RATIO, OVER_LONG, SHIFTED, emptiness, tidy
from s2scli.data.cleaning.controls import CONTROLS
from s2scli.data.cleaning.encoding import ENCODING, fixer
from s2scli.data.cleaning.entities import ENTITIES
from s2scli.data.cleaning.language import LANGUAGE, require_language
from s2scli.data.cleaning.length import LENGTH, RATIO
from s2scli.data.cleaning.numbers import NUMBERS
from s2scli.data.cleaning.pairs import Mask, Pairs, Texts
from s2scli.data.cleaning.redaction import REDACTION, redacted, require_list
from s2scli.data.cleaning.repeats import REPEATS
from s2scli.data.cleaning.rule import Context, Filter, Repair
from s2scli.data.cleaning.same import SAME
from s2scli.data.cleaning.script import SCRIPT, SCRIPTS, expected_script
from s2scli.data.cleaning.shifts import Shift, find_shifts, shifted_rows
from s2scli.data.example import Example
from s2scli.data.rows import Changed, Dropped, Notice, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import UsageError

REDACTED = "redacted"
REPAIRS: dict[str, Repair] = {
    "encoding": ENCODING,
    "html_entities": ENTITIES,
    "control_characters": CONTROLS,
    REDACTED: REDACTION,
}
FILTERS: dict[str, Filter] = {
    OVER_LONG: LENGTH,
    LENGTH_RATIO: RATIO,
    "same_text": SAME,
    "repeated_characters": REPEATS,
    "other_script": SCRIPT,
    "unmatched_numbers": NUMBERS,
    "other_language": LANGUAGE,
}
RULES: dict[str, Repair | Filter] = {**REPAIRS, **FILTERS}

Stretch: TypeAlias = tuple[int, int, int]
"""Lines whose sides are shifted: the first line, the last line, the offset."""

BATCH_ROWS, BATCH_CHARACTERS = 4096, 1_000_000
NEARBY = 20  # stretches nearer than this are reported as one
NAMED_STRETCHES = 5


@dataclass(frozen=True)
class Cleaned:
    """A batch after cleaning.

    Attributes:
        rows: its rows in order, with those that were changed or dropped.
        shifts: the stretches whose sides are shifted.
    """

    rows: list[Row]
    shifts: tuple[Stretch, ...] = ()


@dataclass(frozen=True)
class Cleaner:
    """Applies the rules that are on to a corpus.

    Attributes:
        settings: which rules are on, and their limits.
        file: the name of the file, for notices.
        repairs: the rules that change text, by name, in order.
        filters: the rules that drop rows, by name, in order; a user's own come last.
        find_shifts: whether to look for shifted sides.
    """

    settings: PrepareSettings
    file: str = ""
    repairs: Mapping[str, Repair] = field(default_factory=lambda: REPAIRS)
    filters: Mapping[str, Filter] = field(default_factory=lambda: FILTERS)
    find_shifts: bool = True

    def rows(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield the rows of a file in order, cleaned, and then a notice of what is shifted."""
        shifts: list[Stretch] = []
        yield from self.cleaned(rows, shifts)
        yield from self.shift_notices(shifts)

    def cleaned(
        self, rows: Iterable[Row], shifts: list[Stretch], context: Context | None = None
    ) -> Iterator[Row]:
        """Yield rows in order, cleaned.

        Args:
            rows: the rows of a file, or consecutive ones of them.
            shifts: gets the stretches whose sides are shifted.
            context: what the rules expect; None finds it by the first rows.
        """
        for batch in _batches(rows):
            context = context or self.context(batch)
            cleaned = self.clean(batch, context)
            shifts += cleaned.shifts
            yield from cleaned.rows

    def shift_notices(self, shifts: Sequence[Stretch]) -> Iterator[Notice]:
        """Yield a notice for each of the first stretches; neighbouring ones are one."""
        yield from _shift_notices(shifts, self.file, self.settings)

    def context_of(self, rows: Iterable[Row]) -> Context:
        """Return what the rules expect of all rows of a file, by the first of them."""
        return self.context(next(_batches(rows), []))

    def context(self, batch: Sequence[Row]) -> Context:
        """Return what the rules expect of all rows, by the first of them."""
        settings = self.settings
        if settings.max_other_script is None:
            return Context(settings)
        examples = [row for row in batch if isinstance(row, Example)]
        return Context(
            settings,
            settings.source_script or expected_script([row.source for row in examples]),
            settings.target_script or expected_script([row.target for row in examples]),
        )

    def clean(self, batch: Sequence[Row], context: Context) -> Cleaned:
        """Return a batch of consecutive rows after cleaning; a pure function of its arguments."""
        examples = [row for row in batch if isinstance(row, Example)]
        if not examples:
            return Cleaned(list(self._redacted(batch, context)))
        changes, changed = self._repair(examples, context)
        pairs = Pairs.of([row.source for row in changed], [row.target for row in changed])
        reasons = {
            row: reason
            for row in changes
            if (reason := emptiness(changed[row].source, changed[row].target))
        }
        shifts = find_shifts(pairs) if self.find_shifts else []
        if self.settings.drop_shifted and shifts:
            for row in np.flatnonzero(shifted_rows(len(pairs), shifts)).tolist():
                reasons.setdefault(row, SHIFTED)
        self._filter(pairs, context, reasons)
        lines = tuple(
            (changed[shift.start].line, changed[shift.end - 1].line, shift.offset)
            for shift in shifts
        )
        if not changes and not reasons and len(examples) == len(batch):
            return Cleaned(list(batch), lines)
        return Cleaned(list(self._merged(batch, changed, changes, reasons, context)), lines)

    def _repair(
        self, examples: list[Example], context: Context
    ) -> tuple[dict[int, list[Changed]], list[Example]]:
        """Return what the repairs changed by the index of the row, and the examples after."""
        changes: dict[int, list[Changed]] = {}
        examples = list(examples)
        forms = self.settings.normalization
        for name, repair in self.repairs.items():
            if not repair.is_on(self.settings):
                continue
            sides = Texts([one.source for one in examples]), Texts([one.target for one in examples])
            after = [repair.apply(side, context) for side in sides]
            for row in _different(sides, after):
                old = examples[row]
                source, target = tidy(after[0][row], forms), tidy(after[1][row], forms)
                examples[row] = replace(old, source=source, target=target)
                before = ("", "") if repair.hides else (old.source, old.target)
                change = Changed(old.line, name, before, (source, target))
                changes.setdefault(row, []).append(change)
        return changes, examples

    def _filter(self, pairs: Pairs, context: Context, reasons: dict[int, str]) -> None:
        """Add the reason of each row that a filter drops; costly filters see only the others."""
        limits = {name: one.limit(self.settings) for name, one in self.filters.items()}
        for name, rule in self.filters.items():
            limit = limits[name]
            if limit is None:
                continue
            rows = np.arange(len(pairs))
            if rule.costly:
                rows = np.delete(rows, list(reasons))
            if len(rows):
                bad: Mask = rule.score(pairs.take(rows), context) > limit
                for row in rows[bad].tolist():
                    reasons.setdefault(row, name)

    def _merged(
        self,
        batch: Sequence[Row],
        examples: Sequence[Example],
        changes: Mapping[int, Sequence[Changed]],
        reasons: Mapping[int, str],
        context: Context,
    ) -> Iterator[Row]:
        """Yield the rows of a batch in order, with what became of its examples."""
        number = 0
        for row in self._redacted(batch, context):
            if not isinstance(row, Example):
                yield row
                continue
            example = examples[number]
            for change in changes.get(number, ()):
                yield self._without_secrets(change, context)
            if number in reasons:
                yield Dropped(example.line, reasons[number], example.source, example.target)
            else:
                yield example
            number += 1

    def _redacted(self, batch: Iterable[Row], context: Context) -> Iterator[Row]:
        """Yield the rows; those that were dropped before are redacted, too."""
        redacts = self._redacts
        for row in batch:
            if redacts and isinstance(row, Dropped):
                texts = redacted(row.source, context), redacted(row.target, context)
                yield Dropped(row.line, row.reason, *texts)
            else:
                yield row

    def _without_secrets(self, change: Changed, context: Context) -> Changed:
        """Return a change with redacted texts, as an earlier repair saw them unredacted."""
        if not self._redacts:
            return change
        before, after = (
            (redacted(source, context), redacted(target, context))
            for source, target in (change.before, change.after)
        )
        return replace(change, before=before, after=after)

    @property
    def _redacts(self) -> bool:
        return REDACTED in self.repairs and REDACTION.is_on(self.settings)


def corpus_cleaner(
    settings: PrepareSettings, file: str = "", own: Mapping[str, Filter] | None = None
) -> Cleaner:
    """Return the cleaner of a corpus; where a side is no text, only its names are measured.

    Args:
        settings: which rules are on, and their limits.
        file: the name of the file, for notices.
        own: a user's own rules.
    """
    if settings.source_kind == settings.target_kind == "text":
        # both sides of a corpus of sentences are the same text
        return Cleaner(settings, file, REPAIRS, {**FILTERS, **(own or {})}, not settings.one_column)
    named = {name: rule for name, rule in FILTERS.items() if rule.any_kind}
    return Cleaner(settings, file, {}, named, find_shifts=False)


def held_out_cleaner(settings: PrepareSettings) -> Cleaner:
    """Return the cleaner of a user's own valid or test file: it only redacts."""
    texts = settings.source_kind == settings.target_kind == "text"
    repairs = {REDACTED: REDACTION} if texts else {}
    return Cleaner(settings, "", repairs, {}, find_shifts=False)


def require_usable(settings: PrepareSettings) -> None:
    """Check before anything is read that the rules that are on can run.

    Raises:
        MissingExtraError: a rule needs a library that is not installed.
        MissingInputError: the list of texts to redact does not exist or cannot be read.
        CorpusError: it is not such a list.
        UsageError: a script or a language is unknown, the list is empty, or a rule is on that does
            not fit the corpus.
    """
    if (settings.source_kind, settings.target_kind) != ("text", "text"):
        for flag in _only_for_text(settings):
            raise UsageError(f"{flag} is for text on both sides: leave it out")
    if settings.one_column and settings.drop_same:
        raise UsageError("--drop-same needs two columns, but the corpus has one")
    for flag, script in (
        ("--source-script", settings.source_script),
        ("--target-script", settings.target_script),
    ):
        if script is not None and script not in SCRIPTS:
            raise UsageError(f"{flag} {script}: expected one of {', '.join(SCRIPTS)}")
    if settings.fix_encoding:
        fixer()
    require_language("--source-language", settings.source_language)
    require_language("--target-language", settings.target_language)
    require_list(settings.redact_list)


def _only_for_text(settings: PrepareSettings) -> Iterator[str]:
    """Yield the flags of what is on and reads the text of both sides."""
    yield from (rule.flag for rule in REPAIRS.values() if rule.is_on(settings))
    for rule in FILTERS.values():  # the ratio of lengths is on by default
        if rule is not RATIO and not rule.any_kind and rule.limit(settings) is not None:
            yield rule.flag
    others = {
        "--rules": settings.rules is not None,
        "--drop-shifted": settings.drop_shifted,
        "--near-duplicates": settings.near_duplicates is not None,
    }
    yield from (flag for flag, on in others.items() if on)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Yield the rows in batches of bounded size."""
    batch: list[Row] = []
    characters = 0
    for row in rows:
        batch.append(row)
        if isinstance(row, Example):
            characters += len(row.source) + len(row.target)
        if len(batch) == BATCH_ROWS or characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _different(sides: Sequence[Texts], after: Sequence[Sequence[str]]) -> list[int]:
    """Return the indices of rows with a side that a repair changed."""
    rows: set[int] = set()
    for side, texts in zip(sides, after, strict=True):
        if texts is not side.texts:
            pairs = enumerate(zip(side.texts, texts, strict=True))
            rows.update(row for row, (old, new) in pairs if old != new)
    return sorted(rows)


def _shift_notices(
    shifts: Sequence[Stretch], file: str, settings: PrepareSettings
) -> Iterator[Notice]:
    joined: list[Stretch] = []
    for first, last, offset in shifts:
        if joined and offset == joined[-1][2] and first - joined[-1][1] <= NEARBY:
            joined[-1] = (joined[-1][0], last, offset)
        else:
            joined.append((first, last, offset))
    done = "dropped" if settings.drop_shifted else "check them, or drop them with --drop-shifted"
    for first, last, offset in joined[:NAMED_STRETCHES]:
        where = "after" if offset == 1 else "before"
        yield Notice(
            f"{file}, about line {first} to {last}: the sides are shifted; the target of a line "
            f"seems to be on the line {where} it ({done})"
        )
    if len(joined) > NAMED_STRETCHES:
        more = len(joined) - NAMED_STRETCHES
        yield Notice(f"{file}: {more} more stretches of lines are shifted")


def shift_of(shifts: Iterable[Shift], row: int) -> Shift | None:
    """Return the stretch that a row is in; None if it is in none."""
    return next((shift for shift in shifts if shift.start <= row < shift.end), None)
