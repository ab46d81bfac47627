"""The report card of a corpus of text: what is in it, and what to look at first."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from s2scli.data.accounting import Report, Sample
from s2scli.data.cleaning import language
from s2scli.data.cleaning.pairs import Pairs, Scores, Texts
from s2scli.data.cleaning.rule import Context, Filter, Repair
from s2scli.data.cleaning.rules import RULES
from s2scli.data.cleaning.script import NAMES, expected_script, script_counts
from s2scli.data.example import Example
from s2scli.data.near_duplicates import BANDS, HASHES, Signatures, signatures, similarity
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus, TextSplit
from s2scli.errors import MissingExtraError
from s2scli.scripts import units_of
from s2scli.tags import divide_tag
from s2scli.tokenizer.quality import measure_quality
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers

SAMPLE_ROWS, LANGUAGE_ROWS, NEAR_ROWS, HELD_OUT_ROWS = 50_000, 300, 20_000, 2_000
NEAR = 0.8  # the similarity of near duplicates
GROWTH_POINTS = 8
RATIO_POWERS = range(-5, 6)  # the bins of target / source length are half powers of 2
SHOWN_SCRIPTS, SHOWN_LANGUAGES = 4, 5
BATCH = 4096
UNSURE = "unsure"
# The settings with which the rules look for what may be wrong in a corpus that is prepared.
ASKED = PrepareSettings(
    max_length_ratio=4,
    drop_same=True,
    max_repeats=20,
    max_other_script=0.5,
    max_unmatched=0.5,
    redact=True,
)
# The share of rows from which a rule is worth a look, what is wrong with them, and what to do.
NOTABLE = {
    "encoding": (0.0002, "were decoded with the wrong encoding", "--fix-encoding repairs them"),
    "html_entities": (0.0005, "have HTML entities", "--unescape-html replaces them"),
    "control_characters": (0.0002, "have control characters", "--remove-controls removes them"),
    "redacted": (
        0.0,
        "have e-mail addresses, telephone, card or account numbers",
        "--redact replaces them by placeholders",
    ),
    "length_ratio": (
        0.01,
        "have a side more than 4 times as long as the other",
        "--max-length-ratio 4 drops them",
    ),
    "same_text": (
        0.01,
        "have the same text on both sides",
        "--drop-same drops them, unless the task is to copy",
    ),
    "repeated_characters": (
        0.002,
        "repeat one character more than 20 times",
        "--max-repeats 20 drops them",
    ),
    "other_script": (
        0.002,
        "are mostly in another script than the others",
        "--max-other-script 0.5 drops them",
    ),
    "unmatched_numbers": (
        0.02,
        "have numbers or web addresses on one side only",
        "--max-unmatched 0.5 drops them",
    ),
}
MOST_DIRT = 0.5  # what more rows have than this is the task, such as to copy
MUCH_DROPPED, MUCH_NEAR, MUCH_UNKNOWN, MANY_PIECES, MAIN_LANGUAGE = 0.05, 0.05, 0.005, 4.0, 0.95


@dataclass(frozen=True)
class Finding:
    """Something to look at.

    Attributes:
        weight: how much it matters; the list is in this order.
        what: what was found.
        do: what to do about it; "" if that is part of what was found.
    """

    weight: float
    what: str
    do: str = ""


@dataclass(frozen=True)
class Share:
    """The share of letters or of texts, from 0 to 1, of something with this name."""

    name: str
    share: float


@dataclass(frozen=True)
class SideView:
    """One side of the train split.

    Attributes:
        side: source or target.
        scripts: the shares of letters, the commonest script first.
        languages: the shares of texts of at least 20 letters; empty without py3langid.
        tokens: numbers of words read, growing by the same factor; characters in scripts without
            spaces.
        types: the number of different ones among them.
        pieces_per_word: of the workspace's tokenizer; None without one that cuts words, or in a
            script without spaces.
        unknown_rate: the share of its pieces that are unknown; None without one.
    """

    side: str
    scripts: tuple[Share, ...]
    languages: tuple[Share, ...]
    tokens: tuple[int, ...]
    types: tuple[int, ...]
    pieces_per_word: float | None
    unknown_rate: float | None


@dataclass(frozen=True)
class RatioBin:
    """The rows whose target is `low` to `high` times as long as their source; None is no end."""

    low: float
    high: float | None
    rows: int


@dataclass(frozen=True)
class RuleView:
    """What a rule finds in the corpus as it is.

    Attributes:
        rule: the name of the rule.
        rows: the rows of the sample that it would drop or change.
        samples: the first of them.
    """

    rule: str
    rows: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Leak:
    """Rows of a held-out split that are also, or nearly, in the train split.

    Attributes:
        split: valid or test.
        rows: its rows that were compared.
        equal_sources: how many of all its rows have a source that the train split has, too.
        near: how many of those compared resemble a train row that was compared.
        train_rows: the train rows they were compared with.
        samples: the first of them, with the train row as what was before.
    """

    split: str
    rows: int
    equal_sources: int
    near: int
    train_rows: int
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Card:
    """The report card of a corpus.

    Attributes:
        findings: what to look at, the most important first.
        sample: the train rows that were looked at, evenly spaced.
        sides: the source and the target.
        ratios: a histogram of target / source length.
        rules: what each rule finds in the corpus as it is.
        near_duplicates: the rows of the sample that resemble an earlier row of it, and how many
            rows were compared.
        leaks: what of the held-out splits is in the train split.
    """

    findings: tuple[Finding, ...]
    sample: int
    sides: tuple[SideView, ...]
    ratios: tuple[RatioBin, ...]
    rules: tuple[RuleView, ...]
    near_duplicates: tuple[int, int]
    leaks: tuple[Leak, ...]


def make_card(corpus: Corpus, report: Report, tokenizers: Tokenizers | None) -> Card:
    """Return the report card of a corpus of text.

    At most 50,000 evenly spaced train rows are looked at, 20,000 of them for near duplicates.

    Args:
        corpus: the corpus; both sides are text.
        report: the report of its preparation.
        tokenizers: the tokenizers of the workspace; None if there are none.
    """
    train = corpus.open_split("train")
    sample = spaced(train, SAMPLE_ROWS)
    plain = [replace(row, source=divide_tag(row.source, corpus.tags)[1]) for row in sample]
    compared = sample[:: max(1, math.ceil(len(sample) / NEAR_ROWS))]
    found = _signatures(compared)
    near = int(_near_earlier(found).sum())
    sides = tuple(_side(side, plain, tokenizers) for side in ("source", "target"))
    rules = tuple(_rules(plain))
    leaks = tuple(
        _leak(name, corpus.open_split(name), summary.source_in_train, compared, found)
        for name, summary in report.splits.items()
        if name != "train"
    )
    card = Card((), len(sample), sides, _ratios(plain), rules, (near, len(compared)), leaks)
    findings = sorted(_findings(card, report), key=lambda finding: -finding.weight)
    return replace(card, findings=tuple(findings))


def spaced(split: TextSplit, most: int) -> list[Example]:
    """Return at most `most` evenly spaced rows of a split, in order."""
    step = max(1, math.ceil(len(split) / most))
    return [row for number, row in enumerate(split) if number % step == 0]


def _side(side: str, sample: Sequence[Example], tokenizers: Tokenizers | None) -> SideView:
    texts = [getattr(row, side) for row in sample]
    counts = np.zeros(len(NAMES), np.int64)
    for start in range(0, len(texts), BATCH):
        counts += script_counts(Texts(texts[start : start + BATCH])).sum(0)
    order = np.argsort(-counts, kind="stable")[:SHOWN_SCRIPTS]
    scripts = tuple(
        Share(NAMES[number], round(float(counts[number] / counts.sum()), 4))
        for number in order.tolist()
        if counts[number]
    )
    tokens, types = _growth(texts)
    tokenizer = getattr(tokenizers, side, None)
    quality = measure_quality(tokenizer, texts) if isinstance(tokenizer, SentencePiece) else None
    together = " ".join(texts[:BATCH])
    cuts_words = (
        getattr(tokenizer, "kind", "") in ("bpe", "unigram")
        and units_of(together) == together.split()
    )
    return SideView(
        side,
        scripts,
        _languages(texts),
        tokens,
        types,
        round(quality.pieces_per_word, 2) if quality and cuts_words else None,
        round(quality.unknown_rate, 5) if quality else None,
    )


def _growth(texts: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return numbers of words read, and of different words among them."""
    seen: set[str] = set()
    read, points = 0, []
    for text in texts:
        words = units_of(text)
        seen.update(words)
        read += len(words)
        points.append((read, len(seen)))
    wanted = np.geomspace(max(1, read / 2 ** (GROWTH_POINTS - 1)), max(1, read), GROWTH_POINTS)
    indices = np.searchsorted([point[0] for point in points], np.floor(wanted))
    kept = dict(points[min(int(index), len(points) - 1)] for index in indices)
    return tuple(kept), tuple(kept.values())


