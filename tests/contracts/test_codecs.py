"""The contract of every codec, of its front ends, and of the store that keeps what it read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from s2scli.data.codecs import SourceCodec, TargetCodec, source_codec, target_codec
from s2scli.data.codecs.cell import BadCellError, Stored
from s2scli.data.codecs.image import ImageCodec, columns_of, pixels_of
from s2scli.data.codecs.picture_files import data_uri, encode_png
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.data.example import Example, Values
from s2scli.data.store import BatchWriter, TextSplit, batch_rows, schema_of
from s2scli.model.frontend.audio import AudioFrontendSettings
from s2scli.model.frontend.image import ImageFrontendSettings
from s2scli.model.frontend.tokens import TokenFrontendSettings
from s2scli.sides import Input, Picture, Sides, Sound
from s2scli.special_ids import EOS_ID
from s2scli.tokenizer.pictures import Bits, Codebook, learn_codebook
from s2scli.tokenizer.tokenizers import Source, Target
from tests.folders import letters_of

RATE = 8000
SOUND, GREY, COLOR = Sound(RATE), Picture(8, None, 1), Picture(8, None, 3)
TEXT = letters_of(["abc def. g"] * 9).texts[0]
FIXED = Picture(8, 12, 3)


def sounds() -> list[Values]:
    random = np.random.default_rng(0)
    return [random.integers(-9000, 9000, size).astype(np.int16) for size in (2500, 900, 5001, 1600)]


def pictures(shape: Picture, *widths: int) -> list[NDArray[np.uint8]]:
    """Return random pixels, [H, W, C]."""
    random = np.random.default_rng(1)
    sizes = [(shape.height, width, shape.channels) for width in widths]
    return [random.integers(0, 256, size).astype(np.uint8) for size in sizes]


def stored(values: Sequence[Values]) -> list[str]:
    return [Stored(f"cell {number}", one) for number, one in enumerate(values)]


@dataclass(frozen=True)
class Case:
    """A source, a few of its cells, and settings of front ends that read it."""

    source: Source
    reads: Input
    cells: Sequence[str]
    front_ends: tuple[Any, ...]

    @property
    def codec(self) -> SourceCodec:
        return source_codec(self.source)

    def values(self) -> list[Values]:
        return [self.codec.encode(cell) for cell in self.cells]


def columns(shape: Picture) -> list[str]:
    return stored([columns_of(pixels) for pixels in pictures(shape, 9, 3, 16, 1)])


IMAGES = (
    ImageFrontendSettings(embedding_dim=6),
    ImageFrontendSettings(embedding_dim=6, patch_height=3, patch_width=5),
    ImageFrontendSettings(embedding_dim=6, layout="columns", conv_dim=4),
    ImageFrontendSettings(embedding_dim=6, layout="columns", conv_dim=4, stride=2),
)
AUDIOS = (
    AudioFrontendSettings(embedding_dim=6, bands=8, channels=2),
    AudioFrontendSettings(embedding_dim=6, bands=8, subsampling="pyramid"),
)
CASES = {
    "text": Case(
        TEXT,
        TEXT.vocab_size,
        ["abc def.", "a", "def. abc abc", "g"],
        (TokenFrontendSettings(embedding_dim=6),),
    ),
    "audio": Case(SOUND, SOUND, stored(sounds()), AUDIOS),
    "grey pictures": Case(GREY, GREY, columns(GREY), IMAGES),
    "color pictures": Case(COLOR, COLOR, columns(COLOR), IMAGES),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def all_front_ends() -> Iterator[Any]:
    for name, case in CASES.items():
        for number, settings in enumerate(case.front_ends):
            yield pytest.param(case, settings, id=f"{name}-{number}")


each_front_end = pytest.mark.parametrize(("case", "settings"), [*all_front_ends()])


def build(settings: Any, reads: Input) -> Any:
    torch.manual_seed(0)
    front_end: nn.Module = settings.build(reads, 0)
    return front_end.eval()


def longer(batch: Tensor, extra: int) -> Tensor:
    """Pad a batch more, with zeros."""
    return torch.cat([batch, batch.new_zeros(len(batch), extra, *batch.shape[2:])], dim=1)


@each_front_end
def test_neither_padding_nor_other_rows_change_a_row(case: Case, settings: Any) -> None:
    front_end = build(settings, case.reads)
    batch, lengths = case.codec.pad(case.values())
    with torch.no_grad():
        for extra in (0, 1, 50):
            vectors, positions = front_end.read(longer(batch, extra), lengths)
            for values, row, count in zip(case.values(), vectors, positions.tolist(), strict=True):
                [alone], [length] = front_end.read(*case.codec.pad([values]))
                assert length == count == len(alone)
                torch.testing.assert_close(row[:count], alone, atol=1e-4, rtol=1e-4)


@each_front_end
def test_positions_are_the_lengths_of_the_vectors(case: Case, settings: Any) -> None:
    front_end = build(settings, case.reads)
    batch, lengths = case.codec.pad(case.values())
    vectors, positions = front_end.read(batch, lengths)
    assert front_end.positions(lengths).tolist() == positions.tolist()
    assert vectors.shape == (len(batch), int(positions.max()), front_end.output_dim)
    assert vectors.dtype == torch.float32


@each_front_end
def test_every_encoder_state_has_a_label(case: Case, settings: Any) -> None:
    front_end = build(settings, case.reads)
    for values in case.values():
        positions = int(front_end.positions(torch.tensor([case.codec.length(values)])))
        labels = case.codec.labels(values, positions)
        assert len(labels) == positions
        assert all(isinstance(label, str) and label for label in labels)


@each_case
def test_a_padded_batch_holds_its_rows_and_zeros(case: Case) -> None:
    values = case.values()
    batch, lengths = case.codec.pad(values)
    assert lengths.tolist() == [case.codec.length(one) for one in values]
    assert batch.shape[:2] == (len(values), int(lengths.max()))
    for one, row, length in zip(values, batch, lengths.tolist(), strict=True):
        assert row[: len(one)].tolist() == one.tolist()
        assert not row[length:].any()
        assert length - len(one) in (0, 1) and (row[len(one) : length] == EOS_ID).all()


@each_case
def test_sizes_are_about_the_encoder_states_of_the_default_front_end(case: Case) -> None:
    front_end = build(case.front_ends[0], case.reads)
    values = case.values()
    lengths = np.array([len(one) for one in values], np.int32)
    sizes = case.codec.sizes(lengths)
    assert sizes.dtype == np.int32 and (sizes > 0).all()
    positions = front_end.positions(torch.tensor([case.codec.length(one) for one in values]))
    for size, count in zip(sizes.tolist(), positions.tolist(), strict=True):
        assert size / 2 <= count <= 2 * size
    ordered = case.codec.sizes(np.sort(lengths))
    assert (np.diff(ordered) >= 0).all()


def size_of(case: Case, cell: str) -> int:
    length = np.array([len(case.codec.encode(cell))], np.int32)
    return int(case.codec.sizes(length)[0])


@each_case
@pytest.mark.parametrize("most", [4, 7])
def test_the_beginning_of_a_cell_fits(case: Case, most: int) -> None:
    for cell, values in zip(case.cells, case.values(), strict=True):
        begins = case.codec.encode(case.codec.truncate(cell, most))
        assert begins.tolist() == values[: len(begins)].tolist()
        assert size_of(case, case.codec.truncate(cell, most)) <= most
        if size_of(case, cell) <= most:
            assert len(begins) == len(values)


@pytest.mark.parametrize("name", ["text", "audio"])
@pytest.mark.parametrize("most", [4, 7])
def test_the_parts_of_a_cell_fit(name: str, most: int) -> None:
    case = CASES[name]
    for cell in case.cells:
        parts = case.codec.parts(cell, most)
        assert parts and all(size_of(case, part) <= most for part in parts)


@pytest.mark.parametrize("name", ["grey pictures", "color pictures"])
def test_a_picture_has_no_parts(name: str) -> None:
    with pytest.raises(
        BadCellError, match="too large for the model, which accepts at most 3 patches"
    ):
        CASES[name].codec.parts(CASES[name].cells[0], 3)


@each_case
def test_what_is_stored_is_read_back(case: Case, tmp_path: Path) -> None:
    sides = Sides(source=None if isinstance(case.reads, int) else case.reads)
    examples = [Example(cell, "word", line) for line, cell in enumerate(case.cells, 1)]
    path = tmp_path / "train.arrow"
    with BatchWriter(path, schema_of(sides)) as writer:
        for batch in batch_rows(examples, sides):
            writer.write(batch)
    split = TextSplit(path, sides)
    assert list(split) == examples == [split[index] for index in range(len(split))]
    for cells in (split.sources(), [split[index].source for index in range(len(split))]):
        found = [case.codec.encode(cell) for cell in cells]
        assert [one.tolist() for one in found] == [one.tolist() for one in case.values()]
        assert [one.dtype for one in found] == [one.dtype for one in case.values()]


@each_case
def test_only_text_has_unknown_tokens(case: Case) -> None:
    assert [case.codec.unknown(values) for values in case.values()] == [0] * len(case.cells)
    if case.source is TEXT:
        assert case.codec.unknown(case.codec.encode("a犬b")) == 1


def test_a_sound_file_is_read_as_its_samples(tmp_path: Path) -> None:
    codec = CASES["audio"].codec
    for values in sounds():
        (tmp_path / "a.wav").write_bytes(encode_wav(values, RATE))
        assert codec.encode(str(tmp_path / "a.wav")).tolist() == values.tolist()


@pytest.mark.parametrize("shape", [GREY, COLOR], ids=["grey", "color"])
def test_a_picture_file_is_read_as_its_pixels(shape: Picture, tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    for pixels in pictures(shape, 9, 1):
        (tmp_path / "a.png").write_bytes(encode_png(pixels))
        for cell in (str(tmp_path / "a.png"), data_uri(pixels)):
            values = ImageCodec(shape).encode(cell)
            assert (pixels_of(values, shape) == pixels).all()


def black_and_white() -> list[NDArray[np.uint8]]:
    return [(pixels > 127).astype(np.uint8) * 255 for pixels in pictures(GREY, 12, 12, 12)]


TARGETS: dict[str, tuple[Target, Sequence[str]]] = {
    "text": (TEXT, ["abc def.", "", "g g"]),
    "bits": (
        Bits(height=8, width=12),
        stored([columns_of(pixels) for pixels in black_and_white()]),
    ),
    "codebook": (
        learn_codebook(pictures(FIXED, 12, 12), size=64),
        stored([columns_of(pixels) for pixels in pictures(FIXED, 12, 12)]),
    ),
}
each_target = pytest.mark.parametrize(("target", "cells"), TARGETS.values(), ids=TARGETS.keys())


def decoded(codec: TargetCodec, ids: Sequence[int]) -> str:
    """Return what token ids stand for, with or without the end token."""
    cell = codec.decode(ids)
    assert codec.decode([*ids, EOS_ID]) == cell
    return cell


@each_target
def test_what_is_written_is_what_was_read(target: Target, cells: Sequence[str]) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    codec = target_codec(target)
    for cell in cells:
        ids = codec.encode(cell)
        assert ids.dtype == np.int32 and EOS_ID not in ids
        assert all(0 <= id < target.vocab_size for id in ids.tolist())
        written = decoded(codec, ids.tolist())
        assert codec.encode(written).tolist() == ids.tolist()
        if isinstance(cell, Stored):  # these tokenizers lose nothing of these pictures
            assert ImageCodec(picture_of(target)).encode(written).tolist() == cell.values.tolist()
        else:
            assert written == cell


def picture_of(target: Target) -> Picture:
    assert isinstance(target, Bits | Codebook)
    return target.picture


@each_target
def test_every_token_has_a_name(target: Target, cells: Sequence[str]) -> None:
    codec = target_codec(target)
    for cell in cells:
        ids = [*codec.encode(cell).tolist(), EOS_ID]
        pieces = codec.pieces(ids)
        assert len(pieces) == len(ids) and all(pieces) and pieces[-1] == "</s>"
