from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from s2scli.data.codecs.pauses import HANGOVER, cut_at_pauses, find_speech

RATE = 8_000
FRAME = RATE // 100

# seconds of tone and seconds of the pause after it, in hundredths
Talk = Sequence[tuple[int, int]]
talks = st.lists(st.tuples(st.integers(5, 300), st.integers(20, 300)), min_size=1, max_size=8)


def recording(talk: Talk, noise: float = 0.0, before: int = 50) -> NDArray[np.int16]:
    """Return a tone for each word, and a pause or noise after it."""
    parts = [np.zeros(before * FRAME)]
    for word, pause in talk:
        parts.append(0.5 * np.sin(2 * np.pi * 440 * np.arange(word * FRAME) / RATE))
        parts.append(np.zeros(pause * FRAME))
    sound = np.concatenate(parts)
    sound += noise * np.random.default_rng(3).standard_normal(len(sound))
    return np.rint(sound * 32767).astype(np.int16)


def words(talk: Talk, before: int = 50) -> list[tuple[int, int]]:
    """Return the first sample of each tone and the one after its last."""
    found, position = [], before * FRAME
    for word, pause in talk:
        found.append((position, position + word * FRAME))
        position += (word + pause) * FRAME
    return found


@settings(deadline=None, max_examples=60)
@given(talks, st.sampled_from([0.0, 0.003]))
@example([(5, 210), (5, 300)], 0.003)  # little speech in much noise
def test_speech_is_the_words_and_a_little_around_them(talk: Talk, noise: float) -> None:
    margin = HANGOVER * FRAME
    size = len(recording(talk))
    expected = [(start - margin, min(size, end + margin)) for start, end in words(talk)]
    if noise:  # some noise without words, as in a recording, tells how loud it is
        talk = [*talk, (20, sum(word for word, _ in talk))]
        expected = [(start - margin, end + margin) for start, end in words(talk)]
    assert find_speech(recording(talk, noise), RATE) == expected


@settings(deadline=None, max_examples=100)
@given(talks, st.integers(30, 700))
def test_pieces_hold_every_word_once_and_are_short_enough(talk: Talk, longest: int) -> None:
    samples = recording(talk)
    pieces = cut_at_pauses(samples, RATE, longest * FRAME)
    covered = np.zeros(len(samples), np.int64)
    for start, end in pieces:
        assert 0 <= start < end <= len(samples) and end - start <= longest * FRAME
        covered[start:end] += 1
    assert covered.max() == 1
    assert all(covered[start:end].all() for start, end in find_speech(samples, RATE))
    for start, end in words(talk):
        if end - start + 2 * HANGOVER * FRAME <= longest * FRAME:
            assert not any(start < cut < end for piece in pieces for cut in piece)
    assert pieces == cut_at_pauses(samples.copy(), RATE, longest * FRAME)


# seconds and levels in dB of full scale
Levels = Sequence[tuple[float, float]]
TWO_SPEAKERS = [(8, -15), (1, -120), (4, -40), (1, -120), (8, -15)]
BRIEF_PAUSES = [(20, -15), (1, -120), (30, -40), (1, -120), (20, -15)]
NO_PAUSE_BETWEEN = [(8, -15), (4, -40), (2, -120), (8, -15)]
QUIET_ROOM = [(8, -15), (1, -70), (4, -40), (1, -70), (8, -15)]
QUIET_NOISE = [(2, -15), (1, -30), (3, -61), (2, -15), (1, -30)]
NOISE_BEFORE_SILENCE = [(3, -15), (3, -45), (3, -15), (9, -120)]
SILENCE_BEFORE_NOISE = [(0.5, -120), (3, -45), (9, -15), (3, -45), (9, -15), (9, -45)]


def noise_of(levels: Levels) -> NDArray[np.int16]:
    """Return noise at these levels, one after the other."""
    random = np.random.default_rng(5)
    parts = [
        32768 * 10 ** (level / 20) * random.standard_normal(round(seconds * RATE))
        for seconds, level in levels
    ]
    return np.rint(np.concatenate(parts)).clip(-32768, 32767).astype(np.int16)