def _languages(texts: Sequence[str]) -> tuple[Share, ...]:
    if not language.is_installed():
        return ()
    long = [text for text in texts if len(text) >= language.MIN_LETTERS]
    part = long[:: max(1, math.ceil(len(long) / LANGUAGE_ROWS))]
    judged = (language.language_of(text) for text in part)
    found = Counter(code if sure >= language.MIN_CONFIDENCE else UNSURE for code, sure in judged)
    return tuple(
        Share(code, round(count / len(part), 4))
        for code, count in found.most_common(SHOWN_LANGUAGES)
    )


def _ratios(sample: Sequence[Example]) -> tuple[RatioBin, ...]:
    lengths = np.array([(len(row.source), len(row.target)) for row in sample], np.float64)
    lengths = np.maximum(lengths.reshape(-1, 2), 1)
    powers = np.clip(
        np.floor(2 * np.log2(lengths[:, 1] / lengths[:, 0]) + 0.5),
        RATIO_POWERS[0],
        RATIO_POWERS[-1],
    )
    counts = Counter(powers.astype(int).tolist())
    return tuple(
        RatioBin(
            0.0 if power == RATIO_POWERS[0] else round(2 ** ((power - 0.5) / 2), 2),
            None if power == RATIO_POWERS[-1] else round(2 ** ((power + 0.5) / 2), 2),
            counts[power],
        )
        for power in RATIO_POWERS
    )


