"""Translate lines, whatever is in them: one record for each, in order, always."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from s2scli.data.cleaning import is_blank
from s2scli.data.overlong import split_text, truncate_text
from s2scli.data.stream import LINE_BYTES, Line
from s2scli.errors import CorpusError, S2SError
from s2scli.pipeline.translation import TargetText, Translation
from s2scli.scripts import is_unspaced
from s2scli.search.ranking import normalise
from s2scli.search.settings import SearchSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Status = Literal["ok", "empty", "failed"]
Overlong = Literal["split", "truncate", "empty", "error"]
Item = TypeVar("Item")


class Searcher(Protocol):
    """What is needed of a translator here."""

    @property
    def max_source_tokens(self) -> int:
        """The longest source it takes."""

    @property
    def has_attention(self) -> bool:
        """Whether there is attention to align words by."""

    @property
    def search_settings(self) -> SearchSettings:
        """How it searches unless told otherwise."""

    def search(
        self,
        texts: Sequence[str],
        settings: SearchSettings,
        *,
        with_attention: bool = True,
        with_scores: bool = True,
    ) -> list[Translation]:
        """Translate texts that are not blank and not too long.

        Without scores that of a hypothesis may be 0, where it takes time.
        """

    def force(
        self, sources: Sequence[str], targets: Sequence[str], *, with_attention: bool = True
    ) -> list[Translation]:
        """Score given targets."""

    def count_tokens(self, text: str) -> int:
        """Count the tokens of a source."""


@dataclass(frozen=True)
class Record:
    """What became of one line.

    Attributes:
        line: the line.
        status: ok; empty (nothing was translated); failed.
        translation: its translation where the status is ok.
        overlong: whether it was too long for the model.
        fault: why it failed, or nothing.
    """

    line: Line
    status: Status
    translation: Translation | None = None
    overlong: bool = False
    fault: str = ""

    @property
    def best(self) -> str:
        """The best hypothesis; empty where there is none."""
        found = self.translation and self.translation.hypotheses
        return found[0].text if found else ""


@dataclass(frozen=True)
class _Plan:
    """The parts of a line that will be translated; none for a blank one."""

    line: Line
    parts: tuple[str, ...] = ()
    overlong: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Failure:
    """Why a text could not be translated, or a pair not scored."""

    reason: str


def translate_lines(
    lines: Sequence[Line],
    translator: Searcher,
    search: SearchSettings,
    overlong: Overlong = "split",
    *,
    with_attention: bool = False,
    with_scores: bool = True,
) -> list[Record]:
    """Return one record for each line.

    A blank line gives an empty record without calling the model. A line that makes the model
    fail gives a failed one and does no harm to the others.

    Raises:
        CorpusError: a line is too long and `overlong` is `error`.
    """
    plans = [_plan(line, translator, overlong) for line in lines]
    parts = [part for plan in plans for part in plan.parts]
    searched = functools.partial(
        translator.search,
        settings=search,
        with_attention=with_attention,
        with_scores=with_scores,
    )
    found = iter(search_each(parts, searched))
    return [_record(plan, [next(found) for _ in plan.parts], search) for plan in plans]


def _plan(line: Line, translator: Searcher, overlong: Overlong) -> _Plan:
    def fits(text: str) -> bool:
        return translator.count_tokens(text) <= translator.max_source_tokens

    if is_blank(line.text):
        return _Plan(line)
    if not line.cut and fits(line.text):
        return _Plan(line, (line.text,))
    match overlong:
        case "error":
            raise CorpusError(
                f"{line.where}: too long, the model takes {translator.max_source_tokens} tokens; "
                "shorten it or choose --overlong split, truncate or empty"
            )
        case "empty":
            return _Plan(line, overlong=True)
        case "truncate":
            return _Plan(line, (truncate_text(line.text, fits),), overlong=True)
        case "split" if line.cut:
            fault = f"longer than {LINE_BYTES:,} bytes"
            return _Plan(line, overlong=True, fault=fault)
        case "split":
            return _Plan(line, split_text(line.text, fits), overlong=True)


def search_each(
    items: Sequence[Item], search: Callable[[Sequence[Item]], list[Translation]]
) -> list[Translation | Failure]:
    """Do all items at once; if that fails, halve them until the culprits stand alone."""
    if not items:
        return []
    try:
        return list(search(items))
    except S2SError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the other lines go on
        failure = Failure(f"{type(error).__name__}: {error}")
    if len(items) == 1:
        return [failure]
    middle = len(items) // 2
    return [
        *search_each(items[:middle], search),
        *search_each(items[middle:], search),
    ]


def _record(plan: _Plan, parts: Sequence[Translation | Failure], search: SearchSettings) -> Record:
    faults = [part.reason for part in parts if isinstance(part, Failure)]
    if plan.fault or faults:
        return Record(plan.line, "failed", None, plan.overlong, plan.fault or faults[0])
    found = [part for part in parts if isinstance(part, Translation)]
    if not found:
        return Record(plan.line, "empty", None, plan.overlong)
    if len(found) > 1:
        found = [join_translations(found, search.length_penalty, search.length_offset)]
    whole = found[0]
    return Record(plan.line, "ok", whole, plan.overlong)


def join_translations(
    parts: Sequence[Translation], length_penalty: float, length_offset: float = 0.0
) -> Translation:
    """Return the translations of the parts of one line as one, with one hypothesis.

    Its score is that of all its tokens; its attention sees, in each part, that part's source.
    """
    pieces = tuple(piece for part in parts for piece in part.source_pieces)
    source = join_text([part.source for part in parts])
    unknown = sum(part.unknown_tokens for part in parts)
    if not all(part.hypotheses for part in parts):
        return Translation(source, pieces, (), unknown)
    bests = [part.hypotheses[0] for part in parts]
    written = tuple(piece for best in bests for piece in best.pieces)
    log_prob = sum(_log_prob(best, length_penalty, length_offset) for best in bests)
    whole = TargetText(
        text=join_text([best.text for best in bests]),
        score=normalise(log_prob, len(written), length_penalty, length_offset),
        pieces=written,
        token_scores=tuple(score for best in bests for score in best.token_scores),
        attention=_block_diagonal([best.attention for best in bests]),
    )
    return Translation(source, pieces, (whole,), unknown, parts[0].attention_shape)


def _log_prob(found: TargetText, length_penalty: float, length_offset: float) -> float:
    """Return the log-probability of a hypothesis, of its score where that of tokens is unknown."""
    if found.token_scores:
        return sum(found.token_scores)
    return found.score / normalise(1.0, len(found.pieces), length_penalty, length_offset)


def join_text(parts: Sequence[str]) -> str:
    """Join texts with spaces, but none between two characters of scripts that have none."""
    joined = ""
    for part in parts:
        unspaced = is_unspaced(joined[-1:]) and is_unspaced(part[:1])
        joined += part if unspaced or not joined or not part else f" {part}"
    return joined


def _block_diagonal(
    blocks: Sequence["NDArray[np.float32] | None"],
) -> "NDArray[np.float32] | None":
    """Return the blocks [T, A, S] along the diagonal of T and S; None if one is missing."""
    import numpy as np

    known = [block for block in blocks if block is not None]
    if len(known) < len(blocks):
        return None
    rows, maps, columns = np.sum([block.shape for block in known], axis=0)
    whole = np.zeros((rows, maps // len(known), columns), np.float32)
    row = column = 0
    for block in known:
        rows, _, columns = block.shape
        whole[row : row + rows, :, column : column + columns] = block
        row, column = row + rows, column + columns
    return whole