@pytest.mark.parametrize(
    ("levels", "spoken"),
    [
        (TWO_SPEAKERS, {0, 2, 4}),
        (BRIEF_PAUSES, {0, 2, 4}),
        (NO_PAUSE_BETWEEN, {0, 1, 3}),
        (QUIET_ROOM, {0, 2, 4}),
        (QUIET_NOISE, {0, 1, 3, 4}),
        (NOISE_BEFORE_SILENCE, {0, 1, 2}),  # nobody knows whether it is a quiet speaker
        (SILENCE_BEFORE_NOISE, {2, 4}),
    ],
)
def test_quiet_speech_is_kept_and_noise_is_not(levels: Levels, spoken: set[int]) -> None:
    found = np.zeros(round(sum(seconds for seconds, _ in levels) * RATE))
    for start, end in find_speech(noise_of(levels), RATE):
        found[start:end] = 1
    ends = np.cumsum([round(seconds * RATE) for seconds, _ in levels])
    shares = [part.mean() for part in np.split(found, ends[:-1])]
    assert [share > 0.5 for share in shares] == [index in spoken for index in range(len(levels))]
    assert all(shares[index] == 1 for index in spoken)


def test_a_short_recording_is_one_piece_without_the_silence_around_it() -> None:
    talk = [(100, 50), (100, 300)]
    (start, _), (_, end) = words(talk)
    margin = HANGOVER * FRAME
    assert cut_at_pauses(recording(talk), RATE, 30 * RATE) == [(start - margin, end + margin)]


def test_a_piece_ends_at_the_longest_pause() -> None:
    talk = [(100, 40), (100, 90), (100, 40), (100, 100)]
    samples = recording(talk)
    speech = find_speech(samples, RATE)
    pieces = cut_at_pauses(samples, RATE, 9 * RATE // 2)
    assert pieces == [(speech[0][0], speech[1][1]), (speech[2][0], speech[3][1])]


def test_a_long_pause_always_ends_a_piece() -> None:
    assert len(cut_at_pauses(recording([(50, 190), (50, 50)]), RATE, 30 * RATE)) == 1
    assert len(cut_at_pauses(recording([(50, 230), (50, 50)]), RATE, 30 * RATE)) == 2


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    samples = recording([(1000, 0)], before=0)
    samples[400 * FRAME : 410 * FRAME] //= 2
    (start, cut), (after, end) = cut_at_pauses(samples, RATE, 6 * RATE)
    assert (start, end) == (0, len(samples)) and cut == after
    assert 395 * FRAME <= cut <= 415 * FRAME


@pytest.mark.parametrize(
    "samples",
    [np.zeros(0, np.int16), np.zeros(50_000, np.int16), np.full(50_000, 3, np.int16)],
    ids=["no samples", "zeros", "almost zeros"],
)
def test_silence_has_no_pieces(samples: NDArray[np.int16]) -> None:
    assert find_speech(samples, RATE) == cut_at_pauses(samples, RATE, 30 * RATE) == []


@pytest.mark.parametrize("rate", [50, 8_000, 11_025, 96_000])
def test_any_rate_and_a_last_frame_that_is_short(rate: int) -> None:
    samples = np.full(rate * 3 + 7, 20_000, np.int16)
    assert find_speech(samples, rate) == [(0, len(samples))]
    pieces = cut_at_pauses(samples, rate, rate)
    assert pieces[0][0] == 0 and pieces[-1][1] == len(samples)
    assert [end for _, end in pieces[:-1]] == [start for start, _ in pieces[1:]]


def test_pieces_smaller_than_a_frame() -> None:
    samples = np.full(1_000, 20_000, np.int16)
    pieces = cut_at_pauses(samples, RATE, 10)
    assert pieces == [(start, start + 10) for start in range(0, 1_000, 10)]


def test_blocks_are_joined() -> None:
    samples = np.tile(recording([(100, 50)]), 70)  # more than a minute
    assert len(find_speech(samples, RATE)) == 70


def test_a_piece_without_samples_is_refused() -> None:
    with pytest.raises(ValueError, match="limit is 0, expected at least one sample"):
        cut_at_pauses(np.ones(100, np.int16), RATE, 0)
