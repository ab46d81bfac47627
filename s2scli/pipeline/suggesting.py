"""`s2s prepare --suggest`: proposes cleaning rules and their limits from a sample of a corpus."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.data.cleaning import language
from s2scli.data.cleaning.encoding import fixer
from s2scli.data.cleaning.pairs import Pairs, Scores
from s2scli.data.cleaning.rule import Context
from s2scli.data.cleaning.rules import FILTERS, REPAIRS, Cleaner
from s2scli.data.cleaning.shifts import find_shifts, shifted_rows
from s2scli.data.example import Example
from s2scli.data.settings import PrepareSettings
from s2scli.errors import CorpusError, MissingExtraError
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.parts import opened_parts
from s2scli.report.console import Talk

SAMPLE_ROWS, BLOCK = 100_000, 4096
LANGUAGE_ROWS = 500
KEPT_PERCENTILE = 99.5  # the proposed limit keeps this share of the sample
PERCENTILES = (50.0, 90.0, 99.0, KEPT_PERCENTILE, 100.0)
BINS = 12
# The least limit to propose of each rule: below it, rows are likely to be right.
LEAST = {
    "over_long": 50.0,
    "length_ratio": 2.0,
    "repeated_characters": 10.0,
    "other_script": 0.2,
    "unmatched_numbers": 0.3,
}
RARE = 0.05  # a rule without a limit is proposed if it concerns at most this share of the rows
MAIN_LANGUAGE = 0.8  # a language is proposed if at least this share of the sample is in it


@dataclass(frozen=True)
class Bin:
    """The number of rows of the sample with scores from `low` to `high`."""

    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Proposal:
    """What is proposed for a rule.

    Attributes:
        rule: the name of the rule.
        measures: what it measures or does.
        flags: the flags to give; "" if the rule is not needed.
        rows: the rows of the sample that it would drop or change with them.
        limit: the proposed limit; None if the rule has none, or is not needed.
        percentiles: the 50th, 90th, 99th, 99.5th and 100th percentile of its scores; empty if it
            has no scores.
        bins: a histogram of its scores; empty if it has no scores.
    """

    rule: str
    measures: str
    flags: str
    rows: int
    limit: float | None = None
    percentiles: tuple[float, ...] = ()
    bins: tuple[Bin, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """What is proposed for a corpus.

    Attributes:
        read: the rows of the corpus that could be read.
        sample: the rows that were looked at, evenly spaced.
        proposals: what is proposed for each rule.
        skipped: rules that cannot be judged, with the reason.
    """

    read: int
    sample: int
    proposals: tuple[Proposal, ...]
    skipped: tuple[str, ...]

    @property
    def flags(self) -> str:
        """All flags that are proposed; "" if none is."""
        return " ".join(one.flags for one in self.proposals if one.flags)


def suggest(inputs: Inputs, settings: PrepareSettings, talk: Talk) -> Suggestion:
    """Propose rules and limits from at most 100,000 evenly spaced rows of a corpus.

    The limit of a rule is the 99.5th percentile of its scores, rounded up. A rule that would drop
    nothing is not proposed.

    Args:
        inputs: the corpus files.
        settings: how they are read.
        talk: shows warnings.

    Raises:
        UsageError: the inputs or settings contradict each other, or the corpus is not text.
        MissingInputError: a file is missing or unreadable.
        CorpusError: a file cannot be read as a corpus, or has no pairs.
    """
    with opened_parts(inputs, settings, talk) as (known, parts):
        rows = (row for part in parts for row in part.rows if isinstance(row, Example))
        sample, read, shifted = _sampled(rows, look=not known.one_column)
    if not sample:
        raise CorpusError(f"{', '.join(map(str, inputs.corpus))}: no pair to look at")
    forced = known.model_copy(update={"max_other_script": 1.0})
    context = Cleaner(forced).context(sample)
    blocks = [
        Pairs.of([row.source for row in part], [row.target for row in part])
        for part in (sample[start : start + BLOCK] for start in range(0, len(sample), BLOCK))
    ]
    skipped: list[str] = []
    proposals = [
        *_repairs(blocks, context, skipped),
        _shifts(shifted),
        *_limits(blocks, context),
        _same(blocks, context, one_column=known.one_column),
        *_languages(sample, skipped),
    ]
    return Suggestion(read, len(sample), tuple(proposals), tuple(skipped))


def _sampled(rows: Iterable[Example], *, look: bool) -> tuple[list[Example], int, int]:
    """Return evenly spaced rows, the number of all rows, and of those whose sides are shifted.

    Args:
        rows: the rows of all files, in order.
        look: whether to look for shifted sides.
    """
    sample: list[Example] = []
    block: list[Example] = []
    stride, read, shifted = 1, 0, 0
    for row in rows:
        if read % stride == 0:
            sample.append(row)
            if len(sample) == 2 * SAMPLE_ROWS:
                sample, stride = sample[::2], 2 * stride
        read += 1
        block.append(row)
        if len(block) == BLOCK:
            shifted += _shifted(block) if look else 0
            block = []
    shifted += _shifted(block) if look else 0
    return sample[:: math.ceil(len(sample) / SAMPLE_ROWS) or 1], read, shifted


def _shifted(block: Sequence[Example]) -> int:
    pairs = Pairs.of([row.source for row in block], [row.target for row in block])
    return int(shifted_rows(len(pairs), find_shifts(pairs)).sum())


def _repairs(blocks: Sequence[Pairs], context: Context, skipped: list[str]) -> Iterator[Proposal]:
    """Yield a proposal for each repair; redaction is the user's own decision."""
    for name, rule in REPAIRS.items():
        if rule.hides:
            continue
        if name == "encoding":
            try:
                fixer()
            except MissingExtraError as error:
                skipped.append(f"{name}: {error}")
                continue
        changed = sum(
            any(old != new for old, new in zip(old_pair, new_pair, strict=True))
            for pairs in blocks
            for old_pair, new_pair in zip(
                zip(pairs.source.texts, pairs.target.texts, strict=True),
                zip(*(rule.apply(side, context) for side in pairs.sides), strict=True),
                strict=True,
            )
        )
        yield Proposal(name, rule.does, rule.flag if changed else "", changed)


