"""Pairs of a source and a given target, and the records of their scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.cell import BadCellError
from s2scli.data.codecs.codec import SourceCodec, TargetCodec
from s2scli.data.example import TokenIds, Values
from s2scli.data.formats import LINE_FORMATS
from s2scli.data.lines import BadLineError
from s2scli.data.stream import LINE_BYTES, Line
from s2scli.tags import tagged
from s2scli.translation.lines import Failure, size_of
from s2scli.translation.nbest import listed
from s2scli.translation.records import Record
from s2scli.translation.results import Translation


@dataclass(frozen=True)
class Pair:
    """A source and its target.

    Attributes:
        line: the line of the input that holds the pair.
        source: the source.
        target: the target; if it is empty, only its end token is scored.
        fault: why the line is not a pair; empty if it is one.
    """

    line: Line
    source: str = ""
    target: str = ""
    fault: str = ""


@dataclass(frozen=True)
class EncodedPair:
    """A pair that the model can score, as it reads the source and writes the target.

    Attributes:
        pair: the pair.
        text: its source, with the tag that was asked for.
        source: the encoded `text`.
        target: the encoded target.
    """

    pair: Pair
    text: str
    source: Values
    target: TokenIds


def pair_of(line: Line, *, one_column: bool = False) -> Pair:
    """Read a line as source TAB target; with `one_column` the whole line is both.

    A row of an input with fields is a pair already.
    """
    if line.fault:
        return Pair(line, fault=line.fault)
    if line.target is not None:
        return Pair(line, line.text, line.target)
    if line.cut:
        return Pair(line, fault=f"longer than {LINE_BYTES:,} bytes")
    try:
        return Pair(line, *LINE_FORMATS["sentences" if one_column else "tsv"].pair(line.text))
    except BadLineError as error:
        return Pair(line, fault=str(error))


def listed_pair(line: Line, sources: Sequence[str]) -> Pair:
    """Read a line of an n-best list as a source and a hypothesis.

    Args:
        line: the line: `index ||| hypothesis ||| score`.
        sources: the sources, by index.
    """
    try:
        one = listed(line.text)
    except BadLineError as error:
        return Pair(line, fault=str(error))
    if one.index >= len(sources):
        fault = f"the hypothesis of source {one.index}, and there are {len(sources):,} sources"
        return Pair(line, fault=fault)
    return Pair(line, sources[one.index], one.text)


def pairs_of(name: str, sources: Sequence[str], targets: Sequence[str]) -> list[Pair]:
    """Pair each source with the target at the same index.

    Args:
        name: the name of the pairs in messages.
        sources: the sources.
        targets: the targets, one for each source.
    """
    return [
        Pair(Line(name, number, source), source, target)
        for number, (source, target) in enumerate(zip(sources, targets, strict=True), 1)
    ]


def encode_pair(
    pair: Pair, source_codec: SourceCodec, target_codec: TargetCodec, most: int, tag: str = ""
) -> EncodedPair | Record:
    """Encode a pair; return a record if it cannot be scored.

    Args:
        pair: the pair.
        source_codec: encodes its source.
        target_codec: encodes its target.
        most: the maximum number of tokens on either side.
        tag: the tag to put in front of the source; an empty one is none.
    """
    if pair.fault:
        return failed(pair, pair.fault)
    if is_blank(pair.source):
        return Record(pair.line, "empty", pair.source, pair.target)
    text = tagged(tag, pair.source) if tag else pair.source
    try:
        source = source_codec.encode(text)
        target = target_codec.encode(pair.target, pair.source)
    except BadCellError as error:
        return failed(pair, str(error))
    for side, size in (("source", size_of(source, source_codec)), ("target", len(target))):
        if size > most:
            fault = f"too long: the {side} has {size:,} tokens, the model accepts at most {most:,}"
            return failed(pair, fault)
    return EncodedPair(pair, text, source, target)


def failed(pair: Pair, fault: str) -> Record:
    """Return the record of a pair that could not be scored."""
    return Record(pair.line, "failed", pair.source, pair.target, fault=fault)


def scored(encoded: EncodedPair, found: Translation | Failure) -> Record:
    """Return the record of a pair from the model's result."""
    pair = encoded.pair
    if isinstance(found, Failure):
        return failed(pair, found.reason)
    return Record(pair.line, "ok", pair.source, pair.target, found)
