"""Split a line into sentences and parts that fit the model, and join their translations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.cell import BadCellError, Stored
from s2scli.data.codecs.codec import SourceCodec
from s2scli.data.example import Values
from s2scli.data.formats import LINE_FORMATS
from s2scli.data.sentences import Splitter, unwrap
from s2scli.data.stream import LINE_BYTES, Line, Overlong
from s2scli.errors import CorpusError, S2SError
from s2scli.scripts import space_between
from s2scli.search.ranking import normalise
from s2scli.search.rules import NO_DEMAND, Demand
from s2scli.search.settings import SearchSettings
from s2scli.tags import tagged
from s2scli.translation.protecting import Protected
from s2scli.translation.records import Record
from s2scli.translation.results import TargetText, Translation

NOT_FOUND = "the search found no output that meets all demands"
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Part:
    """A cell that fits the model.

    Attributes:
        text: the cell, without white space around it if it is a part of a text.
        values: what the model reads of it.
        before: the white space between the part before it and this part.
        demand: what its outputs must contain.
    """

    text: str
    values: Values
    before: str = ""
    demand: Demand = NO_DEMAND


@dataclass(frozen=True)
class Plan:
    """The parts of a line to translate; there are none if it is blank or left out.

    Attributes:
        line: the line.
        source: its source.
        parts: the parts, in order.
        overlong: whether the line, or a sentence of it, was too long for the model.
        fault: why it cannot be translated; empty if it can.
        after: the white space after the last part.
        protected: which words of the outputs stand in for protected texts; None if none does.
        tag: the tag in front of each part; empty if there is none.
    """

    line: Line
    source: str
    parts: tuple[Part, ...] = ()
    overlong: bool = False
    fault: str = ""
    after: str = ""
    protected: Protected | None = None
    tag: str = ""

    @property
    def spaces(self) -> tuple[str, ...]:
        """The white space before each part, and after the last one."""
        return (*(part.before for part in self.parts), self.after)


@dataclass(frozen=True)
class Failure:
    """The reason why a part could not be translated, or a pair could not be scored."""

    reason: str


def plan_line(
    line: Line,
    codec: SourceCodec,
    most: int,
    overlong: Overlong,
    split: Splitter | None = None,
    source: str | None = None,
    *,
    at_pauses: bool = True,
) -> Plan:
    """Divide a line into parts to translate.

    Without `split`, a line that fits the model is one part, or several if it is a recording with
    long pauses. With it, each sentence that fits the model is one part, and the white space around
    each is kept.

    Args:
        line: the line.
        codec: the codec of the source.
        most: the maximum source size that the model accepts, as the codec measures it.
        overlong: what to do with a line, or a sentence, that has more.
        split: divides a text into sentences.
        source: the source; None is the whole line.
        at_pauses: whether a recording that fits the model may be divided at long pauses.

    Raises:
        CorpusError: the line is too long and `overlong` is `error`.
    """
    source = LINE_FORMATS["sentences"].source(line.text) if source is None else source
    if is_blank(source):
        return Plan(line, source)
    try:
        if split is None:
            return _plan(line, source, codec, most, overlong, at_pauses=at_pauses)
        return _plan_sentences(line, split(source), codec, most, overlong)
    except BadCellError as error:
        fault = "" if error.reason == "silent" else str(error)
        return Plan(line, source, fault=fault)


def put_tag(plan: Plan, tag: str, codec: SourceCodec) -> Plan:
    """Put a tag in front of each part of a plan; the text of the line stays without it.

    A tag has one token, which the plan left room for.
    """
    texts = [tagged(tag, part.text) for part in plan.parts]
    parts = zip(plan.parts, texts, strict=True)
    return replace(
        plan,
        tag=tag,
        parts=tuple(replace(part, text=text, values=codec.encode(text)) for part, text in parts),
    )


def _plan_sentences(
    line: Line, sentences: Sequence[str], codec: SourceCodec, most: int, overlong: Overlong
) -> Plan:
    """Plan a line of text sentence by sentence; a line break in a sentence is read as a space."""
    source = "".join(sentences)
    parts: list[Part] = []
    after, too_long = "", False
    for sentence in sentences:
        if is_blank(sentence):
            after += sentence
            continue
        before, body, space = divide_space(sentence)
        plan = _plan(line, unwrap(body), codec, most, overlong)
        if not plan.parts:
            return replace(plan, source=source)
        first, *others = plan.parts
        parts += [replace(first, before=after + before), *others]
        after, too_long = space, too_long or plan.overlong
    return Plan(line, source, tuple(parts), too_long, after=after)


def _plan(
    line: Line,
    source: str,
    codec: SourceCodec,
    most: int,
    overlong: Overlong,
    *,
    at_pauses: bool = True,
) -> Plan:
    whole = codec.encode(source)
    cell = Stored(source, whole)  # so that a file is read once
    if not line.cut and size_of(whole, codec) <= most:
        spoken = codec.utterances(cell) if at_pauses and overlong == "split" else ()
        return Plan(line, source, _encoded(spoken, codec) or (Part(source, whole),))
    match overlong:
        case "error":
            raise CorpusError(
                f"{line.where}: too long, the model accepts at most {most} tokens; "
                "shorten it or choose --overlong split, truncate or empty"
            )
        case "empty":
            return Plan(line, source, overlong=True)
        case "truncate":
            texts: Sequence[str] = (codec.truncate(cell, most),)
        case "split" if line.cut:
            return Plan(line, source, overlong=True, fault=f"longer than {LINE_BYTES:,} bytes")
        case "split":
            texts = codec.parts(cell, most)
    return Plan(line, source, _encoded(texts, codec), overlong=True)


def _encoded(texts: Sequence[str], codec: SourceCodec) -> tuple[Part, ...]:
    """Return the parts of a cell; only the white space between texts is kept."""
    parts: list[Part] = []
    after = ""
    for text in texts:
        if isinstance(text, Stored):  # of a recording, whose text is its name
            parts.append(Part(text, text.values))
            continue
        before, body, space = divide_space(text)
        parts.append(Part(body, codec.encode(body), after + before if parts else ""))
        after = space
    return tuple(parts)


def divide_space(text: str) -> tuple[str, str, str]:
    """Return the white space before a text, the text, and the white space after it."""
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return text[:start], text[start:end], text[max(start, end) :]


def size_of(values: Values, codec: SourceCodec) -> int:
    """Return the size of a source, as its codec measures it."""
    return int(codec.sizes(np.array([len(values)], np.int32))[0])


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
    record = Record(plan.line, "ok", plan.source, overlong=plan.overlong, tag=plan.tag)
    faults = [part.reason for part in parts if isinstance(part, Failure)]
    found = [part for part in parts if isinstance(part, Translation)]
    if not all(part.hypotheses for part in found):
        faults.append(NOT_FOUND)
    if plan.fault or faults:
        return replace(record, status="failed", fault=plan.fault or faults[0])
    if not found:
        return replace(record, status="empty")
    try:
        return replace(record, translation=_whole(plan, found, settings))
    except Exception as error:  # noqa: BLE001 - an error fails one line only
        return replace(record, status="failed", fault=fault_of(error))


def _whole(plan: Plan, parts: Sequence[Translation], settings: SearchSettings) -> Translation:
    """Return the translation of a line from those of its parts."""
    joined = parts[0]
    if any(plan.spaces) or len(parts) > 1:
        joined = join_translations(plan.source, parts, plan.spaces, settings)
    return restored(joined, plan.protected) if plan.protected else joined


def restored(translation: Translation, protected: Protected) -> Translation:
    """Return a translation with the protected texts in its outputs; its tokens stay."""
    hypotheses = (replace(one, text=protected.restore(one.text)) for one in translation.hypotheses)
    return replace(translation, hypotheses=tuple(hypotheses), has_words=False)


def join_translations(
    source: str, parts: Sequence[Translation], spaces: Sequence[str], settings: SearchSettings
) -> Translation:
    """Join the translations of the parts of a line into one translation with one hypothesis.

    A single part keeps all its hypotheses.

    The score is computed from all tokens; word rewards and coverage penalties of the parts are
    added to it. The tokens of a part attend only to the source of that part.

    Args:
        source: the source of the whole line.
        parts: the translations of the parts, in order.
        spaces: the white space before each part, and after the last one.
        settings: search settings, with the length penalty of the score.
    """
    if len(parts) == 1:
        spaced = [replace(one, text=join_text([one.text], spaces)) for one in parts[0].hypotheses]
        return replace(parts[0], source=source, hypotheses=tuple(spaced))
    length_penalty, length_offset = settings.length_penalty, settings.length_offset
    pieces = tuple(piece for part in parts for piece in part.source_pieces)
    unknown = sum(part.unknown_tokens for part in parts)
    bests = [part.hypotheses[0] for part in parts]
    written = tuple(piece for best in bests for piece in best.pieces)
    blocks = tuple(block for best in bests for block in best.attention_blocks)
    sums = [_log_prob(best, length_penalty, length_offset) for best in bests]
    added = 0.0
    if settings.word_reward or settings.coverage_penalty:
        added = sum(
            best.score - normalise(log_prob, len(best.pieces), length_penalty, length_offset)
            for best, log_prob in zip(bests, sums, strict=True)
        )
    whole = TargetText(
        text=join_text([best.text for best in bests], spaces),
        score=normalise(sum(sums), len(written), length_penalty, length_offset) + added,
        pieces=written,
        token_scores=tuple(score for best in bests for score in best.token_scores),
        attention_blocks=blocks if all(best.attention_blocks for best in bests) else (),
        p_copy=tuple(share for best in bests for share in best.p_copy),
        copied_from=_shifted(parts),
    )
    cues = tuple(cue for part in parts for cue in part.cues)
    words = sum(len(best.text.split()) for best in bests)
    return replace(
        parts[0],
        source=source,
        source_pieces=pieces,
        hypotheses=(whole,),
        unknown_tokens=unknown,
        cues=cues,
        has_words=all(spaces[1:-1]) and len(whole.text.split()) == words,
    )


def _shifted(parts: Sequence[Translation]) -> tuple[int | None, ...]:
    """Return from which token of the whole source each token of the joined parts was copied."""
    copied: list[int | None] = []
    before = 0
    for part in parts:
        own = part.hypotheses[0].copied_from
        copied += [None if index is None else before + index for index in own]
        before += len(part.source_pieces)
    return tuple(copied)


def _log_prob(found: TargetText, length_penalty: float, length_offset: float) -> float:
    """Return the log-probability of a hypothesis, from its ranking score if necessary."""
    if found.token_scores:
        return sum(found.token_scores)
    return found.score / normalise(1.0, len(found.pieces), length_penalty, length_offset)


def join_text(parts: Sequence[str], spaces: Sequence[str]) -> str:
    """Join texts with the white space that was between their sources.

    Where there was none, or a single space, the script of the texts decides: a space, or nothing
    between two characters of scripts without spaces. An empty text leaves no white space but line
    breaks.

    Args:
        parts: the texts.
        spaces: the white space before each source, and after the last one.
    """
    first, *between, last = spaces
    joined, waiting = "", [""]
    for part, space in zip(parts, [*between, ""], strict=True):
        if part:
            joined += _space(joined, part, waiting) + part if joined else part
            waiting = []
        waiting.append(space)
    return f"{first}{joined}{last}"


def _space(left: str, right: str, between: Sequence[str]) -> str:
    """Return the white space between two texts, if this was between their sources."""
    space = max(between, key=lambda one: (one.count("\n"), len(one)))
    return space_between(left, right) if space in ("", " ") else space
