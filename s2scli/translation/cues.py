"""Cues: what is said in each part of a recording, and when."""

from collections.abc import Sequence
from dataclasses import dataclass

from s2scli.report.alignment import word_indices
from s2scli.report.attention import WORD_BEGIN


@dataclass(frozen=True)
class TimedWord:
    """A word, and the seconds of the recording where it begins and ends."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Cue:
    """A part of a recording, in seconds from the recording's start, and what is said in it.

    Attributes:
        start: where the part begins.
        end: where it ends.
        text: the output for the part.
        words: the words of `text`; empty if the model has no CTC layer, or if it cannot place the
            words.
    """

    start: float
    end: float
    text: str
    words: tuple[TimedWord, ...] = ()


def time_words(
    text: str, pieces: Sequence[str], spans: Sequence[tuple[float, float]]
) -> tuple[TimedWord, ...]:
    """Return the words of a text with their times, from the times of its pieces.

    Args:
        text: the text; spaces separate its words.
        pieces: its T pieces; an end token may follow.
        spans: where each piece begins and ends, in seconds, [T]; empty if not known.

    Returns:
        One entry for each word; none if a word has no piece of its own.
    """
    times: dict[int, tuple[float, float]] = {}
    for index, piece, (start, end) in zip(word_indices(pieces), pieces, spans, strict=False):
        if index >= 0 and piece != WORD_BEGIN:
            times[index] = (times.get(index, (start, end))[0], end)
    words = text.split()
    if sorted(times) != list(range(len(words))):
        return ()
    return tuple(TimedWord(word, *times[index]) for index, word in enumerate(words))
