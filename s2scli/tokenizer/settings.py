"""The settings of `s2s train-tokenizer`. Imports no sentencepiece, so that `--help` is fast."""

from typing import Literal

from s2scli.settings import MOST, Settings, setting

Kind = Literal["unigram", "bpe", "char", "word"]


class TokenizerSettings(Settings):
    """How a tokenizer is trained. Settings that are not given are chosen from the corpus."""

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
        "Use one tokenizer for both sides, or one for each; if not given, joint if both sides need "
        "the same kind and share at least half of their characters.",
        flags=("--joint/--separate",),
    )
    byte_fallback: bool | None = setting(
        None,
        "Spell characters outside the vocabulary as bytes (256 more pieces), so that none is "
        "unknown; if not given, on if there are at least 2000 pieces, except for kind word.",
    )
    character_coverage: float | None = setting(
        None,
        "Share of the text's characters that the vocabulary covers; if not given, 1.0, or 0.9995 "
        "with byte fallback and more than 500 different characters.",
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
        "given, bits for grey pictures and codebook for colour.",
    )
    sample_size: int = setting(
        1_000_000,
        "Number of pairs to train on, taken evenly from the train split.",
        "pairs",
        ge=1,
        le=MOST,
    )
    right_to_left: bool = setting(
        False,
        "Write targets from the last token to the first, for a model that reranks the outputs of "
        "another one (Liu et al. 2016; s2s rerank). Its outputs still read from left to right.",
    )
