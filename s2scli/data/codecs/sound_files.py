"""Sound files: WAV, FLAC, Ogg and MP3 as mono samples at one rate.

A truncated file is refused: a WAV or FLAC file must hold all samples that its header states, an
Ogg file its last page, and an MP3 file all bytes that its Xing header states. Files that were
written to a pipe are also refused, because their header does not state the length. An MP3 file
without a Xing header does not state its length either: its frames are counted, and its truncation
is not detected.
"""

import contextlib
import io
import os
import struct
import wave
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from s2scli.data.codecs.cell import BadCellError, is_uri
from s2scli.data.codecs.content import fault_of, open_content
from s2scli.data.codecs.mp3_frames import has_all_bytes, with_length
from s2scli.data.codecs.text import one_line
from s2scli.errors import MissingExtraError

FULL_SCALE = 32768  # of int16
LOUDEST = 8.0  # largest float sample accepted; decoders may exceed full scale (1.0) a little
BLOCK_VALUES = 1 << 20
MIN_RATE, MAX_RATE = 1_000, 768_000
MAX_CHANNELS = 256
MAX_WAV_CHUNKS = 1_000
MAX_OGG_PAGE = 65_307
MAX_SHOWN = 200
PCM = 1
UNKNOWN_LENGTH = 1 << 62
# the formats of libsndfile for each kind; FLAC files may also begin with an ID3 tag
FORMATS = {"WAV": ("WAV", "WAVEX"), "FLAC": ("FLAC",), "Ogg": ("OGG",), "MP3": ("MP3", "FLAC")}
EXPECTED = "expected a sound file: WAV, FLAC, Ogg or MP3"
REWRITE = "copy the file again, or convert it: ffmpeg -i FILE NEW.wav"


@dataclass(frozen=True)
class SoundLimits:
    """The rate that sounds are converted to, and which sounds are accepted.

    Attributes:
        sample_rate: the rate in Hz that sounds are resampled to.
        min_seconds: the shortest duration.
        max_seconds: the longest duration.
        silence: the peak, in dB of full scale, below which a sound counts as silent.
    """

    sample_rate: int
    min_seconds: float = 0.03
    max_seconds: float = 30.0
    silence: float = -60.0


def read_sound(name: str, limits: SoundLimits, where: str = "") -> NDArray[np.int16]:
    """Read a sound as mono samples [N] at the rate of `limits`.

    Channels are averaged; where they cancel each other out, the first audible one is read. The
    duration is checked before the samples are read. 16-bit PCM WAV at this rate needs no extra.

    Args:
        name: the path of a file, or a URI `data:audio/...;base64,...`.
        limits: the rate and the accepted durations.
        where: the file and line of the cell, for messages.

    Raises:
        BadCellError: the reason is missing, unreadable, silent, too short or too long.
        MissingExtraError: the file needs soundfile or soxr, which is not installed.
    """
    with _open_sound(name, where) as sound:
        return _accepted(sound, limits)


def convert_sound(
    name: str, samples: NDArray[Any], rate: int, limits: SoundLimits
) -> NDArray[np.int16]:
    """Convert a recording to mono samples [N] at the rate of `limits`; see `read_sound`.

    Args:
        name: a name for messages.
        samples: int16, or floats with full scale at 1, [N] or [N, channels].
        rate: samples per second.
        limits: the rate and the accepted durations.

    Raises:
        BadCellError: the reason is unreadable, silent, too short or too long.
        MissingExtraError: soxr is not installed, and the rate must change.
    """
    scale = FULL_SCALE if samples.dtype == np.int16 else 1
    rows = samples[:, None] if samples.ndim == 1 else samples  # [N, channels]
    channels = rows.astype(np.float32) / np.float32(scale)
    source = _Memory(iter([channels]))
    sound = _Opened(_shown(name, ""), rate, len(samples), channels.shape[1], source)
    sound.check()
    return _accepted(sound, limits)


