"""How the sides of a corpus are chosen by its first files, and how files become cells."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs.cell import Stored, values_of
from s2scli.data.codecs.picture_files import encode_png
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.data.example import Example
from s2scli.data.media import MediaReader, choose_sides
from s2scli.data.rows import Dropped, Notice, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import ConfigError, CorpusError
from s2scli.sides import Picture, Sides, Sound

RATE = 8000


def write_sound(path: Path, seconds: float = 0.1, rate: int = RATE, peak: int = 9000) -> None:
    times = np.arange(round(seconds * rate)) / rate
    samples = peak * np.sin(2 * np.pi * 440 * times)
    path.write_bytes(encode_wav(samples.astype(np.int16), rate))


def write_picture(path: Path, height: int, width: int, channels: int = 1) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels))
    path.write_bytes(encode_png(pixels.astype(np.uint8)))


def rows_of(*pairs: tuple[str, str]) -> list[Row]:
    return [Example(*pair, line) for line, pair in enumerate(pairs, 1)]


def settings_of(**settings: object) -> PrepareSettings:
    return PrepareSettings.model_validate(settings)


def chosen(rows: Iterable[Row], folder: Path | None, **settings: object) -> Sides:
    rows = list(rows)
    sides, again = choose_sides(rows, settings_of(**settings), folder)
    assert list(again) == rows, "no row is lost"
    return sides


def test_text_is_not_looked_at() -> None:
    def rows() -> Iterable[Row]:
        pytest.fail("read")
        yield

    sides, _ = choose_sides(rows(), settings_of(), None)
    assert sides.are_text


@pytest.mark.parametrize(("rate", "expected"), [(8000, 8000), (16_000, 16_000), (44_100, 16_000)])
def test_the_rate_is_that_of_the_first_file_at_most_16000(
    tmp_path: Path, rate: int, expected: int
) -> None:
    write_sound(tmp_path / "a.wav", rate=rate)
    write_sound(tmp_path / "b.wav", rate=1000)
    rows = rows_of(("a.wav", "a"), ("b.wav", "b"))
    assert chosen(rows, tmp_path, source_kind="audio") == Sides(Sound(expected))


def test_a_given_rate_needs_no_file() -> None:
    rows = rows_of(("missing.wav", "a"))
    assert chosen(rows, None, source_kind="audio", sample_rate=4000) == Sides(Sound(4000))


def test_the_first_file_that_can_be_read_decides(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("not a sound")
    write_sound(tmp_path / "c.wav")
    rows = [
        *rows_of(("missing.wav", "a"), ("text.wav", "b")),
        Dropped(3, "columns"),
        Example("c.wav", "c", 4),
    ]
    assert chosen(rows, tmp_path, source_kind="audio") == Sides(Sound(RATE))


def test_files_that_cannot_be_read_are_an_error_that_names_the_first(tmp_path: Path) -> None:
    rows = rows_of(("missing.wav", "a"), ("other.wav", "b"))
    with pytest.raises(CorpusError, match=r"missing\.wav: no such file"):
        chosen(rows, tmp_path, source_kind="audio")
    with pytest.raises(CorpusError, match="there is no row to read"):
        chosen([], tmp_path, source_kind="audio")


def test_paths_are_looked_up_beside_the_table_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, current = tmp_path / "beside", tmp_path / "current"
    for folder, rate in ((beside, 8000), (current, 16_000)):
        folder.mkdir()
        write_sound(folder / "a.wav", rate=rate)
    monkeypatch.chdir(current)
    rows = rows_of(("a.wav", "a"))
    assert chosen(rows, beside, source_kind="audio") == Sides(Sound(8000))
    (beside / "a.wav").unlink()
    assert chosen(rows, beside, source_kind="audio") == Sides(Sound(16_000))
    assert chosen(rows, None, source_kind="audio") == Sides(Sound(16_000))
    assert chosen(rows_of((f"{current}/a.wav", "a")), beside, source_kind="audio") == Sides(
        Sound(16_000)
    )


def test_the_tag_of_a_row_is_kept(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    write_picture(tmp_path / "a.png", 2, 2)
    row = Example("a word", "a.png", 7, group="g", tag="de")
    settings = settings_of(target_kind="image")
    sides = chosen([row], tmp_path, target_kind="image")
    (found,) = MediaReader(sides, settings, tmp_path).read([row])
    assert isinstance(found, Example) and isinstance(found.target, Stored)
    assert (found.source, found.line, found.group, found.tag) == ("a word", 7, "g", "de")


def test_sound_cannot_be_written() -> None:
    with pytest.raises(ConfigError, match="--target-kind audio: s2s writes text and pictures"):
        chosen([], None, target_kind="audio")


@pytest.mark.parametrize(
    ("settings", "source", "target"),
    [
        ({}, Picture(6, None, 3), Picture(6, 10, 3)),
        ({"image_height": 12}, Picture(12, None, 3), Picture(12, 20, 3)),
        ({"image_width": 7}, Picture(6, 7, 3), Picture(6, 7, 3)),
        ({"image_color": False}, Picture(6, None, 1), Picture(6, 10, 1)),
        ({"image_height": 3, "image_width": 2}, Picture(3, 2, 3), Picture(3, 2, 3)),
    ],
)
def test_pictures_are_as_the_first_one_unless_settings_say_otherwise(
    tmp_path: Path, settings: dict[str, object], source: Picture, target: Picture
) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    write_picture(tmp_path / "a.png", 6, 10, 3)
    rows = rows_of(("a.png", "a.png"))
    both = {"source_kind": "image", "target_kind": "image"}
    assert chosen(rows, tmp_path, **both, **settings) == Sides(source, target)
    assert chosen(rows, tmp_path, source_kind="image", **settings) == Sides(source)
    assert chosen(rows, tmp_path, target_kind="image", **settings) == Sides(None, target)


@pytest.mark.parametrize(
    ("height", "width", "settings", "fault"),
    [
        (5000, 1, {}, "a height of 5,000 pixels, expected at most 4,096; give --image-height"),
        (1, 70_000, {}, "a width of 70,000 pixels, expected at most 65,536; give --image-width"),
        (1, 20, {"image_height": 4096}, "a width of 81,920 pixels, .*; give --image-width"),
    ],
)
def test_a_first_picture_that_is_too_large_for_a_corpus_is_refused(
    tmp_path: Path, height: int, width: int, settings: dict[str, object], fault: str
) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    write_picture(tmp_path / "a.png", height, width)
    rows = rows_of(("a word", "a.png"))
    with pytest.raises(CorpusError, match=fault):
        chosen(rows, tmp_path, target_kind="image", **settings)
    given = {**settings, "image_height": 2, "image_width": 3}
    assert chosen(rows, tmp_path, target_kind="image", **given) == Sides(None, Picture(2, 3, 1))


def test_rows_get_the_content_of_their_files(tmp_path: Path) -> None:
    write_sound(tmp_path / "a.wav", 0.1)
    reader = MediaReader(Sides(Sound(RATE)), settings_of(source_kind="audio"), tmp_path)
    (row,) = reader.read(rows_of(("a.wav", "one")))
    assert isinstance(row, Example) and isinstance(row.source, Stored)
    assert row == Example("a.wav", "one", 1), "the text of a cell is its name"
    assert len(values_of(row.source)) == 800 and values_of(row.source).dtype == np.int16
    assert not isinstance(row.target, Stored)


def test_bad_files_are_dropped_by_reason_and_the_first_three_are_named(tmp_path: Path) -> None:
    write_sound(tmp_path / "good.wav")
    write_sound(tmp_path / "long.wav", 2.0)
    write_sound(tmp_path / "short.wav", 0.01)
    write_sound(tmp_path / "silent.wav", peak=0)
    (tmp_path / "text.wav").write_text("not a sound")
    names = ["good", "long", "short", "silent", "text", *(f"missing{n}" for n in range(5)), "good"]
    rows = [*rows_of(*((f"{name}.wav", "a") for name in names)), Dropped(12, "columns")]
    settings = settings_of(source_kind="audio", max_seconds=1)
    found = list(MediaReader(Sides(Sound(RATE)), settings, tmp_path).read(rows))
    assert [row.line for row in found if isinstance(row, Example)] == [1, 11]
    assert [(row.line, row.reason) for row in found if isinstance(row, Dropped)] == [
        *((2, "too_long"), (3, "too_short"), (4, "silent"), (5, "unreadable")),
        *((line, "missing") for line in range(6, 11)),
        (12, "columns"),
    ]
    notices = [row.text for row in found if isinstance(row, Notice)]
    assert len(notices) == 4 + 3
    for line, name, notice in zip(range(2, 9), names[1:], notices, strict=False):
        assert notice.startswith(f"line {line} is dropped: ") and f"{name}.wav" in notice


def test_both_sides_may_be_bad(tmp_path: Path) -> None:
    pytest.importorskip("PIL", reason="Pillow is not installed")
    write_picture(tmp_path / "a.png", 4, 4)
    sides = Sides(Picture(4, None, 1), Picture(4, 4, 1))
    settings = settings_of(source_kind="image", target_kind="image")
    rows = rows_of(("a.png", "a.png"), ("a.png", "b.png"), ("b.png", "a.png"))
    found = list(MediaReader(sides, settings, tmp_path).read(rows))
    assert [type(row) for row in found] == [Example, Notice, Dropped, Notice, Dropped]