def _shifts(shifted: int) -> Proposal:
    measures = "rows whose sides are shifted by one line (in the whole corpus)"
    return Proposal("shifted", measures, "--drop-shifted" if shifted else "", shifted)


def _limits(blocks: Sequence[Pairs], context: Context) -> Iterator[Proposal]:
    """Yield a proposal for each rule with a limit."""
    for name, least in LEAST.items():
        rule = FILTERS[name]
        scores = np.concatenate([rule.score(pairs, context) for pairs in blocks])
        found = tuple(float(value) for value in np.percentile(scores, PERCENTILES))
        limit = max(least, _rounded_up(found[PERCENTILES.index(KEPT_PERCENTILE)]))
        dropped = int((scores > limit).sum())
        flag = rule.flag if dropped else ""
        yield Proposal(
            name,
            rule.measures,
            f"{flag} {limit:g}" if flag else "",
            dropped,
            limit if flag else None,
            found,
            _bins(scores),
        )


def _rounded_up(value: float) -> float:
    """Return the value rounded up to two digits."""
    if value <= 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / step - 1e-9) * step:.6g}")


def _bins(scores: Scores) -> tuple[Bin, ...]:
    """Return a histogram of scores; large ones are in bins that grow by the same factor."""
    low, high = float(scores.min()), float(scores.max())
    if low == high:
        return (Bin(low, high, len(scores)),)
    edges: NDArray[np.float64]
    edges = (
        np.linspace(low, high, BINS + 1)
        if high <= 1
        else np.geomspace(max(low, 1.0), high, BINS + 1)
    )
    edges[0], edges[-1] = low, high
    counts, _ = np.histogram(scores, edges)
    return tuple(
        Bin(float(edges[i]), float(edges[i + 1]), int(rows)) for i, rows in enumerate(counts)
    )


def _same(blocks: Sequence[Pairs], context: Context, *, one_column: bool) -> Proposal:
    rule = FILTERS["same_text"]
    rows = sum(int(rule.score(pairs, context).sum()) for pairs in blocks)
    rare = 0 < rows <= RARE * sum(map(len, blocks))
    flags = rule.flag if rare and not one_column else ""
    return Proposal("same_text", "pairs whose two sides are the same text", flags, rows)


def _languages(sample: Sequence[Example], skipped: list[str]) -> Iterator[Proposal]:
    """Yield a proposal for the language of each side, from a part of the sample."""
    if not language.is_installed():
        skipped.append("other_language: py3langid is not installed: pip install 's2scli[clean]'")
        return
    part = sample[:: math.ceil(len(sample) / LANGUAGE_ROWS)]
    for side in ("source", "target"):
        texts = [text for row in part if len(text := getattr(row, side)) >= language.MIN_LETTERS]
        found = Counter(
            code
            for code, sure in map(language.language_of, texts)
            if sure >= language.MIN_CONFIDENCE
        )
        if not found:
            continue
        code, count = found.most_common(1)[0]
        others = found.total() - count
        wanted = others and count >= MAIN_LANGUAGE * found.total()
        names = ", ".join(
            f"{name} {number / found.total():.0%}" for name, number in found.most_common(3)
        )
        yield Proposal(
            "other_language",
            f"language of {found.total()} {side}s: {names}",
            f"--{side}-language {code}" if wanted else "",
            others,
        )