def native_rate(name: str, where: str = "") -> int:
    """Return the sample rate in Hz that the header of a file states.

    Raises:
        BadCellError: the reason is missing or unreadable.
        MissingExtraError: the file needs soundfile, which is not installed.
    """
    with _open_sound(name, where) as sound:
        return sound.rate


def native_seconds(name: str, where: str = "") -> float:
    """Return the duration in seconds that the header of a file states.

    Raises:
        BadCellError: the reason is missing or unreadable.
        MissingExtraError: the file needs soundfile, which is not installed.
    """
    with _open_sound(name, where) as sound:
        return sound.frames / sound.rate


def encode_wav(samples: NDArray[np.int16], rate: int) -> bytes:
    """Return mono samples [N] as a WAV file of 16-bit PCM."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def _accepted(sound: "_Opened", limits: SoundLimits) -> NDArray[np.int16]:
    """Check that a sound is within the limits, and return its samples, [N]."""
    if sound.frames < limits.min_seconds * sound.rate:
        sound.refuse(
            "too_short",
            f"{_seconds(sound)}, expected at least {limits.min_seconds:g}; leave it out",
        )
    if sound.frames > limits.max_seconds * sound.rate:
        sound.refuse(
            "too_long",
            f"{_seconds(sound)}, expected at most {limits.max_seconds:g}; cut it at pauses",
        )
    least = 10 ** (limits.silence / 20)
    samples = sound.mono(least)
    if _peak(samples) < least:
        fault = f"silent: its peak is below {limits.silence:g} dB of full scale"
        sound.refuse("silent", f"{fault}; record it again")
    if sound.rate != limits.sample_rate:
        samples = _resample(samples, sound, limits.sample_rate)
    scaled = np.rint(samples * FULL_SCALE)
    return scaled.clip(-FULL_SCALE, FULL_SCALE - 1).astype(np.int16)


class _Source(Protocol):
    """Reads samples in order, as a `soundfile.SoundFile` does."""

    def read(self, frames: int, *, dtype: str, always_2d: bool) -> NDArray[np.float32]:
        """Return the next samples [at most `frames`, channels], full scale at 1."""
        ...


@dataclass(frozen=True)
class _Opened:
    """An open sound file: what its header states, and the reader of its samples."""

    shown: str
    rate: int
    frames: int
    channels: int
    source: _Source

    def refuse(self, reason: str, fault: str) -> NoReturn:
        raise BadCellError(reason, f"{self.shown}: {fault}")

    def check(self) -> None:
        if not MIN_RATE <= self.rate <= MAX_RATE:
            fault = f"its sample rate is {self.rate} Hz, expected {MIN_RATE} to {MAX_RATE}"
            self.refuse("unreadable", f"{fault}; {REWRITE}")
        if not 1 <= self.channels <= MAX_CHANNELS:
            fault = f"it has {self.channels} channels, expected 1 to {MAX_CHANNELS}"
            self.refuse("unreadable", f"{fault}; {REWRITE}")
        if not 0 <= self.frames < UNKNOWN_LENGTH:
            self.refuse("unreadable", f"its header does not state its length; {REWRITE}")

    def mono(self, least: float) -> NDArray[np.float32]:
        """Return the samples [N], full scale at 1.

        They are the mean of all channels. If its peak is below `least`, they are the first channel
        whose peak is not, if there is one: stereo in antiphase has no mean.
        """
        means: list[NDArray[np.float32]] = []
        blocks: list[NDArray[np.float32]] = []  # kept while the mean is silent
        audible = False
        for block in self._blocks():
            means.append(block.mean(axis=1))
            audible = audible or _peak(means[-1]) >= least
            if audible:
                blocks.clear()
            else:
                blocks.append(block)
        peaks = np.max([np.abs(block).max(axis=0) for block in blocks], axis=0, initial=0.0)
        if (peaks >= least).any():
            channel = (peaks >= least).argmax()
            means = [block[:, channel] for block in blocks]
        return np.concatenate(means) if means else np.zeros(0, np.float32)

    def _blocks(self) -> Iterator[NDArray[np.float32]]:
        """Read all samples in blocks [frames, channels]."""
        missing = self.frames
        while missing:
            block = self.source.read(  # [frames, channels]
                min(missing, max(1, BLOCK_VALUES // self.channels)),
                dtype="float32",
                always_2d=True,
            )
            if not len(block):
                fault = f"cut off: {missing} of {self.frames} samples are missing"
                self.refuse("unreadable", f"{fault}; {REWRITE}")
            self._check_values(block)
            missing -= len(block)
            yield block

    def _check_values(self, block: NDArray[np.float32]) -> None:
        if not np.isfinite(block).all():
            fault = "it holds samples that are not numbers (NaN or infinite)"
            self.refuse("unreadable", f"{fault}; {REWRITE}")
        peak = np.abs(block).max()
        if peak > LOUDEST:
            fault = f"it holds samples as large as {peak:g}, expected floats from -1 to 1"
            self.refuse("unreadable", f"{fault}; divide them by full scale")


@dataclass(frozen=True)
class _Memory:
    """Returns samples from memory, in one block."""

    blocks: Iterator[NDArray[np.float32]]

    def read(self, frames: int, *, dtype: str, always_2d: bool) -> NDArray[np.float32]:
        return next(self.blocks)


@dataclass(frozen=True)
class _PlainWav:
    """Reads 16-bit PCM from the current position of a WAV file."""

    file: BinaryIO
    channels: int

    def read(self, frames: int, *, dtype: str, always_2d: bool) -> NDArray[np.float32]:
        content = self.file.read(frames * self.channels * 2)
        whole = len(content) // (2 * self.channels) * self.channels
        samples = np.frombuffer(content, "<i2", whole).reshape(-1, self.channels)
        return samples.astype(np.float32) / np.float32(FULL_SCALE)


@dataclass(frozen=True)
class _WavHeader:
    """The format of a WAV file, and the start and size of its data in bytes."""

    code: int
    channels: int
    rate: int
    frame_bytes: int
    bits: int
    start: int
    size: int


@contextlib.contextmanager
def _open_sound(name: str, where: str) -> Iterator[_Opened]:
    shown = _shown(name, where)
    with open_content(name, "audio", shown) as file:
        try:
            with _opened(file, shown) as sound:
                sound.check()
                yield sound
        except OSError as error:
            raise BadCellError(
                "unreadable", f"{shown}: cannot be read: {fault_of(error)}"
            ) from error


@contextlib.contextmanager
def _opened(file: BinaryIO, shown: str) -> Iterator[_Opened]:
    kind = _kind(file, shown)
    if kind == "WAV":
        header = _wav_header(file, shown)
        if (header.code, header.bits, header.frame_bytes) == (PCM, 16, 2 * header.channels):
            file.seek(header.start)
            frames = header.size // max(1, header.frame_bytes)
            plain = _PlainWav(file, header.channels)
            yield _Opened(shown, header.rate, frames, header.channels, plain)
            return
    fault = ""
    if kind == "Ogg" and not _ogg_ends(file):
        fault = "cut off: the last page of its Ogg stream is missing"
    elif kind == "MP3" and not has_all_bytes(file):
        fault = "cut off: it is shorter than its Xing header states"
    if fault:
        raise BadCellError("unreadable", f"{shown}: {fault}; {REWRITE}")
    whole = with_length(file) if kind == "MP3" else file
    whole.seek(0)
    with _decoded(whole, kind, shown) as sound:
        yield sound


@contextlib.contextmanager
def _decoded(file: BinaryIO, kind: str, shown: str) -> Iterator[_Opened]:
    """Open a file with soundfile."""
    soundfile = _soundfile(f"{shown}: this {kind} file")
    try:
        with soundfile.SoundFile(file) as sound:
            if sound.format not in FORMATS[kind]:
                raise BadCellError("unreadable", f"{shown}: {sound.format}, {EXPECTED}")
            yield _Opened(shown, sound.samplerate, sound.frames, sound.channels, sound)
    except soundfile.LibsndfileError as error:
        fault = one_line(error.error_string.removeprefix("Error : ").rstrip(". \n"))
        message = f"{shown}: damaged {kind} file ({fault or error.code}); {REWRITE}"
        raise BadCellError("unreadable", message) from error


def _kind(file: BinaryIO, shown: str) -> str:
    """Return the kind of a file according to its first bytes, not its name."""
    start = file.read(12)
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        return "WAV"
    if start[:4] in (b"fLaC", b"OggS"):
        return "FLAC" if start[:4] == b"fLaC" else "Ogg"
    if start[:3] == b"ID3" or (start[:1] == b"\xff" and start[1:2] >= b"\xe0"):
        return "MP3"
    found = "not a sound file" if start else "an empty file"
    raise BadCellError("unreadable", f"{shown}: {found}, {EXPECTED}")


def _wav_header(file: BinaryIO, shown: str) -> _WavHeader:
    """Read the header of a WAV file, and check that the file holds all its data."""
    end = file.seek(0, os.SEEK_END)
    position, layout = 12, b""
    for _ in range(MAX_WAV_CHUNKS):
        file.seek(position)
        chunk = file.read(8)
        if len(chunk) < 8:
            break
        name, size = struct.unpack("<4sI", chunk)
        if name == b"fmt ":
            layout = file.read(min(size, 16))
        elif name == b"data" and len(layout) == 16:
            if size > end - position - 8:
                fault = f"{end - position - 8} of the {size} bytes of sound that its header states"
                message = f"{shown}: cut off: the file holds {fault}; {REWRITE}"
                raise BadCellError("unreadable", message)
            code, channels, rate, _, frame_bytes, bits = struct.unpack("<HHIIHH", layout)
            return _WavHeader(code, channels, rate, frame_bytes, bits, position + 8, size)
        position += 8 + size + size % 2
    message = f"{shown}: damaged WAV file (no sound follows its header); {REWRITE}"
    raise BadCellError("unreadable", message)


def _ogg_ends(file: BinaryIO) -> bool:
    """Return whether an Ogg file ends with a complete last page (RFC 3533, section 6)."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - MAX_OGG_PAGE))
    tail = file.read(MAX_OGG_PAGE)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or not page[5] & 4:
        return False
    sizes = page[27 : 27 + page[26]]
    return len(page) >= 27 + page[26] + sum(sizes)


