"""Settings of `s2s prepare`, of noise, and of `s2s augment`.

The command line derives flags from them, so this module imports neither torch nor pyarrow.
"""

import functools
import re
from typing import Any, Literal, Self, get_args

from pydantic import field_validator, model_validator

from s2scli.normalization import Normalization
from s2scli.settings import MOST, Settings, flag_of, setting
from s2scli.sides import SideKind

COLUMNS = re.compile(r"[1-9][0-9]{0,3},[1-9][0-9]{0,3}")


FormatName = Literal[
    "tsv", "sentences", "parallel", "jsonl", "csv", "parquet", "arrow", "tmx", "sgm"
]


format_setting: Any = functools.partial(
    setting,
    None,
    "The format of the input: tsv (source TAB target), sentences, parallel (a source file and a "
    "target file), jsonl, csv, parquet, arrow, tmx or sgm. By default, the ending of a name tells "
    "it (.jsonl, .ndjson, .json, .csv, .parquet, .arrow, .feather, .tmx, .sgm, .sgml); other files "
    "are text.",
    flags=("--input-format", "--format"),
)
source_field_setting: Any = functools.partial(
    setting,
    None,
    "The field of the source in JSONL, CSV, Parquet and Arrow, such as translation.en for a nested "
    "one; in TMX, the language. By default source, src or input.",
    "field",
)
target_field_setting: Any = functools.partial(
    setting,
    None,
    "The field, or language, of the target; by default target, tgt or output.",
    "field",
)


class InputSettings(Settings):
    """The format of input files, and which of their fields are read."""

    panel = "Input"

    input_format: FormatName | None = format_setting()
    source_field: str | None = source_field_setting()
    target_field: str | None = target_field_setting()


BY_NAME = InputSettings()


