"""The settings of `s2s train-tokenizer` (no sentencepiece here: flags are made from them)."""

from typing import Literal

from s2scli.settings import Settings, setting

Kind = Literal["unigram", "bpe", "char", "word"]


class TokenizerSettings(Settings):
    """How a tokenizer is learned; what is not given is chosen from the corpus."""

    kind: Kind | None = setting(
        None,
        "Kind of pieces: bpe or unigram (parts of words), char (characters) or word (what stands "
        "between spaces); chosen for each side where not given.",
    )
    vocab_size: int | None = setting(
        None,
        "Pieces in the vocabulary, special ones included, of each side's tokenizer; grows with "
        "the corpus where not given.",
        "pieces",
        ge=5,
        le=1_000_000,
    )
    joint: bool | None = setting(
        None,
        "One tokenizer for both sides; chosen where not given: joint where the two sides are "
        "written in the same characters.",
    )
    byte_fallback: bool | None = setting(
        None,
        "Spell characters that are not in the vocabulary as bytes (256 more pieces), so that none "
        "is unknown; where not given, on for 2000 pieces and more, but not for kind word.",
    )
    character_coverage: float | None = setting(
        None,
        "Share of the text's characters that the vocabulary holds as pieces of their own; where "
        "not given, all, but 0.9995 of more than 500 different ones that bytes can stand for.",
        ge=0.98,
        le=1.0,
    )
    split_digits: bool = setting(
        True, "Make every digit a piece of its own, so that numbers never seen can be copied."
    )
    sample_size: int = setting(
        1_000_000, "Pairs to learn from, taken evenly from the train split.", "pairs", ge=1
    )
