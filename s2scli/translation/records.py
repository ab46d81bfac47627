"""The record of each line, and its formats: plain, with scores, Moses n-best lists, JSON."""

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from s2scli.data.codecs.text import one_line
from s2scli.data.stream import Line
from s2scli.report.alignment import pharaoh
from s2scli.translation.cues import Cue, TimedWord
from s2scli.translation.results import TargetText, Translation

NOT_IN_JSON = re.compile("[\x7f-\x9f\u2028\u2029]")

Status = Literal["ok", "empty", "failed", "copied"]


@dataclass(frozen=True)
class Record:
    """The result of translating or scoring one line.

    Attributes:
        line: the input line.
        status: ok, empty (the line is blank, or too long and left out), failed, or copied (the
            line is written as it is).
        source: the line's source.
        target: the line's target, if one was given.
        translation: the hypotheses, or the scored target; None unless the status is ok.
        overlong: whether the line was too long for the model.
        fault: why it failed; empty if it did not.
        tag: the tag in front of the source; empty if there is none.
    """

    line: Line
    status: Status
    source: str = ""
    target: str = ""
    translation: Translation | None = None
    overlong: bool = False
    fault: str = ""
    tag: str = ""

    @property
    def hypotheses(self) -> tuple[TargetText, ...]:
        """The hypotheses, best first, or the scored target; empty if there are none."""
        return self.translation.hypotheses if self.translation else ()

    @property
    def best(self) -> TargetText | None:
        """The best hypothesis, or the scored target; None if there is none."""
        return self.hypotheses[0] if self.hypotheses else None

    @property
    def text(self) -> str:
        """The text of the best hypothesis; empty if there is none."""
        return self.best.text if self.best else ""


Clean = Callable[[str], str]
RecordFormat = Callable[[int, Record, Clean], str]
"""Formats a record, given the line's index (from 0), the record, and a function to clean text."""


def plain_record(index: int, record: Record, clean: Clean) -> str:
    """Return the best hypothesis; that of a document keeps its line breaks."""
    return _by_line(record.text, clean)


def _by_line(text: str, clean: Clean) -> str:
    """Clean a text line by line."""
    return "\n".join(map(clean, text.split("\n")))


def scored_record(index: int, record: Record, clean: Clean) -> str:
    """Return score TAB best hypothesis; the score is 0 if there is none."""
    return f"{record.best.score if record.best else 0:.4f}\t{clean(record.text)}"


def moses_record(index: int, record: Record, clean: Clean) -> str:
    """Return a line `index ||| hypothesis ||| score` for each hypothesis, as Moses does."""
    found = [(clean(one.text), one.score) for one in record.hypotheses]
    return "\n".join(f"{index} ||| {text} ||| {score:.4f}" for text, score in found or [("", 0.0)])


def aligned(record_format: RecordFormat, threshold: float | None = None) -> RecordFormat:
    """Return a format that appends ` ||| ` and the word alignment to each of its lines.

    Marian, Eole and Moses write this format. The alignment is empty if there is no translation.

    Args:
        record_format: the plain, scored or Moses format.
        threshold: align all pairs of words with at least this attention weight; None aligns each
            target word to the source word with the largest weight.
    """

    def with_alignment(index: int, record: Record, clean: Clean) -> str:
        found = record.translation
        alignments = (
            [word_alignment(found, one, threshold) or "" for one in found.hypotheses]
            if found
            else []
        )
        lines = record_format(index, record, clean).split("\n")
        pairs = itertools.zip_longest(lines, alignments[: len(lines)], fillvalue="")
        return "\n".join(f"{line} ||| {alignment}" for line, alignment in pairs)

    return with_alignment


@dataclass(frozen=True)
class Shape:
    """What is written of a record.

    Attributes:
        json: a JSON object.
        n_best: a line for each hypothesis.
        scores: the score in front of the text.
        alignment: the word alignment after the text.
        threshold: see `aligned`.
    """

    json: bool = False
    n_best: bool = False
    scores: bool = False
    alignment: bool = False
    threshold: float | None = None

    @property
    def record_format(self) -> RecordFormat:
        """The function that formats a record."""
        if self.json:
            return json_record
        shape = moses_record if self.n_best else scored_record if self.scores else plain_record
        return aligned(shape, self.threshold) if self.alignment else shape

    @property
    def is_plain(self) -> bool:
        """Whether only texts are written."""
        return not (self.json or self.n_best or self.scores or self.alignment)

    @property
    def name(self) -> str:
        """A name such as `text with scores and alignment`."""
        name = "json" if self.json else "n-best" if self.n_best else "text"
        least = "" if self.threshold is None else f" of {self.threshold} and more"
        return name + " with scores" * self.scores + f" with alignment{least}" * self.alignment


def json_record(index: int, record: Record, clean: Clean) -> str:
    """Return a JSON object on one line.

    All lists of a hypothesis have an entry for each token, including the end token. `alignment`
    pairs each token with the source token that it attended to most, as `source-target` (Pharaoh
    format); `word_alignment` pairs words. A model that copies adds `p_copy`, the probability of
    copying, and `copied_from`, the index of the source token that was copied, or null. `tag` is
    the tag in front of the source, if it has one. For a recording, `parts` has the output for each
    part of it, and `words` the words of the output; both have times in seconds. `words` is empty
    if the model has no CTC layer.
    """
    found = record.translation
    document: dict[str, object] = {
        "line": index + 1,
        "status": record.status,
        "source": record.source,
        "translation": _by_line(record.text, one_line),
        "hypotheses": [_hypothesis(found, one) for one in found.hypotheses] if found else [],
        "source_tokens": found.source_pieces if found else [],
    }
    if record.tag:
        document["tag"] = record.tag
    if found and found.cues:
        document |= _timed(found.cues)
    if record.fault:
        document["fault"] = record.fault
    return json_line(document)


def _timed(cues: Sequence[Cue]) -> dict[str, object]:
    words = [word for cue in cues for word in cue.words]
    return {
        "parts": [_times(cue) for cue in cues],
        "words": [_times(word) for word in words],
    }


def _times(one: Cue | TimedWord) -> dict[str, object]:
    return {"text": one_line(one.text), "start": round(one.start, 3), "end": round(one.end, 3)}


def json_line(document: Mapping[str, object]) -> str:
    """Return a document as one line of JSON; escape other characters that may end a line."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    return NOT_IN_JSON.sub(lambda character: f"\\u{ord(character.group()):04x}", text)


def _hypothesis(found: Translation, hypothesis: TargetText) -> dict[str, object]:
    copying = {
        "p_copy": [round(share, 6) for share in hypothesis.p_copy],
        "copied_from": hypothesis.copied_from,
    }
    return {
        "text": _by_line(hypothesis.text, one_line),
        "score": round(hypothesis.score, 6),
        "tokens": hypothesis.pieces,
        "token_scores": [round(score, 6) for score in hypothesis.token_scores],
        "alignment": token_alignment(found, hypothesis),
        "word_alignment": word_alignment(found, hypothesis),
        **(copying if hypothesis.p_copy else {}),
    }


def token_alignment(found: Translation, hypothesis: TargetText) -> str | None:
    """Return a `source-target` pair for each target token; None without attention."""
    pairs = found.token_alignment(hypothesis)
    return None if pairs is None else pharaoh(pairs)


def word_alignment(
    found: Translation, hypothesis: TargetText, threshold: float | None = None
) -> str | None:
    """Return `source-target` pairs of words, separated by spaces; None without attention."""
    pairs = found.word_alignment(hypothesis, threshold)
    return None if pairs is None else pharaoh(pairs)
