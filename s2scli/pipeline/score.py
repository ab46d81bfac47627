"""`s2s score`: a filter that writes the log-probability of each line's target."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from s2scli.data.codecs.image import PictureCodec
from s2scli.data.stream import Line, StreamSettings
from s2scli.errors import CorpusError
from s2scli.metrics.perplexity import exp
from s2scli.report.console import Talk
from s2scli.search.ranking import normalise
from s2scli.search.settings import ScoreSettings
from s2scli.translation.filter import run_filter
from s2scli.translation.options import Options
from s2scli.translation.pairs import listed_pair, pair_of
from s2scli.translation.records import Clean, Record, RecordFormat, json_line
from s2scli.translation.results import TargetText
from s2scli.translation.tally import Tally
from s2scli.translation.translator import Translator


@dataclass(frozen=True)
class Unit:
    """A unit that scores are averaged over: tokens, words, characters or sentences.

    Attributes:
        name: the name of the unit.
        count: the number of units in all targets.
        nats: the sum of the log-probabilities of all targets, in nats.
    """

    name: str
    count: int
    nats: float

    @property
    def mean(self) -> float:
        """The mean log-probability per unit, in nats."""
        return self.nats / self.count

    @property
    def bits(self) -> float:
        """The mean negative log-probability per unit, in bits."""
        return -self.mean / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(-mean), or infinity if that overflows a float."""
        return exp(-self.mean)

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document; an infinite perplexity is null."""
        perplexity = self.perplexity
        return {
            "count": self.count,
            "log_prob": self.mean,
            "bits": self.bits,
            "perplexity": perplexity if math.isfinite(perplexity) else None,
        }


@dataclass
class Totals:
    """The sums over all scored targets.

    The end of each target counts as one token, one word and one character, because the model
    predicts it too. Words are separated by white space, which counts as one character.

    Attributes:
        log_prob: the sum of the targets' log-probabilities, in nats.
        sentences: the number of targets with a score.
        tokens: the number of tokens in these targets.
        words: the number of words in these targets.
        characters: the number of characters in these targets.
        unknown_tokens: the number of tokens that the tokenizer does not know.
        tally: the number of lines that were scored, empty or failed.
        pixels: the number of pixels of a target picture; 0 for texts.
    """

    log_prob: float = 0.0
    sentences: int = 0
    tokens: int = 0
    words: int = 0
    characters: int = 0
    unknown_tokens: int = 0
    tally: Tally = field(default_factory=Tally)
    pixels: int = 0

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
        """The totals per token, character, word and sentence; or per token, pixel and picture.

        Raises:
            CorpusError: no line has a score.
        """
        if not self.sentences:
            raise CorpusError(f"no pair to score in {self.tally.lines:,} lines")
        if self.pixels:
            pictures = {"pixel": self.sentences * self.pixels, "picture": self.sentences}
            counts = {"token": self.tokens, **pictures}
            return tuple(Unit(name, count, self.log_prob) for name, count in counts.items())
        counts = {
            "token": self.tokens,
            "character": self.characters,
            "word": self.words,
            "sentence": self.sentences,
        }
        return tuple(Unit(name, count, self.log_prob) for name, count in counts.items())

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document.

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
    *,
    sources: Sequence[str] | None = None,
    tag: str = "",
) -> Totals:
    """Score files (`-` is stdin) line by line; write to a file or to stdout.

    If an error occurs, stdout already has the lines before it; an output file appears only if all
    lines were written. If `record_format` is None, no lines are written. With `sources`, the lines
    are those of an n-best list. With `tag`, it is put in front of each source.

    Raises:
        UsageError: the model does not know the tag.
        MissingInputError: an input is missing.
        CorpusError: an input is damaged, or `stream.strict` is set and a line is invalid.
        StorageError: the output cannot be written; an existing file is not changed.
    """
    translator.require_tag(tag)
    totals = Totals(pixels=_pixels(translator))
    options = Options(translator.engine.settings, window=stream.window, tag=tag)
    if translator.engine.is_latent:
        talk.say(
            "the model has a latent vector z: scores are log p(target | z) at the mean of "
            "q(z | source), without the KL term"
        )

    def answer(window: Sequence[Line]) -> Iterator[Record]:
        if sources is None:
            pairs = [pair_of(line, one_column=settings.one_column) for line in window]
        else:
            pairs = [listed_pair(line, sources) for line in window]
        for record in translator.score(pairs, options):
            totals.add(record)
            yield record

    totals.tally = run_filter(
        *(inputs, output, stream, answer, record_format, talk, "scored"), pairs=sources is None
    )
    if totals.sentences:
        token = totals.units[0]
        talk.detail(f"{token.count:,} target tokens, perplexity {token.perplexity:.4f} per token")
    return totals


def _pixels(translator: Translator) -> int:
    """Return the number of pixels of a target picture; 0 if the target is text."""
    if not isinstance(translator.target, PictureCodec):
        return 0
    picture = translator.target.tokenizer.picture
    return picture.height * (picture.width or 0)


def log_prob(forced: TargetText) -> float:
    """Return the sum of the tokens' log-probabilities, in nats."""
    return math.fsum(forced.token_scores)


@dataclass(frozen=True)
class ScoreFormats:
    """The output formats of a scored pair.

    Attributes:
        length_penalty: the exponent; scores are divided by length^length_penalty.
    """

    length_penalty: float = 0.0

    def plain(self, index: int, record: Record, clean: Clean) -> str:
        """Return the score, or an empty string if there is none."""
        return f"{self._score(record.best):.4f}" if record.best else ""

    def tokens(self, index: int, record: Record, clean: Clean) -> str:
        """Return the score, the tokens and their log-probabilities, separated by TABs.

        Tokens and log-probabilities are separated by spaces.
        """
        columns = [self.plain(index, record, clean), "", ""]
        if record.best:
            columns[1] = " ".join(_visible_piece(clean(piece)) for piece in record.best.pieces)
            columns[2] = " ".join(f"{score:.4f}" for score in record.best.token_scores)
        return "\t".join(columns)

    def json(self, index: int, record: Record, clean: Clean) -> str:
        """Return a JSON object on one line; its lists include the end token."""
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
    """Return a piece with every white-space character replaced by ▁."""
    return "".join("▁" if character.isspace() else character for character in piece)
