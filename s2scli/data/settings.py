"""The settings of this room (neither torch nor pyarrow here: flags are made from them)."""

from s2scli.normalization import Normalization
from s2scli.settings import Settings, setting


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
    )
    test_size: int | None = setting(
        None,
        "Rows of the test split; 10 %, at most 2000, if not given.",
        "rows",
        panel="Splits",
        ge=0,
    )
    skip_bad_lines: bool = setting(
        False,
        "Drop and count lines that are not UTF-8, contain NUL or have the wrong number of columns, "
        "instead of stopping at the first.",
    )


class NoiseSettings(Settings):
    """How sources are damaged for a model that is to restore them: anew each time they are read.

    It is the task itself, so that validation does it too, always in the same way. A token that
    is hidden becomes the unknown token.
    """

    permute: int = setting(
        0,
        "Move tokens of the source by at most this much (Lample et al. 2018: 3); 0 is never.",
        "places",
        ge=0,
    )
    span: float = setting(
        0.0,
        "Share of the source's tokens hidden in spans, one unknown token for each span (text "
        "infilling of Lewis et al. 2020: 0.3).",
        ge=0,
        lt=1,
    )
    span_length: float = setting(
        3.0, "Mean length of such a span, by Poisson; one at least.", "tokens", gt=0, le=1000
    )
    delete: float = setting(0.0, "Share of the source's tokens that are deleted.", ge=0, lt=1)
    mask: float = setting(0.0, "Share of the source's tokens that are hidden singly.", ge=0, le=1)
