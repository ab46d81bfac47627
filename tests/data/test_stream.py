import io
import itertools
import os
import queue
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data import stream
from s2scli.data.stream import (
    Line,
    LineSplitter,
    ParagraphReader,
    StreamSettings,
    read_windows,
)
from s2scli.errors import CorpusError, MissingInputError


def lines_of(*blocks: bytes) -> list[Line]:
    splitter = LineSplitter("f")
    lines = [line for block in blocks for line in splitter.feed(block)]
    return lines + list(splitter.finish())


def texts_of(path: Path, settings: StreamSettings | None = None) -> list[list[str]]:
    windows = read_windows(path, settings or StreamSettings())
    return [[line.text for line in window] for window in windows]


@given(st.lists(st.binary(max_size=20)))
def test_lines_are_what_newlines_make_of_them_wherever_blocks_end(blocks: list[bytes]) -> None:
    data = b"".join(blocks)
    expected = data.split(b"\n")
    if not expected[-1]:
        expected.pop()
    found = lines_of(*blocks)
    assert found == lines_of(data)
    assert len(found) == len(expected)
    for number, (line, piece) in enumerate(zip(found, expected, strict=True), 1):
        text = piece.removesuffix(b"\r")
        if number == 1:
            text = text.removeprefix(b"\xef\xbb\xbf")
        assert line.text == text.decode(errors="replace")
        assert line.where == f"f, line {number}"


def test_only_newlines_end_lines() -> None:
    text = "a\rb\x0bc\x0cd\x1ce\x85f\u2028g\u2029h"
    assert [line.text for line in lines_of(text.encode() + b"\r\r\nlast")] == [text + "\r", "last"]


def test_a_mark_is_stripped_once_and_only_from_the_first_line() -> None:
    mark = "\ufeff"
    found = lines_of(f"{mark}{mark}a\n{mark}b".encode())
    assert [line.text for line in found] == [f"{mark}a", f"{mark}b"]


def test_the_first_bad_byte_is_named() -> None:
    (line,) = lines_of(b"ab\xff\xfe")
    assert line == Line("f", 1, "ab\ufffd\ufffd", bad_byte=3)


def test_an_endless_line_keeps_its_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "LINE_BYTES", 5)
    first, second = lines_of(b"abc", b"d\xc3\xa4f", b"g" * 100, b"\nabcde")
    assert first == Line("f", 1, "abcd", cut=True)  # the two-byte letter did not fit
    assert second == Line("f", 2, "abcde")


def test_a_window_ends_when_it_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a\nb\nc\nd\ne")
    assert texts_of(path, StreamSettings(window=2)) == [["a", "b"], ["c", "d"], ["e"]]
    monkeypatch.setattr(stream, "WINDOW_CHARACTERS", 3)
    path.write_bytes(b"aa\nb\ncccc\nd\n")
    assert texts_of(path) == [["aa", "b"], ["cccc"], ["d"]]


@pytest.mark.parametrize("data", [b"", b"\n", b"\n\n", b"a\n\nb"])
def test_no_line_too_few_or_too_many(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f").write_bytes(data)
    found = sum(len(window) for window in texts_of(tmp_path / "f"))
    assert found == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def test_gzip_is_read(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "f.gz").write_bytes(gzip.compress(b"a\nb\n") + gzip.compress(b"c\n"))
    assert texts_of(tmp_path / "f.gz") == [["a", "b", "c"]]


def test_what_is_wrong_with_a_file_is_said_where_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        texts_of(tmp_path / "nothing")
    with pytest.raises(CorpusError, match="is a directory"):
        texts_of(tmp_path)


def test_a_strict_reader_refuses_bad_bytes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"good\nb\xe4d\n")
    with pytest.raises(CorpusError, match="f, line 2, byte 2: not UTF-8"):
        texts_of(tmp_path / "f", StreamSettings(strict=True))


def test_good_lines_come_before_a_damage(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "f.gz").write_bytes(gzip.compress(b"one\ntwo\nhalf")[:-8])
    (tmp_path / "f").write_bytes(b"one\ntwo\n\xff\n")
    for name, fault in (("f.gz", "damaged gzip file"), ("f", "line 3, byte 1: not UTF-8")):
        windows = read_windows(tmp_path / name, StreamSettings(strict=True))
        assert [line.text for line in next(windows)] == ["one", "two"]
        with pytest.raises(CorpusError, match=fault):
            next(windows)


def test_a_line_that_came_is_not_kept_waiting_for_the_next(tmp_path: Path) -> None:
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    windows: queue.Queue[list[Line]] = queue.Queue()

    def read() -> None:
        for window in read_windows(fifo, StreamSettings(max_wait=10)):
            windows.put(window)

    reader = threading.Thread(target=read)
    reader.start()
    with fifo.open("wb", buffering=0) as pipe:
        for word in (b"one", b"two"):
            started = time.monotonic()
            pipe.write(word + b"\nunfinished")
            assert windows.get(timeout=10)[0].text.endswith(word.decode())
            assert time.monotonic() - started < 5
    assert [line.text for line in windows.get(timeout=10)] == ["unfinished"]
    reader.join(10)
    assert not reader.is_alive()


def test_memory_does_not_grow_with_the_line(tmp_path: Path) -> None:
    import tracemalloc

    splitter = LineSplitter("f")
    block = io.BytesIO(b"x" * (1 << 16)).getvalue()
    tracemalloc.start()
    for _ in range(1600):  # 100 MB without a line end
        assert list(splitter.feed(block)) == []
    (line,) = splitter.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert line.cut and len(line.text) == stream.LINE_BYTES
    assert peak < 6 * stream.LINE_BYTES


class Arriving:
    """Lines that arrive one by one; None is a pause, after which no line has come in time."""

    def __init__(self, *texts: str | None) -> None:
        self.texts = list(texts)

    def get(self, block: bool = True, timeout: float | None = None) -> Line | None:
        if not self.texts:
            return None
        text = self.texts.pop(0)
        if text is None:
            raise queue.Empty
        return Line("f", 9 - len(self.texts), text, bad_byte=len(text) // 3, cut=text == "cut")


def test_the_lines_of_a_paragraph_are_one() -> None:
    reader = ParagraphReader(Arriving("a", "bcd", "", " ", "e", "cut"))
    first, *blank, last, end = (reader.get() for _ in range(5))
    assert first == Line("f", 4, "a\nbcd", bad_byte=1)
    assert [line and line.text for line in blank] == ["", " "]
    assert last == Line("f", 8, "e\ncut", bad_byte=1, cut=True)
    assert end is reader.get() is None


def test_a_paragraph_may_arrive_slowly() -> None:
    reader = ParagraphReader(Arriving("a", None, "b", "", "c"))
    with pytest.raises(queue.Empty):
        reader.get(timeout=1)
    texts = [line.text for line in iter(reader.get, None) if line]
    assert texts == ["a\nb", "", "c"]


def test_a_paragraph_with_an_error_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"first\n\na\nb\nbad \xff\nc\n")
    windows = read_windows(tmp_path / "f", StreamSettings(unit="document", strict=True))
    assert [line.text for line in next(windows)] == ["first", ""]
    with pytest.raises(CorpusError, match="line 5, byte 5: not UTF-8"):
        next(windows)


def test_a_document_is_read_by_paragraph(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a\nb\n\n\nc\n")
    found = texts_of(tmp_path / "f", StreamSettings(unit="document"))
    assert list(itertools.chain(*found)) == ["a\nb", "", "", "c"]
