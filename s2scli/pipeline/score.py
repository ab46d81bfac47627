"""`s2s score`: a filter that writes the probability of the target of each line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import CorpusError
from s2scli.report.console import Talk
from s2scli.search.ranking import normalise
from s2scli.search.settings import ScoreSettings
from s2scli.translation.filter import Tally, run_filter
from s2scli.translation.options import Options
from s2scli.translation.pairs import pair_of
from s2scli.translation.records import Clean, Record, RecordFormat, json_line
from s2scli.translation.results import TargetText
from s2scli.translation.translator import Translator


@dataclass(frozen=True)
class Unit:
    """A unit that scores are averaged over: tokens, words, characters or sentences.

    Attributes:
        name: of one unit.
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
        """The cost of one, in bits."""
        return -self.mean / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(-mean); infinite where that is more than a float holds."""
        try:
            return math.exp(-self.mean)
        except OverflowError:
            return math.inf

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document; an infinite perplexity is null."""
        perplexity = self.perplexity
        return {
            "count": self.count,
            "log_prob": self.mean,
            "bits": self.bits,
            "perplexity": perplexity if math.isfinite(perplexity) else None,
        }


@dataclass
class Totals:
    """The sums over all targets of a file.

    The end of a target counts as a token, a word and a character, since the model predicts it too.
    Words are what white space divides; of white space, one character counts.

    Attributes:
        log_prob: the sum of the scores, in nats.
        sentences: targets that have a score.
        tokens: of these targets.
        words: of these targets.
        characters: of these targets.
        unknown_tokens: how many of the tokens the model's tokenizer did not know.
        tally: how many lines were scored, empty or failed.
    """

    log_prob: float = 0.0
    sentences: int = 0
    tokens: int = 0
    words: int = 0
    characters: int = 0
    unknown_tokens: int = 0
    tally: Tally = field(default_factory=Tally)

    def add(self, record: Record) -> None:
        """Add the target of a record, if it has a score."""
        if record.best is None:
            return
        words = record.target.split()
        self.sentences += 1
        self.log_prob += log_prob(record.best)
        self.tokens += len(record.best.pieces)
        self.words += len(words) + 1
        self.characters += len(" ".join(words)) + 1
        self.unknown_tokens += record.best.unknown_tokens

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units of the file, the smallest first.

        Raises:
            CorpusError: no line has a score.
        """
        if not self.sentences:
            raise CorpusError(f"no pair to score in {self.tally.lines:,} lines")
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
            "empty": self.tally.empty,
            "failed": self.tally.failed.count,
            "log_prob": self.log_prob,
            "unknown_tokens": self.unknown_tokens,
            "per": {unit.name: unit.as_json() for unit in self.units},
        }


def score(
    inputs: Sequence[Path],
    output: Path | None,
    translator: Translator,
    settings: ScoreSettings,
    stream: StreamSettings,
    record_format: RecordFormat | None,
    talk: Talk,
) -> Totals:
    """Score files (or stdin for `-`) line by line, into a file or to stdout.

    Lines that came before an error are written to stdout; a file appears only when it is whole.
    Without a format no line is written.

    Raises:
        MissingInputError: an input is not there.
        CorpusError: an input is damaged, or a line is refused (`stream.strict`).
        StorageError: the output cannot be written; an existing file is not changed.
    """
    totals = Totals()
    options = Options(translator.engine.settings, window=stream.window)
    if translator.engine.is_latent:
        talk.say(
            "the model has a latent vector z: scores are log p(target | z) at the mean of "
            "q(z | source), without the KL term"
        )

    def answer(window: Sequence[Line]) -> Iterator[Record]:
        pairs = (pair_of(line, one_column=settings.one_column) for line in window)
        for record in translator.score(pairs, options):
            totals.add(record)
            yield record

    totals.tally = run_filter(inputs, output, stream, answer, record_format, talk, "scored")
    if totals.sentences:
        token = totals.units[0]
        talk.detail(f"{token.count:,} target tokens, perplexity {token.perplexity:.4f} per token")
    return totals


def log_prob(forced: TargetText) -> float:
    """Return the sum of the tokens' log-probabilities, in nats."""
    return math.fsum(forced.token_scores)


@dataclass(frozen=True)
class ScoreFormats:
    """How a scored pair is written.

    Attributes:
        length_penalty: the exponent of the length that scores are divided by.
    """

    length_penalty: float = 0.0

    def plain(self, index: int, record: Record, clean: Clean) -> str:
        """Return the score; nothing where there is none."""
        return f"{self._score(record.best):.4f}" if record.best else ""

    def tokens(self, index: int, record: Record, clean: Clean) -> str:
        """Return score TAB tokens TAB their log-probabilities; spaces divide both."""
        columns = [self.plain(index, record, clean), "", ""]
        if record.best:
            columns[1] = " ".join(_visible_piece(clean(piece)) for piece in record.best.pieces)
            columns[2] = " ".join(f"{score:.4f}" for score in record.best.token_scores)
        return "\t".join(columns)

    def json(self, index: int, record: Record, clean: Clean) -> str:
        """Return a JSON object on one line; the lists run over the tokens with the end token."""
        forced = record.best
        document: dict[str, object] = {
            "line": index + 1,
            "status": record.status,
            "source": record.source,
            "target": record.target,
            "score": round(self._score(forced), 6) if forced else None,
            "log_prob": round(log_prob(forced), 6) if forced else None,
            "tokens": forced.pieces if forced else [],
            "token_scores": [round(score, 6) for score in forced.token_scores] if forced else [],
        }
        if record.fault:
            document["fault"] = record.fault
        return json_line(document)

    def _score(self, forced: TargetText) -> float:
        """Return log p(target | source) / tokens^length_penalty."""
        return normalise(log_prob(forced), len(forced.token_scores), self.length_penalty)


def _visible_piece(piece: str) -> str:
    """Return a piece with ▁ for every kind of white space."""
    return "".join("▁" if character.isspace() else character for character in piece)
