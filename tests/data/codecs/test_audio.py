"""The codec of sound: files, Stored cells, pieces of long recordings."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from s2scli.data.codecs import media_codec
from s2scli.data.codecs.audio import AudioCodec
from s2scli.data.codecs.cell import BadCellError, Stored, values_of
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.sides import Sound

RATE = 8000
CODEC = AudioCodec(Sound(RATE))


def tone(seconds: float) -> NDArray[np.int16]:
    times = np.arange(round(seconds * RATE)) / RATE
    return (9000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16)


def silence(seconds: float) -> NDArray[np.int16]:
    return np.zeros(round(seconds * RATE), np.int16)


def test_a_relative_path_is_looked_up_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encode_wav(tone(0.1), RATE))
    assert media_codec(Sound(RATE), tmp_path).encode("a.wav").tolist() == tone(0.1).tolist()
    with pytest.raises(BadCellError, match="no such file"):
        CODEC.encode("a.wav")


def test_recordings_may_be_limited(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(encode_wav(tone(0.5), RATE))
    with pytest.raises(BadCellError) as raised:
        AudioCodec(Sound(RATE), tmp_path, max_seconds=0.4).encode("a.wav")
    assert raised.value.reason == "too_long"


@pytest.mark.parametrize(("samples", "size"), [(0, 0), (1, 1), (320, 1), (321, 2), (8000, 25)])
def test_a_size_is_the_number_of_40_ms_rounded_up(samples: int, size: int) -> None:
    assert CODEC.sizes(np.array([samples], np.int32)).tolist() == [size]


def test_sizes_of_the_longest_recordings_do_not_overflow() -> None:
    rate = 192_000
    longest = np.array([4 * 3600 * rate % 2**31], np.int32)
    assert AudioCodec(Sound(rate)).sizes(longest).tolist() == [-(-int(longest[0]) * 25 // rate)]


def test_a_long_recording_is_cut_where_nobody_speaks() -> None:
    samples = np.concatenate([tone(0.8), silence(0.5), tone(0.6), silence(3.0), tone(0.4)])
    parts = CODEC.parts(Stored("a.wav", samples), 25)
    assert [part.split()[0] for part in parts] == ["a.wav"] * 3
    spans = [tuple(map(float, part.split()[1].split("-"))) for part in parts]
    for (start, end), (first, last) in zip(spans, ((0, 0.8), (1.3, 1.9), (4.9, 5.3)), strict=True):
        assert start <= first + 0.02 and end >= last - 0.02, "all speech is kept"
        assert first - start < 0.2 and end - last < 0.2 and end - start <= 1.0
    for part, (start, end) in zip(parts, spans, strict=True):
        assert abs(len(CODEC.encode(part)) / RATE - (end - start)) < 0.011


def test_parts_do_not_keep_the_whole_recording() -> None:
    values = np.concatenate([tone(2), silence(3), tone(2)])
    whole = Stored("a", values)
    for part in (*CODEC.utterances(whole), *CODEC.parts(whole, 99), CODEC.truncate(whole, 25)):
        assert not np.shares_memory(values_of(part), values)


def test_silence_has_no_parts() -> None:
    assert CODEC.parts(Stored("a.wav", silence(3)), 25) == []


def test_labels_are_seconds() -> None:
    assert CODEC.labels(tone(2), 4) == ("0.00", "0.50", "1.00", "1.50")


def test_pauses_of_seconds_divide_a_recording_of_any_length() -> None:
    tone = (8000 * np.sin(np.arange(RATE) / 3)).astype(np.int16)
    quiet, pause = np.zeros(RATE, np.int16), np.zeros(3 * RATE, np.int16)
    cell = Stored("a.wav", np.concatenate([tone, pause, tone, quiet, tone]))
    first, second = CODEC.utterances(cell)
    assert [len(CODEC.encode(part)) // RATE for part in (first, second)] == [1, 3]
    for samples in range(4000, 4100):  # n / rate x rate may be less than n
        assert not CODEC.utterances(Stored("d.wav", np.full(samples, 20_000, np.int16)))
    assert not CODEC.utterances(Stored("b.wav", np.concatenate([tone, quiet, tone])))
    assert not CODEC.utterances(Stored("c.wav", np.concatenate([pause, tone, pause])))