class CorpusSettings(InputSettings):
    """How a corpus is read, and what its sides are.

    By default, characters are not normalized. Even NFC cannot be undone: it changes CJK
    compatibility ideographs and the order of Hebrew and Arabic marks. So the user chooses the
    normalization, and `s2s prepare` reports when NFC would change the corpus.
    """

    input_format: FormatName | None = format_setting(panel="Input and output")
    source_field: str | None = source_field_setting(panel="Input and output")
    target_field: str | None = target_field_setting(panel="Input and output")
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
    tag_field: str | None = setting(
        None,
        "The field with the tag of each row, which is put in front of its source, as by --tag.",
        "field",
        panel="Input and output",
    )
    tag_column: int | None = setting(
        None,
        "The column with the tag of each row in TSV files, counted from 1.",
        "column",
        panel="Input and output",
        ge=1,
        le=9999,
    )
    sampling_temperature: float = setting(
        1.0,
        "With several corpora: in training, the share of a corpus of n rows in an epoch is "
        "proportional to n^(1/T); 1 sees every row once, larger values make the shares more equal "
        "(Conneau & Lample 2019, section 3.1, with alpha = 1/T).",
        panel="Input and output",
        ge=1,
        le=1000,
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
        "Keep colours, or convert all pictures to grey; by default as in the first file.",
        flags=("--color/--grey",),
        panel="Sound and pictures",
    )
    normalization: Normalization = setting(
        "none",
        "Unicode normalization of source and target, also applied to every text to translate: "
        "none, nfc (composed characters) or nfkc (also replaces full-width characters, ligatures "
        "and similar variants).",
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


class CleaningSettings(Settings):
    """The cleaning rules, in the order in which they are applied.

    First the rules that change text, then those that drop pairs. A pair is counted under the first
    rule that drops it. By default only lengths and exact duplicates are checked, and no character
    is changed: every other rule can meet text that is right. `s2s prepare --suggest` says which
    rules a corpus needs.
    """

    panel = "Cleaning"

    fix_encoding: bool = setting(
        False,
        "Repair text that was decoded with the wrong encoding, such as `Ã¼` for `ü`; needs ftfy.",
    )
    unescape_html: bool = setting(
        False,
        "Replace HTML entities such as `&amp;` by their characters. Off by default, because text "
        "about HTML has entities of its own.",
    )
    remove_controls: bool = setting(
        False,
        "Remove control characters and escape sequences of terminals; those that are white space "
        "become a space.",
    )
    redact: bool = setting(
        False,
        "Replace e-mail addresses, telephone numbers, card numbers and account numbers (IBAN) by "
        "placeholders, in source and target, also in --valid and --test.",
        panel="Privacy",
    )
    redact_list: str | None = setting(
        None,
        "Replace every occurrence of the texts in this file, one per line, ignoring case.",
        "file",
        panel="Privacy",
    )
    drop_shifted: bool = setting(
        False,
        "Drop stretches in which the lines of the two sides are shifted by one; without this, they "
        "are only reported.",
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
    drop_same: bool = setting(
        False, "Drop pairs whose source and target are the same; not for tasks that copy."
    )
    max_repeats: int = setting(
        0,
        "Drop pairs in which one character is repeated more often than this without a break, such "
        "as 20; 0 keeps all.",
        "characters",
        ge=0,
        le=100_000_000,
    )
    max_other_script: float | None = setting(
        None,
        "Drop pairs in which more than this share of the letters of a side is not of its script; "
        "by default off.",
        ge=0,
        le=1,
    )
    source_script: str | None = setting(
        None,
        "With --max-other-script: the script of the source, such as Latin; by default the most "
        "frequent one in the first rows of each file.",
        "script",
    )
    target_script: str | None = setting(
        None, "With --max-other-script: the script of the target, likewise.", "script"
    )
    max_unmatched: float | None = setting(
        None,
        "Drop pairs in which more than this share of numbers and web addresses is on one side "
        "only; by default off.",
        ge=0,
        le=1,
    )
    source_language: str | None = setting(
        None,
        "Drop pairs whose source is in another language than this, such as en; sides of fewer than "
        "20 letters are kept. Needs py3langid.",
        "language",
    )
    target_language: str | None = setting(
        None, "Drop pairs whose target is in another language than this, likewise.", "language"
    )
    rules: str | None = setting(
        None,
        'Your own rules: a TOML file with `[rules.NAME]` and `python = "file.py:function"`. The '
        "function gets source and target, and returns True to drop the pair. This runs the code.",
        "file",
    )
    near_duplicates: float | None = setting(
        None,
        "Drop pairs that are similar to an earlier pair: the least share of common character "
        "5-grams, estimated by MinHash, such as 0.8; by default only exact duplicates are dropped.",
        ge=0.6,
        le=1,
    )

    @model_validator(mode="after")
    def _scripts_are_read(self) -> Self:
        for name in ("source_script", "target_script"):
            if getattr(self, name) is not None and self.max_other_script is None:
                raise ValueError(
                    f"{flag_of(name)} has no effect without --max-other-script: add it, such as "
                    "--max-other-script 0.5"
                )
        return self


class PrepareSettings(CleaningSettings, CorpusSettings):
    """How a corpus is read, cleaned and split."""

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


class SurfaceNoise(Settings):
    """The rate of each kind of noise on the surface of a text.

    `data.surface_noise` says what each kind does. A word is a run without white space, or one
    Chinese or Japanese character.
    """

    panel = "Noise"

    typos: float = setting(
        0.0,
        "Share of source words with a typing error: two letters swapped, one dropped, repeated or "
        "replaced (Karpukhin et al. 2019).",
        ge=0,
        le=1,
    )
    case: float = setting(
        0.0,
        "Share of source words in another case: lower case, capitals or a first capital.",
        ge=0,
        le=1,
    )
    drop: float = setting(0.0, "Share of source words to drop.", ge=0, le=1)
    swap: float = setting(
        0.0, "Share of source words to swap with the next one; at most half are.", ge=0, le=1
    )
    unknown: float = setting(
        0.0,
        "Share of source words whose letters are all replaced, by others of the same script: words "
        "that no text has.",
        ge=0,
        le=1,
    )

    @property
    def is_noisy(self) -> bool:
        """Whether any rate is above 0."""
        return any(getattr(self, name) for name in SurfaceNoise.model_fields)


class NoiseSettings(SurfaceNoise):
    """Noise added to training sources.

    The noise of words (typos, case, drop, swap, unknown) changes the text before it is tokenized,
    and makes a model robust; validation sources stay clean. The noise of tokens (permute, span,
    delete, mask) is for denoising models; validation sources always get the same noise. Training
    sources get new noise every time they are read. A masked token becomes the unknown token.
    """

    share: float = setting(
        0.5,
        "Share of the sources that get typos, case, drop, swap and unknown; the others stay clean.",
        ge=0,
        le=1,
    )
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


NoiseKind = Literal["typos", "case", "drop", "swap", "unknown"]


class NoiseTestSettings(Settings):
    """The noise with which `s2s evaluate` scores a model again."""

    panel = "Noise"

    noise: str | None = setting(
        None,
        "Score again with each of these kinds of noise in the sources, separated by commas, and "
        "show how far the scores fall: typos (one typing error in a word), case, drop, swap "
        "(neighbouring words), unknown (all letters of a word replaced).",
        "kinds",
    )
    noise_rate: float = setting(0.1, "Share of the words that get the noise.", gt=0, le=1)
    noise_seed: int = setting(1, "Seed of the noise.", ge=0, lt=2**63)

    @field_validator("noise")
    @classmethod
    def _check_noise(cls, value: str | None) -> str | None:
        known = get_args(NoiseKind)
        for kind in value.split(",") if value is not None else ():
            if kind not in known:
                raise ValueError(f"noise: expected {', '.join(known)}, found {kind!r:.40}")
        return value

    @model_validator(mode="after")
    def _rate_is_read(self) -> Self:
        if given := self.noise is None and self.model_fields_set - {"noise"}:
            raise ValueError(f"{min(given)} has no effect without --noise")
        return self

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of noise, each once, in the order given."""
        return tuple(dict.fromkeys(self.noise.split(","))) if self.noise else ()


class AugmentSettings(SurfaceNoise):
    """How `s2s augment` makes rows."""

    panel = "Rows"

    method: Literal["back-translate", "forward-translate", "distil", "noise"] = setting(
        "back-translate",
        "What the lines are, and what is made of them: back-translate (target text; a model of the "
        "reverse direction writes the sources: Sennrich et al. 2016), forward-translate (source "
        "text; the model writes the targets: self-training), distil (pairs; the model's output "
        "nearest to the target by chrF replaces it: Kim & Rush 2016, sections 3.2 and 3.3) or "
        "noise (pairs; no model).",
    )
    tag: str = setting(
        "<BT>",
        "With back-translate: a word in front of each source that the model wrote, so that they "
        "can be told from real sources (Caswell et al. 2019); empty writes none.",
        "word",
        pattern=r"^\S*$",
    )
    noise_seed: int = setting(1, "Seed of the noise of the sources.", panel="Noise", ge=0, lt=2**63)
