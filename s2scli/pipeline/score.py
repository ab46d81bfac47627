"""`s2s score`: a filter that says how probable a model finds the target of each line."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import CorpusError
from s2scli.pipeline.records import Clean, json_line
from s2scli.pipeline.scoring import ScoredLine, Scorer, score_lines
from s2scli.pipeline.translate import (
    PLACES_NAMED,
    Oddities,
    cleaner,
    run_filter,
    warn_of_bad_bytes,
    warn_of_unknown,
)
from s2scli.pipeline.translation import TargetText
from s2scli.report.console import Talk
from s2scli.search.ranking import normalise
from s2scli.search.settings import ScoreSettings

ScoreFormat = Callable[[int, ScoredLine, float, Clean], str]
"""Takes the line's index (the first is 0), its record, the exponent of the length, and what makes
text fit to print."""


@dataclass(frozen=True)
class Unit:
    """What a file is measured in: tokens, words, characters or sentences.

    Attributes:
        name: of one.
        count: how many the targets have.
        nats: the sum of the log-probabilities of all targets.
    """

    name: str
    count: int
    nats: float

    @property
    def mean(self) -> float:
        """The log-probability of one, in nats."""
        return self.nats / self.count

    @property
    def bits(self) -> float:
        """What it takes to say one, in bits."""
        return -self.mean / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(-mean); infinite where that is more than a float holds."""
        try:
            return math.exp(-self.mean)
        except OverflowError:
            return math.inf

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document; a perplexity beyond all floats is null."""
        perplexity = self.perplexity
        return {
            "count": self.count,
            "log_prob": self.mean,
            "bits": self.bits,
            "perplexity": perplexity if math.isfinite(perplexity) else None,
        }


@dataclass
class Totals:
    """What was scored so far, and what was odd about it.

    The end of a target counts as a token, a word and a character, since the model says it too.
    Words are what white space divides; of white space, one character counts.

    Attributes:
        lines: how many lines were read.
        sentences: how many have a score.
        log_prob: the sum of their scores, in nats.
        tokens: of their targets.
        words: of their targets.
        characters: of their targets.
        unknown_tokens: how many of the tokens the model's tokenizer did not know.
        source_tokens: of their sources.
        unknown_source_tokens: how many of those the model's tokenizer did not know.
        empty: lines without a source.
        failed: lines that could not be scored.
        not_utf8: lines with bytes that are not UTF-8.
    """

    lines: int = 0
    sentences: int = 0
    log_prob: float = 0.0
    tokens: int = 0
    words: int = 0
    characters: int = 0
    unknown_tokens: int = 0
    source_tokens: int = 0
    unknown_source_tokens: int = 0
    empty: int = 0
    failed: Oddities = field(default_factory=Oddities)
    not_utf8: Oddities = field(default_factory=Oddities)

    def add(self, record: ScoredLine) -> None:
        """Count one record."""
        self.lines += 1
        self.empty += record.status == "empty"
        if record.status == "failed":
            self.failed.add(record.line)
        if record.line.bad_byte:
            self.not_utf8.add(record.line)
        if record.scored:
            self.source_tokens += len(record.scored.source_pieces)
            self.unknown_source_tokens += record.scored.unknown_tokens
        if record.forced:
            self._add_target(record.target, record.forced)

    def _add_target(self, target: str, forced: TargetText) -> None:
        words = target.split()
        self.sentences += 1
        self.log_prob += log_prob(forced)
        self.tokens += len(forced.pieces)
        self.words += len(words) + 1
        self.characters += len(" ".join(words)) + 1
        self.unknown_tokens += forced.unknown_tokens

    @property
    def units(self) -> tuple[Unit, ...]:
        """The measures of the file, the smallest unit first.

        Raises:
            CorpusError: no line has a score.
        """
        if not self.sentences:
            raise CorpusError(f"no pair to score in {self.lines:,} lines")
        counts = {
            "token": self.tokens,
            "character": self.characters,
            "word": self.words,
            "sentence": self.sentences,
        }
        return tuple(Unit(name, count, self.log_prob) for name, count in counts.items())

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document.

        Raises:
            CorpusError: no line has a score.
        """
        return {
            "sentences": self.sentences,
            "empty": self.empty,
            "failed": self.failed.count,
            "log_prob": self.log_prob,
            "unknown_tokens": self.unknown_tokens,
            "per": {unit.name: unit.as_json() for unit in self.units},
        }


