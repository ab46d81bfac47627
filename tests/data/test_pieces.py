import gzip
import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.data import pieces
from s2scli.data.lines import TextFile, open_text
from s2scli.data.pieces import Dealer, Piece, PieceReader
from s2scli.errors import CorpusError, MissingInputError

LIMIT = 50
TEXT = b"".join(f"line {number}\n".encode() for number in range(40)) + b"the last one"
LINES = st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b"")), min_size=1)


def all_of(file: TextFile, size: int, head: bytes = b"") -> list[Piece]:
    reader = PieceReader(file, LIMIT)
    return list(iter(lambda: reader.of_size(size, head), None))


def read(piece: Piece) -> list[bytes | None]:
    with piece.open() as file:
        lines = list(file.lines(LIMIT))
        piece.require_unchanged(file)
        return lines


@given(LINES, st.integers(1, 100), st.sampled_from([b"", b"\n"]))
def test_the_pieces_of_a_stream_are_its_lines_in_order(
    lines: list[bytes], size: int, end: bytes
) -> None:
    text = b"x\n" + b"\n".join(lines) + end
    found = all_of(TextFile(Path("f"), io.BytesIO(text)), size)
    assert b"".join(piece.content for piece in found) == text
    assert [piece.number for piece in found] == list(range(len(found)))
    assert sum(piece.lines for piece in found) == len(text.removesuffix(b"\n").split(b"\n"))
    assert all(len(piece.content) >= size for piece in found[:-1])


@pytest.mark.parametrize("size", [1, 30, 200, 10_000])
def test_a_file_and_its_compressed_form_have_the_same_pieces(tmp_path: Path, size: int) -> None:
    plain, packed = tmp_path / "f.tsv", tmp_path / "f.tsv.gz"
    plain.write_bytes(TEXT)
    packed.write_bytes(gzip.compress(TEXT))
    with open_text(plain) as one, open_text(packed) as other:
        spans, contents = all_of(one, size, b"head\n"), all_of(other, size, b"head\n")
    assert [piece.sha256 for piece in spans] == [piece.sha256 for piece in contents]
    assert [piece.lines for piece in spans] == [piece.lines for piece in contents]
    assert [read(piece) for piece in spans] == [read(piece) for piece in contents]
    assert {piece.content for piece in spans} == {b""}
    expected = [line for piece in spans for line in read(piece)[1:]]
    assert expected == TEXT.split(b"\n")


def test_the_rest_of_a_line_that_is_too_long_is_not_held() -> None:
    text = b"a\n" + b"x" * 10_000 + b"\nb\n"
    first, second = all_of(TextFile(Path("f"), io.BytesIO(text)), 10)
    assert len(first.content) <= 10 + LIMIT + 1
    assert read(first) == [b"a", None]
    assert (read(second), first.lines, second.lines) == ([b"b"], 2, 1)


@pytest.mark.parametrize("length", [46, 49, 50, 53, 54, 60, 10_000])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b"a\n"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\nb\n"])
def test_nor_is_it_in_a_piece_of_so_many_lines(
    monkeypatch: pytest.MonkeyPatch, start: bytes, length: int, end: bytes
) -> None:
    monkeypatch.setattr(pieces, "BLOCK_BYTES", 7)
    text = start + b"x" * length + end
    found = PieceReader(TextFile(Path("f"), io.BytesIO(text)), LIMIT).of_lines(3)
    assert found is not None
    assert len(found.content) <= len(start) + LIMIT + 20
    assert read(found) == list(TextFile(Path("f"), io.BytesIO(text)).lines(LIMIT))
    assert found.lines == len(read(found))


def test_a_piece_that_is_just_full_is_whole() -> None:
    text = b"a\n" + b"x" * 58 + b"\nb\n"  # as much as is held of the first piece, 10 + 50 + 1
    first, second = all_of(TextFile(Path("f"), io.BytesIO(text)), 10)
    assert first.content + second.content == text
    assert (read(first), read(second)) == ([b"a", None], [b"b"])


def test_reading_does_not_depend_on_the_size_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = all_of(TextFile(Path("f"), io.BytesIO(TEXT)), 30)
    monkeypatch.setattr(pieces, "BLOCK_BYTES", 7)
    assert all_of(TextFile(Path("f"), io.BytesIO(TEXT)), 30) == expected


def test_a_file_that_changes_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "f.tsv"
    path.write_bytes(TEXT)
    with open_text(path) as file:
        (piece,) = all_of(file, 10_000)
    assert piece.sha256 == hashlib.sha256(TEXT).hexdigest()
    path.write_bytes(TEXT.replace(b"7", b"8"))
    with pytest.raises(CorpusError, match=r"f\.tsv: has changed since it was opened"):
        read(piece)
    path.unlink()
    with pytest.raises(MissingInputError, match=r"f\.tsv: cannot be read"):
        read(piece)


def dealt(texts: tuple[bytes, ...]) -> Iterator[tuple[Piece, ...]]:
    files = [TextFile(Path(name), io.BytesIO(text)) for name, text in zip("ab", texts, strict=True)]
    return iter(Dealer(files, LIMIT).deal, None)


@given(st.lists(st.text("xyz", max_size=30), min_size=1))
def test_parallel_pieces_have_the_same_lines(targets: list[str]) -> None:
    sources = [str(number) for number in range(len(targets))]
    texts = "\n".join(sources).encode(), "\n".join(targets).encode() + b"\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE_BYTES", 20)
        found = list(dealt(texts))
    assert [source.lines for source, _ in found] == [target.lines for _, target in found]
    assert sum(source.lines for source, _ in found) == len(targets)
    for side, text in enumerate(texts):
        assert b"".join(pair[side].content for pair in found) == text


@pytest.mark.parametrize(("sources", "targets"), [(9, 8), (9, 3), (8, 9), (4, 40), (40, 4)])
def test_files_with_different_numbers_of_lines_are_refused(
    monkeypatch: pytest.MonkeyPatch, sources: int, targets: int
) -> None:
    monkeypatch.setattr(pieces, "PIECE_BYTES", 6)
    with pytest.raises(CorpusError, match=f"a has {sources} lines but b has {targets}; line k"):
        list(dealt((b"x\n" * sources, b"y\n" * targets)))


def test_an_empty_file_has_one_empty_piece() -> None:
    (pair,) = dealt((b"", b""))
    assert [(piece.lines, piece.content) for piece in pair] == [(0, b""), (0, b"")]
