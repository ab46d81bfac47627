"""Split a line into parts that fit the model, and join the parts' translations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from s2scli.data.cleaning import is_blank
from s2scli.data.example import TokenIds
from s2scli.data.formats import LINE_FORMATS
from s2scli.data.overlong import split_text, truncate_text
from s2scli.data.stream import LINE_BYTES, Line, Overlong
from s2scli.errors import CorpusError, S2SError
from s2scli.scripts import is_unspaced
from s2scli.search.ranking import normalise
from s2scli.search.settings import SearchSettings
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText, Translation

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Item = TypeVar("Item")
Result = TypeVar("Result")
Encode = Callable[[str], TokenIds]


@dataclass(frozen=True)
class Part:
    """A text that fits the model, with its token ids."""

    text: str
    token_ids: TokenIds


@dataclass(frozen=True)
class Plan:
    """The parts of a line to translate; there are none if it is blank or left out."""

    line: Line
    source: str
    parts: tuple[Part, ...] = ()
    overlong: bool = False
    fault: str = ""


@dataclass(frozen=True)
class Failure:
    """The reason why a part could not be translated, or a pair could not be scored."""

    reason: str


def plan_line(line: Line, encode: Encode, most: int, overlong: Overlong) -> Plan:
    """Divide a line into parts to translate; a line that fits the model is one part.

    Args:
        line: the line.
        encode: returns the token ids of a source.
        most: the maximum number of source tokens that the model accepts.
        overlong: what to do with a line that has more.

    Raises:
        CorpusError: the line is too long and `overlong` is `error`.
    """
    source = LINE_FORMATS["sentences"].source(line.text)
    if is_blank(source):
        return Plan(line, source)
    whole = encode(source)
    if not line.cut and len(whole) <= most:
        return Plan(line, source, (Part(source, whole),))

    def fits(text: str) -> bool:
        return len(encode(text)) <= most

    match overlong:
        case "error":
            raise CorpusError(
                f"{line.where}: too long, the model accepts at most {most} tokens; "
                "shorten it or choose --overlong split, truncate or empty"
            )
        case "empty":
            return Plan(line, source, overlong=True)
        case "truncate":
            texts: Sequence[str] = (truncate_text(source, fits),)
        case "split" if line.cut:
            return Plan(line, source, overlong=True, fault=f"longer than {LINE_BYTES:,} bytes")
        case "split":
            texts = split_text(source, fits)
    return Plan(line, source, tuple(Part(text, encode(text)) for text in texts), overlong=True)


def isolate(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Sequence[Result]]
) -> list[Result | Failure]:
    """Process all items at once; if that fails, split them until the failing items are found.

    An `S2SError` is not caused by a single item, and is raised.
    """
    if not items:
        return []
    try:
        return list(work(items))
    except S2SError:
        raise
    except Exception as error:  # noqa: BLE001 - an error fails one line only
        failure = Failure(fault_of(error))
    if len(items) == 1:
        return [failure]
    middle = len(items) // 2
    return [*isolate(items[:middle], work), *isolate(items[middle:], work)]


def fault_of(error: Exception) -> str:
    """Describe an error, for a record."""
    return f"{type(error).__name__}: {error}"


def make_record(
    plan: Plan, parts: Sequence[Translation | Failure], settings: SearchSettings
) -> Record:
    """Return the record of a line from the results of its parts."""
    line, source = plan.line, plan.source
    faults = [part.reason for part in parts if isinstance(part, Failure)]
    if plan.fault or faults:
        fault = plan.fault or faults[0]
        return Record(line, "failed", source, overlong=plan.overlong, fault=fault)
    found = [part for part in parts if isinstance(part, Translation)]
    if not found:
        return Record(line, "empty", source, overlong=plan.overlong)
    if len(found) > 1:
        found = [join_translations(source, found, settings)]
    return Record(line, "ok", source, translation=found[0], overlong=plan.overlong)


def join_translations(
    source: str, parts: Sequence[Translation], settings: SearchSettings
) -> Translation:
    """Join the translations of the parts of a line into one translation with one hypothesis.

    The score is computed from all tokens. The tokens of a part attend only to the source of that
    part.

    Args:
        source: the source of the whole line.
        parts: the translations of the parts, in order.
        settings: search settings, with the length penalty of the score.
    """
    length_penalty, length_offset = settings.length_penalty, settings.length_offset
    pieces = tuple(piece for part in parts for piece in part.source_pieces)
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
    """Return the log-probability of a hypothesis, from its ranking score if necessary."""
    if found.token_scores:
        return sum(found.token_scores)
    return found.score / normalise(1.0, len(found.pieces), length_penalty, length_offset)


def join_text(parts: Sequence[str]) -> str:
    """Join texts with spaces, but none between two characters of scripts without spaces."""
    joined = ""
    for part in parts:
        unspaced = is_unspaced(joined[-1:]) and is_unspaced(part[:1])
        joined += part if unspaced or not joined or not part else f" {part}"
    return joined


def _block_diagonal(
    blocks: Sequence["NDArray[np.float32] | None"],
) -> "NDArray[np.float32] | None":
    """Place blocks [T, A, S] along the diagonal of T and S; None if one is missing."""
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
