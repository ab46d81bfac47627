import base64
import contextlib
import io
import os
import re
import struct
import sys
import tracemalloc
import wave
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from s2scli.data.codecs.cell import BadCellError
from s2scli.data.codecs.mp3_frames import read_frames
from s2scli.data.codecs.sound_files import (
    SoundLimits,
    encode_wav,
    native_rate,
    native_seconds,
    read_sound,
)
from s2scli.errors import MissingExtraError

RATE = 16_000
LIMITS = SoundLimits(RATE)


def tone(rate: int = RATE, seconds: float = 0.5, hertz: float = 440.0) -> NDArray[np.float64]:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def int16(samples: NDArray[np.float64]) -> NDArray[np.int16]:
    return np.rint(samples * 32768).astype(np.int16)


def loudest_hertz(samples: NDArray[Any], rate: int) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * rate / len(samples))


def wav(
    data: bytes, rate: int = RATE, channels: int = 1, stated: int | None = None, bits: int = 16
) -> bytes:
    """Return a WAV file whose header may be wrong."""
    size = len(data) if stated is None else stated
    frame = channels * bits // 8
    layout = struct.pack("<HHIIHH", 1, channels, rate, rate * frame % 2**32, frame, bits)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", (4 + len(chunks)) % 2**32) + chunks


PLAIN = encode_wav(int16(tone()), RATE)
ID3 = b"ID3\3\0\0\0\0\2\0" + bytes(256)  # an empty tag of MP3


@pytest.fixture
def soundfile() -> Any:
    return pytest.importorskip("soundfile", reason="soundfile is not installed")


@pytest.fixture
def soxr() -> Any:
    return pytest.importorskip("soxr", reason="soxr is not installed")


def encoded(soundfile: Any, samples: NDArray[Any], rate: int = RATE, **format: Any) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **format)
    return buffer.getvalue()


def refusal(name: str, limits: SoundLimits = LIMITS) -> BadCellError:
    with pytest.raises(BadCellError) as raised:
        read_sound(name, limits)
    assert len(str(raised.value).splitlines()) == 1
    return raised.value


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).integers(-32768, 32768, 8_000).astype(np.int16)
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(samples, RATE))
    with wave.open(str(path)) as file:
        assert file.getparams()[:4] == (1, 2, RATE, 8_000)
    found = read_sound(str(path), LIMITS)
    assert found.dtype == np.int16
    np.testing.assert_array_equal(found, samples)
    assert (native_rate(str(path)), native_seconds(str(path))) == (RATE, 0.5)


@pytest.mark.parametrize(
    ("format", "subtype", "error"),
    [
        *[("WAV", "PCM_U8", 2 / 256), ("WAV", "PCM_16", 0), ("WAV", "PCM_24", 0)],
        *[("WAV", "PCM_32", 0), ("WAV", "FLOAT", 0), ("WAV", "DOUBLE", 0)],
        *[("WAV", "ULAW", 0.02), ("WAVEX", "PCM_16", 0), ("FLAC", "PCM_16", 0)],
        *[("FLAC", "PCM_24", 0), ("OGG", "VORBIS", 0.05), ("OGG", "OPUS", 0.05)],
        ("MP3", "MPEG_LAYER_III", 0.05),
    ],
)
def test_every_format_is_read(
    format: str, subtype: str, error: float, soundfile: Any, tmp_path: Path
) -> None:
    samples = int16(tone())
    path = tmp_path / "a.wav"  # the content decides, not the name
    content = encoded(soundfile, samples / 32768, format=format, subtype=subtype)
    path.write_bytes(content)
    found = read_sound(str(path), LIMITS)
    assert len(found) == len(samples)
    assert np.abs(found[800:-800].astype(int) - samples[800:-800]).max() <= error * 32768
    uri = "data:audio/x;base64," + base64.b64encode(content).decode()
    np.testing.assert_array_equal(read_sound(uri, LIMITS), found)