def _resample(samples: NDArray[np.float32], sound: _Opened, rate: int) -> NDArray[np.float32]:
    try:
        import soxr
    except ImportError as error:
        raise MissingExtraError(
            f"{sound.shown}: resampling it from {sound.rate} to {rate} Hz needs soxr, which is not "
            'installed: pip install "s2scli[speech]"'
        ) from error
    resampled: NDArray[np.float32] = soxr.resample(samples, sound.rate, rate, quality="HQ")
    return resampled


def _peak(samples: NDArray[np.float32]) -> float:
    return float(np.abs(samples).max(initial=0.0))


def _soundfile(what: str) -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: libsndfile itself is missing
        raise MissingExtraError(
            f'{what} needs soundfile, which is not installed: pip install "s2scli[speech]"'
        ) from error
    return soundfile


def _seconds(sound: _Opened) -> str:
    if not sound.frames:
        return "no samples"
    return f"{sound.frames / sound.rate:.6g} seconds of sound"


def _shown(name: str, where: str) -> str:
    """Return a name for messages: short, printable and on one line."""
    text = one_line(name.encode("utf-8", "replace").decode())
    if is_uri(name) and len(text) > 40:
        text = f"{text[:37]}..."
    if len(text) > MAX_SHOWN:
        text = f"...{text[-MAX_SHOWN:]}"
    return f"{where}: {text or 'no file'}" if where else text or "no file"
