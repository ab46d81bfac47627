"""Finds speech in recordings, and cuts long recordings at pauses."""

import numpy as np
from numpy.typing import NDArray

FRAMES_PER_SECOND = 100
BLOCK_FRAMES = 6_000
SILENCE = -60.0  # dB of full scale: a frame below this level is always silent
DIGITAL_SILENCE = -85.0  # dB: a frame below this level was not recorded by a microphone
MARGIN = 10.0  # dB of the threshold above the noise, at most
LEAST_CONTRAST = 6.0  # dB between loud and quiet frames; with less, nothing is a pause
MIN_PAUSE = 20  # frames
HANGOVER = 5  # frames kept before and after speech, where words begin and end softly
LONG_PAUSE_SECONDS = 2.0


def find_speech(samples: NDArray[np.int16], rate: int) -> list[tuple[int, int]]:
    """Find the parts of a recording where somebody speaks.

    A frame of 10 ms counts as speech if its level is above a threshold that depends on the noise
    around it; digital silence divides a recording into stretches with a threshold each. Gaps
    shorter than 0.2 s do not count as pauses. Each part includes 0.05 s before and after the
    speech.

    Args:
        samples: mono samples [N].
        rate: samples per second.

    Returns:
        The start and end (exclusive) of each part, in samples, in order, without overlap.
    """
    return _spans(_levels(samples, _frame_samples(rate)), len(samples), _frame_samples(rate))


def cut_at_pauses(samples: NDArray[np.int16], rate: int, limit: int) -> list[tuple[int, int]]:
    """Cut a recording into pieces of at most `limit` samples that hold all its speech.

    Every pause of more than 2 s ends a piece. A piece that would be too long ends at the longest
    pause in its second half or, if there is none, at its longest pause. The pauses between pieces
    are dropped. Longer speech without a pause is cut at a quiet point.

    Args:
        samples: mono samples [N].
        rate: samples per second.
        limit: the maximum length of a piece, in samples.

    Returns:
        The start and end (exclusive) of each piece, in samples, in order, without overlap.

    Raises:
        ValueError: `limit` is less than one sample.
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}, expected at least one sample")
    frame = _frame_samples(rate)
    levels = _levels(samples, frame)
    quiet = _averaged(levels)
    spans = [
        part
        for span in _spans(levels, len(samples), frame)
        for part in _cut_where_quiet(span, quiet, frame, limit)
    ]
    return _grouped(spans, limit, int(LONG_PAUSE_SECONDS * rate))


def _frame_samples(rate: int) -> int:
    return max(1, rate // FRAMES_PER_SECOND)


def _levels(samples: NDArray[np.int16], frame: int) -> NDArray[np.float64]:
    """Return the level of each frame in dB of full scale [F]; the last frame may be short."""
    parts = []
    for start in range(0, len(samples), BLOCK_FRAMES * frame):
        squares = (samples[start : start + BLOCK_FRAMES * frame] / 32768.0) ** 2
        starts = np.arange(0, len(squares), frame)
        sizes = np.diff(starts, append=len(squares))
        power = np.add.reduceat(squares, starts) / sizes
        parts.append(10 * np.log10(np.maximum(power, 1e-12)))
    return np.concatenate(parts) if parts else np.zeros(0)


def _thresholds(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the level above which each frame counts as speech [F].

    A stretch ends with a pause of digital silence. What comes after it may be another recording,
    with other noise or another speaker.
    """
    recorded = np.flatnonzero(levels > DIGITAL_SILENCE)
    stretches = np.split(levels, recorded[1:][np.diff(recorded) > MIN_PAUSE])
    return np.concatenate([np.full(len(one), _threshold(one)) for one in stretches])


def _threshold(levels: NDArray[np.float64]) -> float:
    """Return the level above which a frame of a stretch counts as speech.

    The noise and the speech are estimated as percentiles 10 and 99 of the audible levels. The
    threshold is MARGIN above the noise, but at most halfway to the speech. What is below it may be
    quiet speech, and the noise may be inaudible, so the noise is then estimated once more: as
    percentile 10 of all levels below that threshold.
    """
    audible = levels[levels > SILENCE]
    if not len(audible):
        return SILENCE
    noise, speech = np.percentile(audible, (10, 99))
    if speech - noise < LEAST_CONTRAST:
        return SILENCE
    below = levels[levels <= _between(noise, speech)]
    return max(SILENCE, _between(float(np.percentile(below, 10)), speech))


def _between(noise: float, speech: float) -> float:
    """Return the level that divides noise from speech."""
    return float(noise + min(MARGIN, (speech - noise) / 2))


def _spans(levels: NDArray[np.float64], length: int, frame: int) -> list[tuple[int, int]]:
    loud = np.flatnonzero(levels > _thresholds(levels))
    if not len(loud):
        return []
    breaks = np.flatnonzero(np.diff(loud) > MIN_PAUSE)  # [number of pauses]
    firsts = loud[np.concatenate(([0], breaks + 1))] - HANGOVER
    lasts = loud[np.concatenate((breaks, [len(loud) - 1]))] + 1 + HANGOVER
    return [
        (max(0, int(first) * frame), min(length, int(last) * frame))
        for first, last in zip(firsts, lasts, strict=True)
    ]


def _averaged(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean level around each frame [F]; beyond the ends it counts as loud."""
    padded = np.pad(levels, (MIN_PAUSE // 2, MIN_PAUSE - MIN_PAUSE // 2 - 1))
    return np.convolve(padded, np.full(MIN_PAUSE, 1 / MIN_PAUSE), "valid")


def _cut_where_quiet(
    span: tuple[int, int], quiet: NDArray[np.float64], frame: int, limit: int
) -> list[tuple[int, int]]:
    """Cut speech without a pause so that each part holds at most `limit` samples."""
    parts = []
    start, end = span
    while end - start > limit:
        first, last = -(-(start + limit // 2) // frame), (start + limit) // frame
        cut = start + limit
        if first <= last and first * frame > start:
            cut = (first + int(quiet[first : last + 1].argmin())) * frame
        parts.append((start, cut))
        start = cut
    return [*parts, (start, end)]


def _grouped(spans: list[tuple[int, int]], limit: int, long_pause: int) -> list[tuple[int, int]]:
    pieces = []
    first = 0
    while first < len(spans):
        start, last = spans[first][0], first
        while (
            last + 1 < len(spans)
            and spans[last + 1][1] - start <= limit
            and _pause_after(spans, last) <= long_pause
        ):
            last += 1
        if last + 1 < len(spans) and _pause_after(spans, last) <= long_pause:
            last = _best_end(spans, first, last, start + limit // 2)
        pieces.append((start, spans[last][1]))
        first = last + 1
    return pieces


def _best_end(spans: list[tuple[int, int]], first: int, last: int, middle: int) -> int:
    """Return the index of the span that ends a piece: the one before the longest pause.

    Only spans that end after the middle of the piece are considered, if there are any.
    """
    ends = range(first, last + 1)
    late = [end for end in ends if spans[end][1] >= middle] or ends
    return max(late, key=lambda end: (_pause_after(spans, end), end))


def _pause_after(spans: list[tuple[int, int]], index: int) -> int:
    return spans[index + 1][0] - spans[index][1]