def _rules(sample: Sequence[Example]) -> Iterator[RuleView]:
    """Yield what the rules find in the sample as it is."""
    context = Context(
        ASKED,
        expected_script([row.source for row in sample]),
        expected_script([row.target for row in sample]),
    )
    for name in NOTABLE:
        rows: list[tuple[Example, tuple[str, str] | None]] = []
        try:
            for start in range(0, len(sample), BATCH):
                rows += _found(RULES[name], sample[start : start + BATCH], context)
        except MissingExtraError:
            continue
        samples = tuple(
            Sample(row.line, row.source, row.target).cut()
            if after is None
            else Sample(row.line, *after, *_before(RULES[name], row)).cut()
            for row, after in rows[:3]
        )
        yield RuleView(name, len(rows), samples)


def _before(rule: Filter | Repair, row: Example) -> tuple[str, str]:
    """Return the texts of a row before a change; empty texts if they must not be shown."""
    hides = isinstance(rule, Repair) and rule.hides
    return ("", "") if hides else (row.source, row.target)


def _found(
    rule: Filter | Repair, rows: Sequence[Example], context: Context
) -> Iterator[tuple[Example, tuple[str, str] | None]]:
    """Yield the rows that a rule would drop or change, and their texts after a change."""
    pairs = Pairs.of([row.source for row in rows], [row.target for row in rows])
    if isinstance(rule, Filter):
        limit = rule.limit(ASKED)
        scores: Scores = rule.score(pairs, context)
        bad = np.flatnonzero(scores > limit).tolist() if limit is not None else []
        yield from ((rows[row], None) for row in bad)
        return
    after = zip(*(rule.apply(side, context) for side in pairs.sides), strict=True)
    for row, texts in zip(rows, after, strict=True):
        if texts != (row.source, row.target):
            yield row, texts


def _signatures(rows: Sequence[Example]) -> Signatures:
    return signatures([row.source for row in rows], [row.target for row in rows])


def _keys(found: Signatures) -> NDArray[np.uint64]:
    """Return the minima of each band as one number, [rows, bands]."""
    return np.ascontiguousarray(found).view("<u8").reshape(len(found), BANDS)


def _near_earlier(found: Signatures) -> NDArray[np.bool_]:
    """Return a mask that is True at rows that resemble an earlier row, [rows]."""
    near = np.zeros(len(found), np.bool_)
    for keys in _keys(found).T:
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        rows = np.flatnonzero(first[inverse] < np.arange(len(keys)))
        near[rows] |= similarity(found[rows], found[first[inverse[rows]]]) >= NEAR
    return near


