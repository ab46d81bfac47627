"""The report card of a corpus as what `s2s inspect corpus` shows and writes."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from s2scli.report.card import Bars, CardPage, Samples, ShownRow

if TYPE_CHECKING:
    from s2scli.data.accounting import FileAccount, Sample
    from s2scli.pipeline.inspect_corpus import CorpusView
    from s2scli.pipeline.report_card import Card


def card_page(view: "CorpusView") -> CardPage:
    """Return the report card of a corpus of text."""
    card = view.card
    assert card is not None
    accounts, report = view.report.by_role(), view.report
    read, kept = sum(one.read for one in accounts), sum(one.kept for one in accounts)
    names = [name for account in report.files for name in account.names]
    facts = [("rows read", f"{read:,}"), ("kept", f"{kept:,}"), ("dropped", f"{read - kept:,}")]
    facts += [(f"{name} rows", f"{split.rows:,}") for name, split in report.splits.items()]
    return CardPage(
        title=f"Corpus: {', '.join(names[:4])}{' …' if len(names) > 4 else ''}",
        facts=tuple(facts),
        findings=tuple((one.what, one.do) for one in card.findings),
        tables=(_splits(view), *_leaks(card)),
        charts=tuple(_charts(view, card)),
        samples=tuple(_samples(accounts, card)),
        note=f"Scripts, ratios, vocabulary and rules are of {card.sample:,} evenly spaced train "
        f"rows. Near duplicates are of {card.near_duplicates[1]:,} of them: pairs that share 80 % "
        "of their character 5-grams, estimated by MinHash.",
    )


def _charts(view: "CorpusView", card: "Card") -> Iterator[Bars]:
    yield Bars(
        f"characters in {view.split}",
        ("sources", "targets"),
        tuple(
            (
                "-".join(map(str, sorted({part.shortest, part.longest}))),
                _counts(part.sources, part.targets),
            )
            for part in view.lengths
        ),
    )
    yield Bars(
        "target / source length",
        ("rows",),
        tuple(
            (f"{one.low:g} to {one.high:g}" if one.high else f"over {one.low:g}", _counts(one.rows))
            for one in card.ratios
        ),
    )
    for title, attribute in (("script", "scripts"), ("language", "languages")):
        for side in card.sides:
            shares = getattr(side, attribute)
            if shares:
                yield Bars(
                    f"{title} of {side.side}",
                    ("share",),
                    tuple((one.name, ((one.share, f"{one.share:.1%}"),)) for one in shares),
                )
    for side in card.sides:
        yield Bars(
            f"different {side.side} words, by words read",
            ("words",),
            tuple(
                (f"{tokens:,}", _counts(types))
                for tokens, types in zip(side.tokens, side.types, strict=True)
            ),
        )
    reasons: dict[str, int] = {}
    for account in view.report.by_role():
        for reason, count in account.dropped.items():
            reasons[reason] = reasons.get(reason, 0) + count
    if reasons:
        ordered = sorted(reasons.items(), key=lambda item: -item[1])
        yield Bars(
            "dropped because of",
            ("rows",),
            tuple((_words(name), _counts(count)) for name, count in ordered),
        )
    found = sorted((one for one in card.rules if one.rows), key=lambda one: -one.rows)
    if found:
        yield Bars(
            "what rules find in train now",
            ("rows",),
            tuple((_words(one.rule), _counts(one.rows)) for one in found),
        )


def _counts(*values: int) -> tuple[tuple[float, str], ...]:
    return tuple((float(value), f"{value:,}") for value in values)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _splits(view: "CorpusView") -> tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the table of the splits."""
    splits, card = view.report.splits, view.card
    assert card is not None
    rows: list[tuple[str, ...]] = [
        ("rows", *(f"{one.rows:,}" for one in splits.values())),
        ("characters per source", *(f"{one.source_characters:,.1f}" for one in splits.values())),
        ("characters per target", *(f"{one.target_characters:,.1f}" for one in splits.values())),
        (
            "length correlation",
            *(
                "unknown" if one.length_correlation is None else f"{one.length_correlation:.2f}"
                for one in splits.values()
            ),
        ),
        ("source = target", *(f"{one.source_equals_target:,}" for one in splits.values())),
    ]
    rest = ("",) * (len(splits) - 1)
    for side in card.sides:
        if side.pieces_per_word is not None:
            rows.append((f"pieces per {side.side} word", f"{side.pieces_per_word:.2f}", *rest))
        if side.unknown_rate is not None:
            rows.append((f"unknown {side.side} pieces", f"{side.unknown_rate:.2%}", *rest))
    return "Splits", ("", *splits), tuple(rows)


def _leaks(
    card: "Card",
) -> Iterator[tuple[str, tuple[str, ...], tuple[tuple[str, ...], ...]]]:
    """Yield the table of what is also in the train split; nothing without other splits."""
    if card.leaks:
        yield (
            "Also in the train split",
            ("", *(leak.split for leak in card.leaks)),
            (
                ("equal sources", *(f"{leak.equal_sources:,}" for leak in card.leaks)),
                ("near or equal pairs", *(f"{leak.near:,}" for leak in card.leaks)),
                ("rows compared", *(f"{leak.rows:,}" for leak in card.leaks)),
                ("with train rows", *(f"{leak.train_rows:,}" for leak in card.leaks)),
            ),
        )


def _samples(accounts: "Sequence[FileAccount]", card: "Card") -> Iterator[Samples]:
    """Yield samples of what was dropped and changed, what rules find, and what leaks."""
    for account in accounts:
        for counts, done in ((account.dropped, "dropped"), (account.changed, "changed")):
            for name, count in counts.items():
                if account.samples.get(name):
                    title = f"{account.role}, {done}: {_words(name)} ({count:,})"
                    yield Samples(title, _rows(account.samples[name]))
    for view in card.rules:
        if view.rows:
            yield Samples(f"in train now: {_words(view.rule)} ({view.rows:,})", _rows(view.samples))
    for leak in card.leaks:
        if leak.near:
            title = f"{leak.split} rows near a train row, which is struck out ({leak.near:,})"
            yield Samples(title, _rows(leak.samples))


def _rows(samples: "Sequence[Sample]") -> tuple[ShownRow, ...]:
    return tuple(
        ShownRow(f"line {one.line:,}", one.source, one.target, one.source_before, one.target_before)
        for one in samples
    )
