import bz2
import gzip
import hashlib
import io
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data.lines import (
    COMPRESSED,
    STDIN,
    BadLineError,
    TextFile,
    decode_line,
    has_columns,
    line_limit,
    open_text,
)
from s2scli.errors import CorpusError, MissingInputError

LIMIT = 100


def read(path: Path, limit: int = LIMIT) -> list[bytes | None]:
    with open_text(path) as file:
        return list(file.lines(limit))


def written(folder: Path, data: bytes, name: str = "corpus.tsv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\r", b""))))
def test_lines_are_split_at_newlines_only(lines: list[bytes]) -> None:
    data = b"x\n" + b"".join(line + b"\n" for line in lines)
    assert list(TextFile(Path("f"), io.BytesIO(data)).lines(LIMIT)) == [b"x", *lines]


def test_line_ends_of_windows_and_a_missing_last_one(tmp_path: Path) -> None:
    assert read(written(tmp_path, b"a\r\nb\n\nc\rd\re\r\n\r\nf")) == [
        *(b"a", b"b", b"", b"c\rd\re", b"", b"f")
    ]


def test_a_byte_order_mark_is_dropped_at_the_start_only(tmp_path: Path) -> None:
    mark = "\ufeff".encode()
    assert read(written(tmp_path, mark + b"a\n" + mark + b"b\n")) == [b"a", mark + b"b"]


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1, 3 * LIMIT, 3 * LIMIT + 1])
def test_a_line_over_the_limit_is_none_and_the_next_is_whole(tmp_path: Path, size: int) -> None:
    lines = read(written(tmp_path, b"a\n" + b"x" * size + b"\nb\n"))
    assert lines == [b"a", b"x" * size if size < LIMIT else None, b"b"]


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1])
def test_a_last_line_over_the_limit_without_an_end(tmp_path: Path, size: int) -> None:
    lines = read(written(tmp_path, b"a\n" + b"x" * size))
    assert lines == [b"a", b"x" * size if size < LIMIT else None]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_the_first_lines_are_seen_before_they_are_read(
    tmp_path: Path, compress: Callable[[bytes], bytes]
) -> None:
    data = b"\xef\xbb\xbf\r\n \n\tx\ny\n"
    with open_text(written(tmp_path, compress(data))) as file:
        assert file.first_lines() == [b"\tx", b"y"]
        assert list(file.lines(LIMIT)) == [b"", b" ", b"\tx", b"y"]


def test_the_first_lines_of_a_damaged_file(tmp_path: Path) -> None:
    with (
        open_text(written(tmp_path, gzip.compress(b"x" * 99, mtime=0)[:11])) as file,
        pytest.raises(CorpusError, match="damaged gzip file"),
    ):
        file.first_lines()


@pytest.mark.parametrize(
    ("lines", "expected"),
    [([], False), ([b"a"], False), ([b"a\tb"], True), ([b"a", b"\t"], False), ([b"\t"] * 2, True)],
)
def test_lines_have_columns_if_most_hold_a_tab(lines: list[bytes], expected: bool) -> None:
    assert has_columns(lines) is expected


