"""The settings of `s2s train-tokenizer` (no sentencepiece here: flags are made from them)."""

from typing import Literal

from s2scli.settings import MOST, Settings, setting

Kind = Literal["unigram", "bpe", "char", "word"]


class TokenizerSettings(Settings):
    """How a tokenizer is trained; a setting that is not given is chosen from the corpus."""

    panel = "Tokenizer"

    kind: Kind | None = setting(
        None,
        "Kind of pieces: unigram or bpe (parts of words), char (characters) or word (split at "
        "spaces); chosen for each side if not given.",
        flags=("--model-type", "--kind"),
    )
    vocab_size: int | None = setting(
        None,
        "Vocabulary size of each side's tokenizer, special pieces included; grows with the corpus "
        "if not given.",
        "pieces",
        ge=5,
        le=1_000_000,
    )
    joint: bool | None = setting(
        None,
        "One tokenizer for both sides, or one for each; if not given, joint if both sides are "
        "written in the same characters.",
        flags=("--joint/--separate",),
    )
    byte_fallback: bool | None = setting(
        None,
        "Spell characters outside the vocabulary as bytes (256 more pieces), so that none is "
        "unknown; if not given, on from 2000 pieces, except for kind word.",
    )
    character_coverage: float | None = setting(
        None,
        "Share of the text's characters that are pieces of the vocabulary; if not given, all, or "
        "0.9995 with byte fallback and more than 500 different characters.",
        ge=0.98,
        le=1.0,
    )
    split_digits: bool = setting(
        True, "Make each digit a piece of its own, so that unseen numbers can be copied."
    )
    picture_kind: Literal["bits", "codebook"] | None = setting(
        None,
        "Kind of picture tokens: bits (black and white, lossless: a block of 2 x 4 pixels is a "
        "token) or codebook (the nearest of --vocab-size learned patches of 4 x 4 pixels); if not "
        "given, bits for grey pictures and codebook for color.",
    )
    sample_size: int = setting(
        1_000_000, "Pairs to train on, taken evenly from the train split.", "pairs", ge=1, le=MOST
    )
