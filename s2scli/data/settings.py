"""Settings of `s2s prepare` and of noise.

The command line derives flags from them, so this module imports neither torch nor pyarrow.
"""

import re

from pydantic import field_validator

from s2scli.normalization import Normalization
from s2scli.settings import MOST, Settings, setting
from s2scli.sides import SideKind

COLUMNS = re.compile(r"[1-9][0-9]{0,3},[1-9][0-9]{0,3}")


class PrepareSettings(Settings):
    """How a corpus is cleaned and split.

    By default, characters are not normalized. Even NFC cannot be undone: it changes CJK
    compatibility ideographs and the order of Hebrew and Arabic marks. So the user chooses the
    normalization, and `s2s prepare` reports when NFC would change the corpus.
    """

    panel = "Cleaning"

    one_column: bool = setting(
        False,
        "Use each line as both source and target; the default for a .txt file without a TAB in "
        "its first line.",
        panel="Input and output",
    )
    columns: str | None = setting(
        None,
        "Columns of the source and the target in TSV files, counted from 1, such as 2,3; by "
        "default the first two.",
        "columns",
        panel="Input and output",
    )
    swap: bool = setting(False, "Swap source and target.", panel="Input and output")
    header: bool | None = setting(
        None,
        "Skip the first row of each file; by default only if it contains names of columns or "
        "languages.",
        panel="Input and output",
    )
    history: int | None = setting(
        None,
        "Dialogues: each source is the last N turns before a reply, joined by ` ␞ `. A TSV row (a "
        "turn, its reply) continues the dialogue of the row before it if its turn is the reply of "
        "that row; a .txt file has a turn on each line, and a blank line between dialogues. A "
        "dialogue is never divided between splits.",
        "turns",
        panel="Input and output",
        ge=1,
        le=1000,
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
        "Resample all sound to this rate; by default the rate of the first file, at most 16000.",
        "samples per second",
        panel="Sound and pictures",
        ge=1000,
        le=192_000,
    )
    max_seconds: float = setting(
        30.0,
        "Drop recordings longer than this.",
        "seconds",
        panel="Sound and pictures",
        gt=0,
        le=3600,
    )
    image_height: int | None = setting(
        None,
        "Resize all pictures to this height; by default the height of the first file.",
        "pixels",
        panel="Sound and pictures",
        ge=1,
        le=4096,
    )
    image_width: int | None = setting(
        None,
        "Fit all pictures into this width; by default each width follows from the height in "
        "proportion, and all targets get the width of the first one.",
        "pixels",
        panel="Sound and pictures",
        ge=1,
        le=65_536,
    )
    image_color: bool | None = setting(
        None,
        "Keep colors, or convert all pictures to grey; by default as in the first file.",
        flags=("--color/--grey",),
        panel="Sound and pictures",
    )
    normalization: Normalization = setting(
        "none",
        "Unicode normalization of source and target, also applied to every text to translate: "
        "none, nfc (composed characters) or nfkc (also replaces full-width characters, ligatures "
        "and similar variants).",
    )
    max_length: int = setting(
        5000,
        "Drop pairs with a source or target longer than this, in characters.",
        "characters",
        ge=1,
        le=100_000_000,
    )
    max_length_ratio: float = setting(
        50.0,
        "Drop pairs in which one side is more than this many times as long as the other.",
        ge=1,
    )
    valid_size: int | None = setting(
        None,
        "Number of rows in the valid split; by default 10 %, at most 2000.",
        "rows",
        panel="Splits",
        ge=0,
        le=MOST,
    )
    test_size: int | None = setting(
        None,
        "Number of rows in the test split; by default 10 %, at most 2000.",
        "rows",
        panel="Splits",
        ge=0,
        le=MOST,
    )
    skip_bad_lines: bool = setting(
        False,
        "Drop and count lines that are not UTF-8, contain NUL or have the wrong number of columns, "
        "instead of stopping at the first one.",
    )

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, value: str | None) -> str | None:
        if value is not None and not COLUMNS.fullmatch(value):
            raise ValueError(f"columns: expected two numbers such as 2,3, found {value!r:.40}")
        return value

    @property
    def column_pair(self) -> tuple[int, int] | None:
        """The column numbers of source and target; None if `columns` is not given."""
        if self.columns is None:
            return None
        source, target = map(int, self.columns.split(","))
        return source, target


class NoiseSettings(Settings):
    """Noise added to the sources of a denoising model.

    Training sources get new noise every time they are read. Validation sources always get the same
    noise. A masked token becomes the unknown token.
    """

    permute: int = setting(
        0,
        "Shuffle source tokens locally: move each by at most this many positions; 0 moves none "
        "(Lample et al. 2018 use 3).",
        "positions",
        ge=0,
        le=1_000_000,
    )
    span: float = setting(
        0.0,
        "Share of source tokens to mask in spans; each span becomes one unknown token (text "
        "infilling; Lewis et al. 2020 use 0.3).",
        ge=0,
        lt=1,
    )
    span_length: float = setting(
        3.0,
        "Mean of the Poisson distribution of span lengths; a length of 0 becomes 1.",
        "tokens",
        gt=0,
        le=1000,
    )
    delete: float = setting(0.0, "Share of source tokens to delete.", ge=0, lt=1)
    mask: float = setting(0.0, "Share of source tokens to mask one by one.", ge=0, le=1)
