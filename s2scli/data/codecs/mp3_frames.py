"""MP3 files without a header that states their length: how many frames they hold.

A decoder otherwise guesses the length from the size of the file and the bitrate of its first frame,
which is wrong where the bitrate varies. The layout is that of ISO/IEC 11172-3 and 13818-3, layer
III.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

KILOBITS = {
    1: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = (44100, 48000, 32000)
HEADERS = (b"Xing", b"Info", b"VBRI")
TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN")  # what may follow the frames
MOST = 1500  # bytes; no frame is larger
LAYER_3, MONO, ROOMY = 0b01, 0b11, 9  # ROOMY is the index of a bitrate whose frames have room


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        head: its first 4 bytes.
        size: its size in bytes.
    """

    head: bytes
    size: int


def after_tag(file: BinaryIO) -> int:
    """Return the position of the first frame, after an ID3 tag."""
    file.seek(0)
    tag, start = file.read(10), 0
    if tag[:3] == b"ID3" and len(tag) == 10:
        start = 10
        for place, byte in enumerate(tag[:5:-1]):  # the size: 7 bits in each of 4 bytes
            start += (byte & 0x7F) << 7 * place
    return start


def has_all_bytes(file: BinaryIO) -> bool:
    """Return whether a file has all bytes stated in its Xing header; True without one."""
    end, start = file.seek(0, io.SEEK_END), after_tag(file)
    file.seek(start)
    frame = file.read(64)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if place < 0 or len(frame) < place + 16:
        return True
    flags, first, second = struct.unpack(">III", frame[place + 4 : place + 16])
    stated: int = second if flags & 1 else first  # flag 1: the number of frames comes first
    return not flags & 2 or end - start >= stated


def with_length(file: BinaryIO) -> BinaryIO:
    """Return a file whose header states the number of its frames.

    A file that has such a header, or whose frames are not all in one piece, is returned as it is.
    """
    start = after_tag(file)
    file.seek(start)
    first = file.read(64)
    if any(name in first for name in HEADERS):
        return file
    file.seek(start)
    content = file.read()
    frames = list(read_frames(content))
    rest = content[sum(frame.size for frame in frames) :]
    if not frames or not (len(rest) < MOST or rest.startswith(TAGS)):
        return file
    return io.BytesIO(_xing(frames[0].head, len(frames)) + content)


def read_frames(content: bytes) -> Iterator[Frame]:
    """Yield the whole frames of layer III from the beginning of some bytes to the first other."""
    at = 0
    while (frame := _frame(content[at : at + 4])) and at + frame.size <= len(content):
        yield frame
        at += frame.size


def _frame(head: bytes) -> Frame | None:
    """Return what the first 4 bytes of a frame say; None if they begin none of layer III."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0 or head[1] >> 1 & 3 != LAYER_3:
        return None
    version, bitrate, rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:  # reserved, or without a fixed size
        return None
    kind = 1 if version == 3 else 2
    hertz = RATES[rate] >> {3: 0, 2: 1, 0: 2}[version]
    size = 144_000 // kind * KILOBITS[kind][bitrate] // hertz + (head[2] >> 1 & 1)
    return Frame(head, size)


def _xing(head: bytes, frames: int) -> bytes:
    """Return a silent frame with a Xing header that states the number of frames after it."""
    flags = head[2] & 0b1100 | ROOMY << 4  # the same sample rate, no padding
    start = bytes([head[0], head[1] | 1, flags, head[3]])  # no checksum
    frame = _frame(start)
    assert frame is not None, "a frame with another bitrate is a frame"
    first, mono = head[1] >> 3 & 3 == 3, head[3] >> 6 == MONO
    side = (17 if mono else 32) if first else (9 if mono else 17)  # bytes of side information
    return (start + bytes(side) + b"Xing" + struct.pack(">II", 1, frames)).ljust(frame.size, b"\0")