@pytest.mark.parametrize("channels", [2, 8])
@pytest.mark.parametrize("format", [{"format": "WAV"}, {"format": "FLAC"}])
def test_channels_are_averaged(
    channels: int, format: dict[str, Any], soundfile: Any, tmp_path: Path
) -> None:
    every = np.random.default_rng(1).integers(-9999, 9999, (5_000, channels)).astype(np.int16)
    path = tmp_path / "a"
    path.write_bytes(encoded(soundfile, every, **format))
    difference = read_sound(str(path), LIMITS) - every.mean(axis=1)
    assert np.abs(difference).max() <= 0.51


@pytest.mark.parametrize("gains", [(1, -1), (0, 1, -1), (1, -1, 1, -1, 1, -1)], ids=len)
def test_of_channels_that_cancel_each_other_out_the_first_audible_one_is_read(
    gains: tuple[int, ...], tmp_path: Path
) -> None:
    mono = int16(tone(seconds=20))  # of six channels, several blocks
    path = tmp_path / "a.wav"
    path.write_bytes(wav(np.outer(mono, gains).astype("<i2").tobytes(), channels=len(gains)))
    np.testing.assert_array_equal(read_sound(str(path), LIMITS), mono)
    quiet = np.outer(mono // 1000, gains)
    path.write_bytes(wav(quiet.astype("<i2").tobytes(), channels=len(gains)))
    assert refusal(str(path)).reason == "silent"


def test_channels_are_averaged_where_any_of_their_mean_is_audible(tmp_path: Path) -> None:
    left = int16(tone(seconds=20))
    right = np.where(np.arange(len(left)) < RATE, left, -left)  # in phase in the first second
    path = tmp_path / "a.wav"
    path.write_bytes(wav(np.stack([left, right], axis=1).tobytes(), channels=2))
    found = read_sound(str(path), LIMITS)
    np.testing.assert_array_equal(found[:RATE], left[:RATE])
    assert not found[RATE:].any()


@pytest.mark.parametrize("rate", [8_000, 11_025, 44_100, 48_000, 96_000])
def test_resampling_keeps_a_frequency_and_the_duration(
    rate: int, soxr: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(int16(tone(rate, seconds=1.0)), rate))
    found = read_sound(str(path), LIMITS)
    assert abs(len(found) - RATE) <= 2
    assert loudest_hertz(found, RATE) == pytest.approx(440, abs=1)
    assert np.abs(found[1000:-1000]).max() == pytest.approx(16384, rel=0.01)
    assert native_rate(str(path)) == rate


def test_resampling_removes_what_the_new_rate_cannot_hold(soxr: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    mixed = tone(48_000, 1.0, 440) / 2 + tone(48_000, 1.0, 11_000) / 2
    path.write_bytes(encode_wav(int16(mixed), 48_000))
    spectrum = np.abs(np.fft.rfft(read_sound(str(path), LIMITS)[:16_000]))
    assert spectrum[440] > 1000 * spectrum[4_990:5_010].max()  # where 11 kHz would be folded


def test_a_long_file_of_many_channels_is_read_in_blocks(soundfile: Any, tmp_path: Path) -> None:
    mono = int16(tone(seconds=20))
    for name, content in {
        "a.flac": encoded(soundfile, np.repeat(mono[:, None], 8, axis=1), format="FLAC"),
        "a.wav": wav(np.repeat(mono, 8).tobytes(), channels=8),
    }.items():
        (tmp_path / name).write_bytes(content)
        np.testing.assert_array_equal(read_sound(str(tmp_path / name), LIMITS), mono)


@pytest.mark.parametrize("format", ["OGG", "MP3"])
def test_blocks_of_a_compressed_file_join(
    format: str, soundfile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    noise = np.random.default_rng(2).normal(0, 0.1, (50_000, 2))
    path.write_bytes(encoded(soundfile, noise, format=format))
    whole = read_sound(str(path), LIMITS)
    monkeypatch.setattr("s2scli.data.codecs.sound_files.BLOCK_VALUES", 9_999)
    np.testing.assert_allclose(read_sound(str(path), LIMITS), whole, atol=1)


def test_loud_floats_are_clipped(soundfile: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encoded(soundfile, tone() * 3, format="WAV", subtype="FLOAT"))
    found = read_sound(str(path), LIMITS)
    assert found.max() == 32767 and found.min() == -32768


def test_limits_are_inclusive(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(PLAIN)
    assert len(read_sound(str(path), SoundLimits(RATE, 0.5, 0.5))) == 8_000
    assert refusal(str(path), SoundLimits(RATE, 0.5001)).reason == "too_short"
    assert refusal(str(path), SoundLimits(RATE, max_seconds=0.4999)).reason == "too_long"


def test_a_long_file_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    size = 2 * RATE * 36_000
    path.write_bytes(wav(b"", stated=size))
    os.truncate(path, 44 + size)  # 10 hours, of which the disk holds 44 bytes
    tracemalloc.start()
    error = refusal(str(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert error.reason == "too_long" and peak < 1_000_000
    assert str(error) == (f"{path}: 36000 seconds of sound, expected at most 30; cut it at pauses")


def test_other_files_that_are_too_long(soundfile: Any, tmp_path: Path) -> None:
    for format in ("FLAC", "OGG", "MP3"):
        path = tmp_path / format
        path.write_bytes(encoded(soundfile, tone(seconds=31), format=format))
        assert refusal(str(path)).reason == "too_long"


def test_a_link_to_a_sound_is_followed(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(PLAIN)
    (tmp_path / "link.wav").symlink_to("a.wav")
    assert len(read_sound(str(tmp_path / "link.wav"), LIMITS)) == 8_000


def test_a_name_that_is_not_utf8_is_read_and_shown(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    error = refusal(name)
    assert error.reason == "missing"
    str(error).encode()
    Path(name).write_bytes(PLAIN)
    assert len(read_sound(name, LIMITS)) == 8_000


SILENT = np.zeros(8_000, np.int16)
BAD_WAVS = {
    "empty": (b"", "unreadable", "an empty file"),
    "text": (b"hello, hello\n" * 99, "unreadable", "not a sound file, expected a sound file: WAV"),
    "RIFF, not WAVE": (b"RIFF\0\0\0\0AVI LIST", "unreadable", "not a sound file"),
    "12 bytes": (PLAIN[:12], "unreadable", "no sound follows its header"),
    "30 bytes": (PLAIN[:30], "unreadable", "no sound follows its header"),
    "data before its format": (PLAIN[:12] + PLAIN[36:], "unreadable", "no sound follows"),
    "endless chunks": (PLAIN[:12] + b"junk\0\0\0\0" * 5000, "unreadable", "no sound follows"),
    "half": (PLAIN[:8_044], "unreadable", "cut off: the file holds 8000 of the 16000 bytes"),
    "all but a byte": (PLAIN[:-1], "unreadable", "holds 15999 of the 16000 bytes"),
    "of a pipe": (wav(PLAIN[44:], stated=2**32 - 1), "unreadable", "of the 4294967295 bytes"),
    "no samples": (wav(b""), "too_short", "no samples, expected at least 0.03; leave it out"),
    "few samples": (wav(b"\1\1" * 160), "too_short", "0.01 seconds of sound"),
    "half a sample": (wav(b"\1"), "too_short", "no samples"),
    "silence": (encode_wav(SILENT, RATE), "silent", "peak is below -60 dB of full scale"),
    "near silence": (encode_wav(SILENT + np.int16(32), RATE), "silent", "peak is below -60 dB"),
    "rate 0": (wav(PLAIN[44:], rate=0), "unreadable", "sample rate is 0 Hz"),
    "rate 1": (wav(PLAIN[44:], rate=1), "unreadable", "sample rate is 1 Hz"),
    "rate 1e9": (wav(PLAIN[44:], rate=10**9), "unreadable", "sample rate is 1000000000 Hz"),
    "no channels": (wav(PLAIN[44:], channels=0), "unreadable", "0 channels, expected 1 to 256"),
    "too many": (wav(PLAIN[44:], channels=9999), "unreadable", "9999 channels"),
}


@pytest.mark.parametrize("kind", BAD_WAVS)
def test_a_bad_wav_file_is_refused(kind: str, tmp_path: Path) -> None:
    content, reason, fault = BAD_WAVS[kind]
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    error = refusal(str(path))
    assert error.reason == reason
    assert str(error).startswith(f"{path}: ") and fault in str(error)
    uri = "data:audio/wav;base64," + base64.b64encode(content).decode()
    assert refusal(uri).reason == reason


def floats(*values: float) -> Callable[[Any], bytes]:
    samples = tone()
    samples[100 : 100 + len(values)] = values
    return lambda soundfile: encoded(soundfile, samples, format="WAV", subtype="DOUBLE")


def cut(part: float, **format: Any) -> Callable[[Any], bytes]:
    def content(soundfile: Any) -> bytes:
        whole = encoded(soundfile, tone(seconds=2), **format)
        return whole[: int(part * len(whole))]

    return content


def flac_of(total: int) -> Callable[[Any], bytes]:
    """Return a FLAC file whose header states this number of samples."""

    def content(soundfile: Any) -> bytes:
        flac = bytearray(encoded(soundfile, tone(), format="FLAC"))
        facts = int.from_bytes(flac[18:26]) >> 36 << 36 | total
        flac[18:26] = facts.to_bytes(8)
        return bytes(flac)

    return content


def damaged_flac(soundfile: Any) -> bytes:
    flac = bytearray(encoded(soundfile, tone(seconds=2), format="FLAC"))
    middle = len(flac) // 2
    flac[middle : middle + 100] = bytes(100)
    return bytes(flac)


def mp3_without_end(soundfile: Any) -> bytes:
    """Return an MP3 file of half the frames whose Xing header states all frames and no size."""
    mp3 = bytearray(encoded(soundfile, tone(seconds=2), format="MP3"))
    mp3[mp3.find(b"Xing") + 7] &= ~2
    return bytes(mp3[: len(mp3) // 2])


BAD_FILES: dict[str, tuple[Callable[[Any], bytes], str, str]] = {
    "NaN": (floats(np.nan), "unreadable", "not numbers (NaN or infinite)"),
    "infinite": (floats(np.inf, -np.inf), "unreadable", "not numbers (NaN or infinite)"),
    "beyond float32": (floats(1e300), "unreadable", "not numbers (NaN or infinite)"),
    "int16 as floats": (floats(12345), "unreadable", "samples as large as 12345, expected floats"),
    "24-bit WAV": (cut(0.99, format="WAV", subtype="PCM_24"), "unreadable", "cut off"),
    "half a FLAC": (cut(0.5, format="FLAC"), "unreadable", "damaged FLAC file"),
    "most of a FLAC": (cut(0.99, format="FLAC"), "unreadable", "damaged FLAC file"),
    "half an Ogg": (cut(0.5, format="OGG"), "unreadable", "last page of its Ogg stream"),
    "most of an Ogg": (cut(0.99, format="OGG"), "unreadable", "last page of its Ogg stream"),
    "half an Opus": (cut(0.5, format="OGG", subtype="OPUS"), "unreadable", "last page"),
    "half an MP3": (cut(0.5, format="MP3"), "unreadable", "shorter than its Xing header states"),
    "most of an MP3": (cut(0.99, format="MP3"), "unreadable", "shorter than its Xing header"),
    "MP3 without sizes": (mp3_without_end, "unreadable", "samples are missing"),
    "FLAC of a pipe": (flac_of(0), "unreadable", "its header does not state its length"),
    "long FLAC": (flac_of(RATE * 36_000), "too_long", "36000 seconds"),
    "longer FLAC": (flac_of(8_001), "unreadable", ""),
    "damaged FLAC": (damaged_flac, "unreadable", "damaged FLAC file (flac decoder lost sync)"),
    "WAV with a tag": (lambda _: ID3 + PLAIN, "unreadable", "WAV, expected a sound file"),
    "AIFF": (cut(1, format="AIFF"), "unreadable", "not a sound file"),
    "starts like MP3": (lambda _: b"\xff\xfb" + b"hello" * 999, "unreadable", ""),
    "silent FLAC": (lambda soundfile: encoded(soundfile, SILENT, format="FLAC"), "silent", ""),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_of_another_format_is_refused(
    kind: str, soundfile: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, reason, fault = BAD_FILES[kind]
    path = tmp_path / "bad"
    path.write_bytes(make(soundfile))
    error = refusal(str(path))
    assert error.reason == reason
    assert str(error).startswith(f"{path}: ") and fault in str(error)
    if kind != "starts like MP3":  # the decoder of MP3 writes notes of its own
        assert "".join(capfd.readouterr()) == ""


def test_tags_do_not_matter(soundfile: Any, tmp_path: Path) -> None:
    path = tmp_path / "a"
    mp3 = encoded(soundfile, tone(), format="MP3")
    flac = encoded(soundfile, tone(), format="FLAC")
    for content in (ID3 + mp3, mp3 + b"TAG" + bytes(125), ID3 + flac):
        path.write_bytes(content)
        assert len(read_sound(str(path), LIMITS)) == 8_000
    path.write_bytes(ID3 + mp3[:-400])
    assert "shorter than its Xing header states" in str(refusal(str(path)))


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (16_000, 2), (44_100, 1), (48_000, 2)])
@pytest.mark.parametrize("start", [b"", ID3], ids=["plain", "tag"])
def test_the_frames_of_an_mp3_without_a_header_are_counted(
    rate: int, channels: int, start: bytes, soundfile: Any, tmp_path: Path
) -> None:
    """Nothing is lost where the bitrate varies, so that the first frame says nothing of others."""
    samples = np.concatenate([tone(rate=rate, seconds=1), np.zeros(rate), tone(rate=rate)])
    both = np.stack([samples] * channels, 1)
    mp3 = encoded(soundfile, both, rate, format="MP3")
    header, *frames = read_frames(mp3)
    assert len({frame.size for frame in frames}) > 2, "the bitrate varies"
    path, limits = tmp_path / "a", SoundLimits(rate)
    path.write_bytes(start + mp3[header.size :])
    found = read_sound(str(path), limits)
    per_frame = 1152 if rate > 24_000 else 576
    assert len(found) == len(frames) * per_frame - 529  # the delay of the decoder
    path.write_bytes(mp3)
    whole = read_sound(str(path), limits)
    delay = 576  # of the encoder, which only the header states
    apart = np.abs(found[delay : delay + len(whole)].astype(int) - whole)[800:]
    assert len(whole) == len(samples) and apart.max() <= 2


def fifo(path: Path) -> None:
    os.mkfifo(path)


def link_to(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


ODD_PATHS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "missing": (lambda path: None, "missing", "no such file; check the path"),
    "folder": (Path.mkdir, "unreadable", "not a regular file"),
    "FIFO": (fifo, "unreadable", "not a regular file"),
    "device": (link_to("/dev/zero"), "unreadable", "not a regular file"),
    "link to nowhere": (link_to("nowhere"), "missing", "no such file"),
    "link loop": (link_to("bad.wav"), "unreadable", "cannot be read: too many levels"),
}


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG", "MP3"])
def test_damage_anywhere_is_refused_or_read(format: str, soundfile: Any, tmp_path: Path) -> None:
    path = tmp_path / "a"
    whole = encoded(soundfile, tone(seconds=0.1), format=format)
    random = np.random.default_rng(4)
    for _ in range(100):
        content = bytearray(whole)
        for place in random.integers(0, random.choice([60, len(whole)]), 3):
            content[place] = random.integers(256)
        path.write_bytes(content)
        with contextlib.suppress(BadCellError):
            assert read_sound(str(path), LIMITS).dtype == np.int16


@pytest.mark.skipif(sys.platform == "win32", reason="needs the odd files of Unix")
@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ODD_PATHS)
def test_an_odd_path_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    make, reason, fault = ODD_PATHS[kind]
    path = tmp_path / "bad.wav"
    make(path)
    error = refusal(str(path))
    assert error.reason == reason and f"{path}: {fault}" in str(error)


@pytest.mark.parametrize(
    ("name", "reason", "message"),
    [
        ("", "missing", "no file: no such file; check the path"),
        ("a\0b", "missing", "a␀b: not the name of a file; check the path"),
        ("\ud812.wav", "missing", "?.wav: not the name of a file; check the path"),
        ("a\nb.wav", "missing", "a b.wav: no such file; check the path"),
        ("x" * 5000, "unreadable", f"...{'x' * 200}: cannot be read: file name too long"),
        ("data:", "unreadable", "data:: expected data:audio/wav;base64,..."),
        ("data:audio/wav,abc", "unreadable", "data:audio/wav,abc: expected data:audio/wav;base64,"),
        ("data:image/png;base64,AAAA", "unreadable", "expected data:audio/wav;base64,..."),
        ("data:audio/wav;base64,A", "unreadable", "damaged base64; encode it again"),
        ("data:audio/wav;base64,AAA\u0661", "unreadable", "damaged base64; encode it again"),
        ("data:audio/wav;base64,", "unreadable", "data:audio/wav;base64,: an empty file"),
        ("data:audio/wav;base64," + "AAAA" * 99, "unreadable", "AAAAAAAAAAAAAAA...: not a sound"),
    ],
)
def test_an_odd_name_is_refused(name: str, reason: str, message: str) -> None:
    error = refusal(name)
    assert error.reason == reason and message in str(error)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(PLAIN)
    path.chmod(0)
    assert "cannot be read: permission denied" in str(refusal(str(path)))


def test_the_place_of_the_cell_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with pytest.raises(
        BadCellError, match=rf"^corpus\.tsv, line 3: {re.escape(str(path))}: no such"
    ):
        read_sound(str(path), LIMITS, "corpus.tsv, line 3")
    with pytest.raises(BadCellError, match=r"^corpus\.tsv, line 3: "):
        native_rate(str(path), "corpus.tsv, line 3")


def test_an_error_of_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(PLAIN)

    def fail(*arguments: object) -> ModuleType:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("s2scli.data.codecs.sound_files._kind", fail)
    assert str(refusal(str(path))) == f"{path}: cannot be read: input/output error"


def test_plain_wav_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.setitem(sys.modules, "soxr", None)
    path = tmp_path / "a.wav"
    path.write_bytes(PLAIN)
    assert len(read_sound(str(path), LIMITS)) == 8_000


def test_without_soundfile_one_line_says_what_to_install(
    soundfile: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.flac"
    path.write_bytes(encoded(soundfile, tone(), format="FLAC"))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(MissingExtraError) as raised:
        read_sound(str(path), LIMITS)
    assert str(raised.value) == (
        f"{path}: this FLAC file needs soundfile, which is not installed: "
        'pip install "s2scli[speech]"'
    )


def test_without_soxr_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(int16(tone(8_000)), 8_000))
    monkeypatch.setitem(sys.modules, "soxr", None)
    with pytest.raises(MissingExtraError) as raised:
        read_sound(str(path), LIMITS)
    assert str(raised.value) == (
        f"{path}: resampling it from 8000 to 16000 Hz needs soxr, which is not installed: "
        'pip install "s2scli[speech]"'
    )
