"""Score lines, whatever is in them: one record for each, in order, always."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from s2scli.data.cleaning import is_blank
from s2scli.data.formats import LINE_FORMATS
from s2scli.data.lines import BadLineError
from s2scli.data.stream import LINE_BYTES, Line
from s2scli.pipeline.lines import Failure, Status, search_each
from s2scli.pipeline.translation import TargetText, Translation


class Scorer(Protocol):
    """What is needed of a translator here."""

    @property
    def max_source_tokens(self) -> int:
        """The longest source, and the longest target, that it was trained on."""

    @property
    def is_latent(self) -> bool:
        """Whether it writes from a vector that has a distribution."""

    def count_longer_side(self, source: str, target: str) -> int:
        """Count the tokens of the longer side of a pair."""

    def force(
        self, sources: Sequence[str], targets: Sequence[str], *, with_attention: bool = True
    ) -> list[Translation]:
        """Score given targets."""


@dataclass(frozen=True)
class ScoredLine:
    """What became of one line.

    Attributes:
        line: the line.
        status: ok; empty (there is no source); failed.
        source: its first column, or all of it.
        target: its second column, or all of it.
        scored: source and target with the scores of its tokens, where the status is ok.
        fault: why it failed, or nothing.
    """

    line: Line
    status: Status
    source: str = ""
    target: str = ""
    scored: Translation | None = None
    fault: str = ""

    @property
    def forced(self) -> TargetText | None:
        """The target as the model read it; None where there is no score."""
        return self.scored.hypotheses[0] if self.scored else None


def score_lines(
    lines: Sequence[Line], scorer: Scorer, *, one_column: bool = False
) -> list[ScoredLine]:
    """Return one record for each line.

    A line without a source gives an empty record without calling the model; a target may be empty,
    and has the score of its end. A line that is no pair, is too long, or makes the model fail
    gives a failed record and does no harm to the others.

    Args:
        lines: source TAB target each.
        scorer: the model.
        one_column: a line is its own source and target.
    """

    def force(pairs: Sequence[ScoredLine]) -> list[Translation]:
        sources, targets = [one.source for one in pairs], [one.target for one in pairs]
        return scorer.force(sources, targets, with_attention=False)

    read = [_read(line, scorer, one_column) for line in lines]
    found = iter(search_each([one for one in read if one.status == "ok"], force))
    return [_with_scores(one, next(found)) if one.status == "ok" else one for one in read]


def _read(line: Line, scorer: Scorer, one_column: bool) -> ScoredLine:
    """Return the pair of a line, still without a score."""
    if line.cut:
        return ScoredLine(line, "failed", fault=f"longer than {LINE_BYTES:,} bytes")
    try:
        source, target = LINE_FORMATS["sentences" if one_column else "tsv"].pair(line.text)
    except BadLineError as error:
        return ScoredLine(line, "failed", fault=str(error))
    if is_blank(source):
        return ScoredLine(line, "empty", source, target)
    tokens, most = scorer.count_longer_side(source, target), scorer.max_source_tokens
    if tokens > most:
        fault = f"too long, {tokens:,} tokens on one side, and the model takes {most:,}"
        return ScoredLine(line, "failed", source, target, fault=fault)
    return ScoredLine(line, "ok", source, target)


def _with_scores(read: ScoredLine, found: Translation | Failure) -> ScoredLine:
    if isinstance(found, Failure):
        return ScoredLine(read.line, "failed", read.source, read.target, fault=found.reason)
    return ScoredLine(read.line, "ok", read.source, read.target, found)
