"""Write output pictures: as files in a folder, as one sheet, or as a drawing in the terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from s2scli.data.codecs.picture_files import Pixels, content_of_picture, encode_png, pixels_of_uri
from s2scli.data.row_stream import open_rows
from s2scli.data.stream import StreamSettings, read_windows
from s2scli.errors import UsageError
from s2scli.files import FILES, new_file, storage_errors, write_file
from s2scli.report.colours import colour_system, light_background
from s2scli.report.console import Talk
from s2scli.report.picture import render_picture, sheet
from s2scli.translation.records import Clean, Record, RecordFormat
from s2scli.translation.translator import Translator

DIGITS, MOST_DIGITS = 4, 6  # in file names: the minimum, and the number if the count is unknown
PNG = ".png"


def writes_pictures(translator: Translator) -> bool:
    """Return whether the outputs are pictures."""
    return translator.sides.target is not None


def require_place(output: Path | None, talk: Talk) -> None:
    """Check that there is an output file or folder, or that stdout is a terminal.

    Raises:
        UsageError: there is no output, and stdout is a pipe or a file.
    """
    if output is None and not talk.stdout.is_terminal:
        raise UsageError(
            "the outputs are pictures: give a folder for them with -o DIR, or --json for data: URIs"
        )


def require_folder(path: Path) -> None:
    """Check that pictures can be written into a folder.

    Raises:
        UsageError: the path is a file, or ends in .png.
    """
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: pictures are written into a folder, and this is a file")
    if path.suffix.lower() == PNG and not path.is_dir():
        raise UsageError(f"{path}: each line gives a picture of its own; give a folder, -o DIR")


@dataclass
class PictureFolder:
    """Writes pictures as PNG files that are numbered from 1.

    Attributes:
        folder: the folder to write to; created if it is missing.
        digits: minimum number of digits; shorter numbers are padded with 0.
        many: whether an input has several pictures; names get a second number, as in 0001-1.png.
        written: the number of files written.
    """

    folder: Path
    digits: int = DIGITS
    many: bool = False
    written: int = 0

    def add(self, index: int, uris: Sequence[str]) -> None:
        """Write the pictures of one input; indices start at 0.

        Raises:
            StorageError: the disk is full or a write failed.
        """
        for number, uri in enumerate(uris, 1):
            name = f"{index + 1:0{self.digits}}" + f"-{number}" * self.many
            write_file(self.folder / f"{name}{PNG}", content_of_picture(uri))
            self.written += 1

    def report(self, talk: Talk) -> None:
        """Report the number of files written."""
        talk.say(f"{self.written:,} picture{'s' * (self.written != 1)} in {self.folder}")


def digits_for(inputs: Sequence[Path], stream: StreamSettings, *, files: bool = False) -> int:
    """Return the number of digits for numbering the lines of the inputs; 6 if one is a pipe.

    With `files`, the inputs themselves are numbered.
    """
    if files:
        return max(DIGITS, len(str(len(inputs))))
    if not all(path.is_file() for path in inputs):
        return MOST_DIGITS
    lines = sum(
        len(window)
        for path in inputs
        for window in read_windows(path, stream, open_rows(path, stream))
    )
    return max(DIGITS, len(str(lines)))


def write_sheet(path: Path, uris: Sequence[str], columns: int) -> None:
    """Write pictures as one PNG file, in rows of `columns`.

    Raises:
        StorageError: the disk is full or the write failed.
        MissingExtraError: Pillow is not installed.
    """
    drawn = encode_png(sheet([pixels_of_uri(uri) for uri in uris], columns))
    with storage_errors(path):
        FILES.make_folder(path.parent)
    with new_file(path) as file:
        file.write(drawn)


def drawn_record(talk: Talk) -> RecordFormat:
    """Return a format that draws the hypotheses of a record side by side, for a terminal."""

    def record_format(index: int, record: Record, clean: Clean) -> str:
        return draw([one.text for one in record.hypotheses], talk) if record.hypotheses else ""

    return record_format


def draw(uris: Sequence[str], talk: Talk) -> str:
    """Draw pictures for stdout, in rows that fit its width, without a final newline."""
    pictures = [pixels_of_uri(uri) for uri in uris]
    width = talk.stdout.width
    columns = max(1, (width - 1) // (max(pixels.shape[1] for pixels in pictures) + 1))
    whole = pictures[0] if len(pictures) == 1 else sheet(pictures, columns)
    return drawn(whole, talk)


def drawn(pixels: Pixels, talk: Talk) -> str:
    """Draw one picture for stdout, without a final newline."""
    system = colour_system(talk.stdout)
    bright = light_background()
    return render_picture(pixels, talk.stdout.width, system, light=bright).removesuffix("\n")