def score(
    inputs: Sequence[Path],
    output: Path | None,
    scorer: Scorer,
    settings: ScoreSettings,
    stream: StreamSettings,
    score_format: ScoreFormat | None,
    talk: Talk,
) -> Totals:
    """Score files (or stdin for `-`) line by line, into a file or to stdout.

    Lines that came before an error are written to stdout; a file appears only when it is whole.
    Without a format no line is written.

    Raises:
        MissingInputError: an input is not there.
        CorpusError: an input is damaged, or a line is refused (`stream.strict`).
        StorageError: the output cannot be written; a file that was there stays as it was.
    """
    totals = Totals()
    started = time.perf_counter()
    clean = cleaner(output)
    if scorer.is_latent:
        talk.say(
            "the model is latent: scored is log p(target | z) at the mean of q(z | source), "
            "without its KL"
        )

    def answer(window: Sequence[Line]) -> Iterator[str]:
        records = score_lines(window, scorer, one_column=settings.one_column)
        for index, record in enumerate(records, totals.lines):
            if score_format:
                yield score_format(index, record, settings.length_penalty, clean)
        _count(records, totals, talk)

    run_filter(inputs, output, stream, answer, talk)
    _report(totals, time.perf_counter() - started, talk)
    return totals


def log_prob(forced: TargetText) -> float:
    """Return the sum of the tokens' log-probabilities, in nats."""
    return math.fsum(forced.token_scores)


def penalised(forced: TargetText, length_penalty: float) -> float:
    """Return log p(target | source) / tokens^length_penalty."""
    return normalise(log_prob(forced), len(forced.token_scores), length_penalty)


def plain_score(index: int, record: ScoredLine, length_penalty: float, clean: Clean) -> str:
    """Return the score; nothing where there is none."""
    return f"{penalised(record.forced, length_penalty):.4f}" if record.forced else ""


def token_columns(index: int, record: ScoredLine, length_penalty: float, clean: Clean) -> str:
    """Return score TAB tokens TAB their log-probabilities; spaces divide both."""
    columns = [plain_score(index, record, length_penalty, clean), "", ""]
    if record.forced:
        columns[1] = " ".join(_visible_piece(clean(piece)) for piece in record.forced.pieces)
        columns[2] = " ".join(f"{score:.4f}" for score in record.forced.token_scores)
    return "\t".join(columns)


def _visible_piece(piece: str) -> str:
    """Return a piece as something without white space: of the kinds of it, ▁ stands for all."""
    return "".join("▁" if character.isspace() else character for character in piece)


def json_score(index: int, record: ScoredLine, length_penalty: float, clean: Clean) -> str:
    """Return a JSON object on one line; the lists run over the tokens, the end token included."""
    forced = record.forced
    document: dict[str, object] = {
        "line": index + 1,
        "status": record.status,
        "source": record.source,
        "target": record.target,
        "score": round(penalised(forced, length_penalty), 6) if forced else None,
        "log_prob": round(log_prob(forced), 6) if forced else None,
        "tokens": forced.pieces if forced else [],
        "token_scores": [round(score, 6) for score in forced.token_scores] if forced else [],
    }
    if record.fault:
        document["fault"] = record.fault
    return json_line(document)


def _count(records: Sequence[ScoredLine], totals: Totals, talk: Talk) -> None:
    """Count records; tell why the first lines failed."""
    for record in records:
        totals.add(record)
        if record.status == "failed" and totals.failed.count <= PLACES_NAMED:
            talk.warn(f"{record.line.where}: not scored ({record.fault})")
    talk.detail(f"{totals.lines:,} lines scored")


def _report(totals: Totals, seconds: float, talk: Talk) -> None:
    warn_of_bad_bytes(totals.not_utf8, talk)
    if totals.failed.count:
        talk.warn(f"not scored, their lines are empty: {totals.failed}")
    warn_of_unknown("source", totals.unknown_source_tokens, totals.source_tokens, talk)
    warn_of_unknown("target", totals.unknown_tokens, totals.tokens, talk)
    if totals.sentences:
        token = totals.units[0]
        talk.detail(f"{token.count:,} target tokens, perplexity {token.perplexity:.4f} per token")
    rate = totals.lines / max(seconds, 1e-9)
    talk.detail(f"{totals.lines:,} lines in {seconds:.1f} s ({rate:.1f} lines/s)")
