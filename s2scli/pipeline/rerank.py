"""`s2s rerank`: score the hypotheses of an n-best list with more models, and choose again."""

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.text import one_line
from s2scli.errors import UsageError
from s2scli.report.console import Talk
from s2scli.search.ranking import normalise
from s2scli.search.settings import RerankSettings
from s2scli.tags import tagged
from s2scli.translation.nbest import Choices, read_choices, read_sources
from s2scli.translation.options import Options
from s2scli.translation.outputs import open_output
from s2scli.translation.pairs import pairs_of
from s2scli.translation.records import json_line
from s2scli.translation.translator import Translator

SOURCES_AT_ONCE = 64
WORST = -1e9  # the score of a hypothesis that a model cannot score


@dataclass(frozen=True)
class Scorer:
    """A model that scores hypotheses.

    Attributes:
        translator: the model.
        backward: whether it scores the source, given the hypothesis, instead of the hypothesis.
    """

    translator: Translator
    backward: bool = False

    def score(
        self, pairs: Sequence[tuple[Choices, str]], length_penalty: float
    ) -> list[float | None]:
        """Return log P / tokens^length_penalty of each pair; None if it cannot be scored.

        Args:
            pairs: pairs of a source and a hypothesis.
            length_penalty: the exponent.
        """
        given = [
            (text, own.source) if self.backward else (self._source(own), text)
            for own, text in pairs
        ]
        options = Options(self.translator.engine.settings)
        read, written = [one for one, _ in given], [other for _, other in given]
        found = self.translator.score(pairs_of("hypotheses", read, written), options)
        return [
            normalise(sum(best.token_scores), len(best.token_scores), length_penalty)
            if (best := record.best)
            else None
            for record in found
        ]

    def _source(self, own: Choices) -> str:
        """Return a source as the model reads it, with its tag if the model knows it."""
        known = own.tag in self.translator.tags
        return tagged(own.tag, own.source) if known else own.source


@dataclass(frozen=True)
class Reranked:
    """A hypothesis with its scores.

    Attributes:
        text: the hypothesis.
        score: the weighted sum of its scores.
        scores: the score in the list, and the score of each model.
    """

    text: str
    score: float
    scores: tuple[float, ...]


Ranking: TypeAlias = tuple[Choices, Sequence[Reranked]]
Shape: TypeAlias = Callable[[Choices, Sequence[Reranked]], str]


@dataclass(frozen=True)
class RerankRequest:
    """What to rerank, and how.

    Attributes:
        path: the n-best list; `-` is stdin.
        sources: the file of sources, for a list in text; None for JSON.
        output: the file to write; None writes to stdout.
        weights: the weight of the score in the list, and of the score of each model.
        settings: the length penalty, and how many hypotheses to write.
        shape: formats the hypotheses of one source.
        tag: the tag in front of each source that has none in the list; empty if there is none.
    """

    path: Path
    sources: Path | None
    output: Path | None
    weights: Sequence[float]
    settings: RerankSettings
    shape: Shape
    tag: str = ""


def rerank(scorers: Sequence[Scorer], request: RerankRequest, talk: Talk) -> int:
    """Rerank an n-best list, and return how many hypotheses a model could not score.

    Such a hypothesis ranks behind all others, and so does a blank one that a reverse model should
    read.

    Raises:
        UsageError: the number of weights is wrong, or one is not finite; a model does not know the
            tag or no model reads it; or sources are given for a list in JSON, which has its own.
        MissingInputError: a file does not exist.
        CorpusError: the list is damaged, or a source is missing.
        StorageError: the output cannot be written; an existing file is not changed.
    """
    if len(request.weights) != len(scorers) + 1:
        raise UsageError(
            f"{len(request.weights)} times --weight: expected {len(scorers) + 1}: one for the "
            "scores in the list, and one for each --model and each --reverse, in this order"
        )
    for weight in request.weights:
        if not math.isfinite(weight):
            raise UsageError(f"--weight {weight}: expected a finite number")
    forward = [scorer for scorer in scorers if not scorer.backward]
    if request.tag and not forward:
        raise UsageError("--tag has no effect without --model: a reverse model reads no tag")
    for scorer in forward:
        scorer.translator.require_tag(request.tag)
    sources = read_sources(request.sources) if request.sources else None
    choices, failed = read_choices(request.path, sources, request.tag), 0
    with open_output(request.output) as out:
        while some := list(itertools.islice(choices, SOURCES_AT_ONCE)):
            for own, ranked in _rank(some, scorers, request):
                failed += sum(WORST in one.scores and not is_blank(one.text) for one in ranked)
                best = ranked[: request.settings.n_best]
                out.write(f"{request.shape(own, best)}\n".encode(errors="replace"))
    if failed:
        talk.warn(f"hypotheses that a model could not score, ranked last: {failed:,}")
    return failed


def _rank(
    some: Sequence[Choices], scorers: Sequence[Scorer], request: RerankRequest
) -> Iterator[Ranking]:
    """Yield the hypotheses of each source, best first; equals keep their order."""
    pairs = [(own, one.text) for own in some for one in own.hypotheses]
    penalty = request.settings.length_penalty
    columns = [scorer.score(pairs, penalty) for scorer in scorers]
    rows = iter(zip(*columns, strict=True)) if columns else itertools.repeat(())
    for own in some:
        ranked = []
        for one in own.hypotheses:
            found = tuple(WORST if score is None else score for score in next(rows))
            if is_blank(own.source):
                found = (0.0,) * len(scorers)  # nothing to score
            scores = (one.score, *found)
            total = sum(w * score for w, score in zip(request.weights, scores, strict=True))
            ranked.append(Reranked(one.text, total, scores))
        yield own, sorted(ranked, key=lambda each: (WORST in each.scores, -each.score))


def best_text(own: Choices, ranked: Sequence[Reranked]) -> str:
    """Return the best hypothesis; empty if there is none."""
    return one_line(ranked[0].text) if ranked else ""


def moses_lines(own: Choices, ranked: Sequence[Reranked]) -> str:
    """Return a line `index ||| hypothesis ||| scores ||| sum` for each one, as Moses does."""
    lines = [
        f"{own.index} ||| {one_line(one.text)} ||| "
        f"{' '.join(f'{score:.4f}' for score in one.scores)} ||| {one.score:.4f}"
        for one in ranked
    ]
    return "\n".join(lines or [f"{own.index} |||  |||  ||| 0.0000"])


def json_text(own: Choices, ranked: Sequence[Reranked]) -> str:
    """Return a JSON object on one line, in the form of `s2s translate --json`."""
    hypotheses = [
        {
            "text": one_line(one.text),
            "score": round(one.score, 6),
            "scores": [round(score, 6) for score in one.scores],
        }
        for one in ranked
    ]
    return json_line(
        {
            "line": own.index + 1,
            "source": own.source,
            **({"tag": own.tag} if own.tag else {}),
            "translation": best_text(own, ranked),
            "hypotheses": hypotheses,
        }
    )