def _nearest(held: Signatures, train: Signatures) -> NDArray[np.int64]:
    """Return for each held-out row a train row that resembles it; -1 if there is none."""
    nearest = np.full(len(held), -1, np.int64)
    for own, others in zip(_keys(held).T, _keys(train).T, strict=True):
        keys, first = np.unique(others, return_index=True)
        at = np.minimum(np.searchsorted(keys, own), max(0, len(keys) - 1))
        rows = np.flatnonzero(keys[at] == own) if len(keys) else np.empty(0, np.int64)
        close = similarity(held[rows], train[first[at[rows]]]) >= NEAR
        nearest[rows[close]] = first[at[rows[close]]]
    return nearest


def _leak(
    name: str, split: TextSplit, equal: int, train: Sequence[Example], found: Signatures
) -> Leak:
    rows = spaced(split, HELD_OUT_ROWS)
    nearest = _nearest(_signatures(rows), found)
    near = np.flatnonzero(nearest >= 0)
    samples = tuple(
        Sample(
            rows[row].line,
            rows[row].source,
            rows[row].target,
            train[int(nearest[row])].source,
            train[int(nearest[row])].target,
        ).cut()
        for row in near[:3].tolist()
    )
    return Leak(name, len(rows), equal, len(near), len(train), samples)


def _findings(card: Card, report: Report) -> Iterator[Finding]:
    """Yield what is worth a look, in any order."""
    yield from (Finding(5.0, notice) for notice in report.notices)
    for account in report.by_role():
        for reason, count in account.dropped.items():
            if count > MUCH_DROPPED * account.read and reason != "duplicate":
                yield Finding(
                    2 + count / account.read,
                    f"{count / account.read:.0%} of the rows of {account.role} were dropped: "
                    f"{reason.replace('_', ' ')}",
                    "look at the samples; if they are good rows, loosen the rule",
                )
    own = {account.role for account in report.files}
    for leak in card.leaks:
        if leak.near > 0.01 * leak.rows:
            drop = (
                f"take these rows out of the {leak.split} files, or out of the corpus"
                if leak.split in own
                else "--near-duplicates 0.8 drops them before the split"
            )
            yield Finding(
                4.0,
                f"{leak.near:,} of {leak.rows:,} {leak.split} rows resemble one of "
                f"{leak.train_rows:,} train rows",
                f"scores may be too high; {drop}",
            )
    near, compared = card.near_duplicates
    if near > MUCH_NEAR * compared:
        yield Finding(
            1 + near / compared,
            f"{near:,} of {compared:,} train rows resemble an earlier one",
            "--near-duplicates 0.8 drops them",
        )
    for view in card.rules:
        least, what, do = NOTABLE[view.rule]
        most = MOST_DIRT if isinstance(RULES[view.rule], Filter) else 1.0
        if least * card.sample < view.rows <= most * card.sample:
            yield Finding(
                3.0 if view.rule == "redacted" else 1 + view.rows / card.sample,
                f"{view.rows:,} of {card.sample:,} train rows {what}",
                do,
            )
    for side in card.sides:
        yield from _side_findings(side)


def _side_findings(side: SideView) -> Iterator[Finding]:
    known = [share for share in side.languages if share.name != UNSURE]
    if known and MAIN_LANGUAGE > known[0].share > 0.5:
        yield Finding(
            1.5,
            f"{known[0].share:.0%} of the {side.side}s are recognized as {known[0].name}",
            f"--{side.side}-language {known[0].name} drops the others",
        )
    if side.unknown_rate is not None and side.unknown_rate > MUCH_UNKNOWN:
        yield Finding(
            1.8,
            f"{side.unknown_rate:.2%} of the {side.side} pieces are unknown",
            "train-tokenizer --byte-fallback, or a higher --character-coverage",
        )
    if side.pieces_per_word is not None and side.pieces_per_word > MANY_PIECES:
        yield Finding(
            1.2,
            f"a {side.side} word has {side.pieces_per_word:.1f} pieces",
            "a larger train-tokenizer --vocab-size makes sequences shorter",
        )


assert HASHES % BANDS == 0 and HASHES // BANDS == 4  # the minima of a band are one 64-bit number
