"""Sound and pictures of a corpus: choose their format, and read the files of each row."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from s2scli.data.codecs import media_codec
from s2scli.data.codecs.cell import BadCellError, Stored, located
from s2scli.data.example import Example
from s2scli.data.rows import Dropped, Notice, Row
from s2scli.data.settings import PrepareSettings
from s2scli.errors import ConfigError, CorpusError
from s2scli.sides import Media, Picture, SideKind, Sides, Sound

MAX_DEFAULT_RATE = 16_000
TRIED, NAMED = 20, 3

ENDINGS = {
    "audio": (".wav", ".flac", ".ogg", ".mp3"),
    "image": (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"),
}

Read = Callable[[str], str]
Found = TypeVar("Found")


def kind_of_file(cell: str) -> str:
    """Guess the kind of a file from the ending of its name: audio, image or ""."""
    name = cell.lower()
    return next((kind for kind, endings in ENDINGS.items() if name.endswith(endings)), "")


def choose_sides(
    rows: Iterable[Row], settings: PrepareSettings, folder: Path | None
) -> tuple[Sides, Iterator[Row]]:
    """Choose the format of both sides: from the settings, otherwise from the first files.

    Args:
        rows: the rows of the corpus.
        settings: the kinds of the sides, and the settings of sound and pictures.
        folder: where relative paths are looked up first.

    Returns:
        The sides, and an iterator over all rows.

    Raises:
        ConfigError: the target is sound.
        CorpusError: none of the first files can be read, or the first picture is too large.
    """
    if settings.target_kind == "audio":
        raise ConfigError("--target-kind audio: s2s writes text and pictures; choose text or image")
    kinds = settings.source_kind, settings.target_kind
    if kinds == ("text", "text"):
        return Sides(), iter(rows)
    rest = iter(rows)
    first = list(itertools.islice(rest, TRIED))
    examples = [row for row in first if isinstance(row, Example)]
    cells = [one.source for one in examples], [one.target for one in examples]
    source = _media(kinds[0], cells[0], settings, folder)
    target = _media(kinds[1], cells[1], settings, folder, fixed_width=True)
    return Sides(source, target), itertools.chain(first, rest)


def _media(
    kind: SideKind,
    cells: list[str],
    settings: PrepareSettings,
    folder: Path | None,
    *,
    fixed_width: bool = False,
) -> Media | None:
    match kind:
        case "text":
            return None
        case "audio":
            if settings.sample_rate:
                return Sound(settings.sample_rate)
            return Sound(min(MAX_DEFAULT_RATE, _first(cells, folder, _native_rate)))
        case "image":
            native = _first(cells, folder, _native_picture)
            height = settings.image_height or native.height
            width = settings.image_width
            if fixed_width and width is None and native.width:
                width = max(1, round(native.width * height / native.height))
            color = native.channels == 3 if settings.image_color is None else settings.image_color
            return _within_limits(Picture(height, width, 3 if color else 1))


def _within_limits(picture: Picture) -> Picture:
    """Return a shape that a corpus can have; sizes in the settings are within its limits.

    Raises:
        CorpusError: the height or the width is too large.
    """
    try:
        return TypeAdapter(Picture).validate_python(asdict(picture))
    except ValidationError as error:
        fault = error.errors()[0]
        name, most = fault["loc"][0], fault["ctx"]["le"]
        raise CorpusError(
            f"the first picture gives a {name} of {fault['input']:,} pixels, expected at most "
            f"{most:,}; give --image-{name}"
        ) from error


def _native_rate(name: str) -> int:
    from s2scli.data.codecs.sound_files import native_rate

    return native_rate(name)


def _native_picture(name: str) -> Picture:
    from s2scli.data.codecs.picture_files import native_shape

    return native_shape(name)


def _first(cells: list[str], folder: Path | None, read: Callable[[str], Found]) -> Found:
    """Return the result of `read` for the first cell that can be read."""
    faults = []
    for cell in cells:
        try:
            return read(located(cell, folder))
        except BadCellError as error:
            faults.append(str(error))
    raise CorpusError(faults[0] if faults else "there is no row to read")


class MediaReader:
    """Reads the files named in the cells of a corpus, and drops rows with bad files.

    Attributes:
        sides: the formats that files are converted to.
    """

    def __init__(self, sides: Sides, settings: PrepareSettings, folder: Path | None) -> None:
        self.sides = sides
        self._source = _reader(sides.source, settings, folder)
        self._target = _reader(sides.target, settings, folder)

    def read(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Yield rows with the content of their files; add a notice for the first bad files."""
        named: dict[str, int] = {}
        for row in rows:
            if not isinstance(row, Example):
                yield row
                continue
            try:
                yield replace(row, source=self._source(row.source), target=self._target(row.target))
            except BadCellError as error:
                named[error.reason] = named.get(error.reason, 0) + 1
                if named[error.reason] <= NAMED:
                    yield Notice(f"line {row.line} is dropped: {error}")
                yield Dropped(row.line, error.reason)


def _reader(media: Media | None, settings: PrepareSettings, folder: Path | None) -> Read:
    if media is None:
        return str
    codec = media_codec(media, folder, settings.max_seconds)
    return lambda cell: Stored(cell, codec.encode(cell))
