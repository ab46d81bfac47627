"""The settings of preparation and noise; it imports no torch and no pyarrow, for flags."""

import re

from pydantic import field_validator

from s2scli.normalization import Normalization
from s2scli.settings import MOST, Settings, setting
from s2scli.sides import SideKind

COLUMNS = re.compile(r"[1-9][0-9]{0,3},[1-9][0-9]{0,3}")


class PrepareSettings(Settings):
    """How a corpus is cleaned and split.

    Text is kept character for character unless `normalization` says otherwise: even NFC changes
    text for good (CJK compatibility ideographs, the order of Hebrew and Arabic marks), so it is
    the user's choice, and `s2s prepare` says when a corpus holds text that it would change.
    """

    panel = "Cleaning"

    one_column: bool = setting(
        False,
        "Each line is one sentence, both source and target; the default for a .txt file without "
        "a TAB in its first line.",
        panel="Input and output",
    )
    columns: str | None = setting(
        None,
        "Columns of the source and of the target in TSV files, the first is 1: 2,3. If not given, "
        "the first two.",
        "columns",
        panel="Input and output",
    )
    swap: bool = setting(False, "Exchange source and target.", panel="Input and output")
    header: bool | None = setting(
        None,
        "The first row of each file is a header, and is left out. If not given, it is one where it "
        "holds names of columns or languages.",
        panel="Input and output",
    )
    source_kind: SideKind = setting(
        "text",
        "What a source is: text, audio (the path of a sound file) or image (the path of a "
        "picture).",
        panel="Sound and pictures",
    )
    target_kind: SideKind = setting(
        "text",
        "What a target is: text or image (the path of a picture).",
        panel="Sound and pictures",
    )
    sample_rate: int | None = setting(
        None,
        "Resample all sound to this rate. If not given, the rate of the first file, at most 16000.",
        "samples a second",
        panel="Sound and pictures",
        ge=1000,
        le=192_000,
    )
    max_seconds: float = setting(
        30.0,
        "Drop longer recordings.",
        "seconds",
        panel="Sound and pictures",
        gt=0,
        le=3600,
    )
    image_height: int | None = setting(
        None,
        "Resize all pictures to this height. If not given, the height of the first file.",
        "pixels",
        panel="Sound and pictures",
        ge=1,
        le=4096,
    )
    image_width: int | None = setting(
        None,
        "Fit all pictures into this width. If not given, widths stay in proportion to the height; "
        "for targets, the width of the first file.",
        "pixels",
        panel="Sound and pictures",
        ge=1,
        le=65_536,
    )
    image_color: bool | None = setting(
        None,
        "Keep colors, or turn all pictures grey. If not given, as the first file is.",
        flags=("--color/--grey",),
        panel="Sound and pictures",
    )
    normalization: Normalization = setting(
        "none",
        "Unicode normalization of both sides, repeated on every text that is translated: none "
        "keeps the text, nfc unifies the spellings of one character, nfkc also replaces full-width "
        "characters, ligatures and the like.",
    )
    max_length: int = setting(
        5000,
        "Drop pairs with a longer source or target, in characters.",
        "characters",
        ge=1,
        le=100_000_000,
    )
    max_length_ratio: float = setting(
        50.0,
        "Drop pairs with one side more than this many times as long as the other.",
        ge=1,
    )
    valid_size: int | None = setting(
        None,
        "Rows of the valid split; 10 %, at most 2000, if not given.",
        "rows",
        panel="Splits",
        ge=0,
        le=MOST,
    )
    test_size: int | None = setting(
        None,
        "Rows of the test split; 10 %, at most 2000, if not given.",
        "rows",
        panel="Splits",
        ge=0,
        le=MOST,
    )
    skip_bad_lines: bool = setting(
        False,
        "Drop and count lines that are not UTF-8, contain NUL or have the wrong number of columns, "
        "instead of stopping at the first.",
    )

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, value: str | None) -> str | None:
        if value is not None and not COLUMNS.fullmatch(value):
            raise ValueError(f"columns: expected two numbers such as 2,3, found {value!r:.40}")
        return value

    @property
    def column_pair(self) -> tuple[int, int] | None:
        """The columns of the source and of the target; None for the first two."""
        if self.columns is None:
            return None
        source, target = map(int, self.columns.split(","))
        return source, target


class NoiseSettings(Settings):
    """Noise in the sources of a model that learns to remove it, drawn again at each reading.

    Validation sources have noise too, always the same, since removing it is the task. A masked
    token becomes the unknown token.
    """

    permute: int = setting(
        0,
        "Move source tokens by at most this many positions; 0 moves none (Lample et al. 2018: 3).",
        "positions",
        ge=0,
        le=1_000_000,
    )
    span: float = setting(
        0.0,
        "Share of the source tokens masked in spans, with one unknown token for each span (text "
        "infilling; Lewis et al. 2020: 0.3).",
        ge=0,
        lt=1,
    )
    span_length: float = setting(
        3.0,
        "Mean length of a masked span; lengths are drawn from a Poisson distribution and are at "
        "least 1.",
        "tokens",
        gt=0,
        le=1000,
    )
    delete: float = setting(0.0, "Share of the source tokens that are deleted.", ge=0, lt=1)
    mask: float = setting(0.0, "Share of the source tokens that are masked one by one.", ge=0, le=1)