def test_gzip_is_known_by_its_content_with_all_its_members(tmp_path: Path) -> None:
    data = gzip.compress(b"a\n", mtime=0) + gzip.compress(b"b\n", mtime=0)
    assert (
        read(written(tmp_path, data, "a.gz"))
        == read(written(tmp_path, data, "a"))
        == [*(b"a", b"b")]
    )


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_compressed_file_is_known_by_its_content(tmp_path: Path, kind: str) -> None:
    pack = PACKERS[kind]
    suffix = next(suffix for suffix, name in COMPRESSED.items() if name == kind)
    data = pack(b"a\n") + pack(b"b\n" * 9000)
    for name in ("a", f"a.tsv{suffix}"):
        assert read(written(tmp_path, data, name)) == [b"a", *[b"b"] * 9000]
    with open_text(tmp_path / f"a.tsv{suffix}") as file:
        assert file.ending == ".tsv"
        assert file.first_lines()[:1] == [b"a"]
        with pytest.raises(CorpusError, match=f"compressed with {kind}; unpack it first"):
            _ = file.plain_path
    assert read(written(tmp_path, pack(b"x" * 1_000_000))) == [None]
    for broken in (data[:-9], data[: len(data) // 2], data[:12]):
        with pytest.raises(CorpusError, match=rf"a\.x: damaged {kind} file \(.+\)"):
            read(written(tmp_path, broken, "a.x"))
    with pytest.raises(CorpusError, match=f"not a {kind} file, though its name ends in {suffix}"):
        read(written(tmp_path, b"a\n", f"a{suffix}"))


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_damaged_second_stream_is_not_the_end(tmp_path: Path, kind: str) -> None:
    pack = PACKERS[kind]
    first, second = pack(b"a\n"), pack(b"b\n" * 9)
    for broken in (b"\xff" + second[1:], second[:-9], b"rubbish"):
        with pytest.raises(CorpusError, match=rf"a: damaged {kind} file \(.+\)"):
            read(written(tmp_path, first + broken, "a"))


@pytest.mark.parametrize("zeros", [0, 4, 300_000])
@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_zeros_may_follow_a_stream(tmp_path: Path, kind: str, zeros: int) -> None:
    pack = PACKERS[kind]
    data = (pack(b"a\n" * 3) + bytes(zeros)) * 2
    assert read(written(tmp_path, data, "a")) == [b"a"] * 6


def test_a_frame_of_zstd_that_holds_no_text_is_skipped(tmp_path: Path) -> None:
    skipped = b"\x5f\x2a\x4d\x18" + (3).to_bytes(4, "little") + b"xyz"
    data = skipped + zstd(b"a\n") + skipped + zstd(b"b\n")
    assert read(written(tmp_path, data, "a.zst")) == [b"a", b"b"]


def test_the_hash_is_that_of_the_file_as_it_is(tmp_path: Path) -> None:
    data = gzip.compress(b"a\nb\n" * 1000, mtime=0)
    with open_text(written(tmp_path, data, "a.gz")) as file:
        assert len(list(file.lines(LIMIT))) == 2000
        assert file.sha256 == hashlib.sha256(data).hexdigest()


def test_stdin_is_read_for_a_dash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a\nb\n")))
    assert read(STDIN) == [b"a", b"b"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.tsv", b"", "a.tsv: the file is empty"),
        ("a.gz", b"", "a.gz: the file is empty"),
        ("a.gz", gzip.compress(b"", mtime=0), "a.gz: the file is empty"),
        ("a.tsv", b"\xff\xfea\0", "looks like UTF-16.*iconv -f utf-16"),
        ("a.tsv", b"\xfe\xff\0a", "looks like UTF-16"),
        ("a.tsv", "\ufeffa\tb\n".encode("utf-32-le"), "looks like UTF-32.*iconv -f utf-32"),
        ("a.tsv", "\ufeffa\tb\n".encode("utf-32-be"), "looks like UTF-32"),
        ("a.tsv", b"a\tb\rc\td\r", "line 1: old Mac line ends"),
        ("a.gz", b"a\tb\n", "not a gzip file"),
        ("a.gz", gzip.compress(b"a\tb\n" * 99, mtime=0)[:-9], "damaged gzip file"),
        ("a.gz", gzip.compress(b"a\tb\n", mtime=0) + b"rubbish", "damaged gzip file"),
        ("a.gz", gzip.compress(b"a\tb\n" * 99, mtime=0)[:20] + b"\xff" * 20, "damaged gzip file"),
    ],
)
def test_a_file_that_is_no_text_is_an_error(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    path = written(tmp_path, data, name)
    with pytest.raises(CorpusError, match=message):
        read(path)


def test_a_missing_file_and_a_directory_are_errors(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no such file"):
        read(tmp_path / "none.tsv")
    with pytest.raises(CorpusError, match="is a directory"):
        read(tmp_path)


def refuse(path: Path, *args: object, **options: object) -> None:
    raise PermissionError(13, os.strerror(13), str(path))


def test_a_file_without_permission_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, b"a\tb\n")
    monkeypatch.setattr(Path, "open", refuse)  # root may read everything, so mode 000 is no test
    with pytest.raises(MissingInputError, match=r"corpus.tsv: cannot be read: permission denied"):
        read(path)


class FailingDisk(io.BytesIO):
    def read1(self, size: int | None = -1) -> bytes:
        if self.tell() > 0:
            raise OSError(5, "Input/output error")
        return super().read1(4)


def test_a_disk_that_fails_is_an_error() -> None:
    with pytest.raises(CorpusError, match="f: cannot be read: Input/output error"):
        list(TextFile(Path("f"), FailingDisk(b"a\nb\nc\nd\n")).lines(LIMIT))


def test_bad_bytes_are_named_with_their_position() -> None:
    with pytest.raises(BadLineError, match=r"byte 4 \(0xE4\) is not UTF-8") as bad:
        decode_line(b"abc\xe4d")
    assert bad.value.reason == "not_utf8"
    with pytest.raises(BadLineError, match="byte 2 is NUL") as bad:
        decode_line(b"a\0")
    assert bad.value.reason == "nul_byte"


def test_every_line_of_two_longest_sides_is_within_the_limit() -> None:
    side = "\U0001f600" * 1_000_000
    assert line_limit(1_000_000) > len(f"{side}\t{side}\r\n".encode())
