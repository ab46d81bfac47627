"""The frames of MP3 files, from bytes made by hand."""

import io

import pytest

from s2scli.data.codecs.mp3_frames import read_frames, with_length

HEAD = b"\xff\xfb\x90\x64"  # layer III of MPEG 1, 128 kbit/s, 44,100 Hz, stereo, no padding
FRAME = HEAD + bytes(413)
PADDED = b"\xff\xfb\x92\x64" + bytes(414)


@pytest.mark.parametrize("rest", [b"", b"TAG" + bytes(125), b"APETAGEX" + bytes(9999), FRAME[:99]])
def test_a_header_in_front_states_the_number_of_frames(rest: bytes) -> None:
    content = FRAME + PADDED + FRAME + rest
    assert [frame.size for frame in read_frames(content)] == [417, 418, 417]
    found = with_length(io.BytesIO(content)).read()
    first, *others = read_frames(found)
    assert found[first.size :] == content and len(others) == 3
    assert found[36:48] == b"Xing\0\0\0\1\0\0\0\3"


@pytest.mark.parametrize(
    "content",
    [
        FRAME[:36] + b"Xing" + FRAME[40:] + FRAME,
        FRAME[:36] + b"VBRI" + FRAME[40:] + FRAME,
        FRAME + b"damage" * 999 + FRAME,
        b"\xff\xfd\x90\x64" + bytes(9999),  # layer II
        b"\xff\xfb\x00\x64" + bytes(9999),  # a bitrate of its own
        b"",
    ],
    ids=["Xing", "VBRI", "damaged", "layer II", "free", "empty"],
)
def test_other_files_are_left_as_they_are(content: bytes) -> None:
    file = io.BytesIO(content)
    assert with_length(file) is file
