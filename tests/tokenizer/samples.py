"""Tokenizers learned from a few lines, for the tests of this room."""

from collections.abc import Sequence
from typing import Any

from s2scli.normalization import Normalization
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.plan import TokenizerPlan
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.settings import Kind

LINES = ["the cat sat on the mat", "hello there, my friend", "a cat and 12 dogs in 2026"] * 20
SUBWORDS: tuple[Kind, ...] = ("bpe", "unigram")
KINDS: tuple[Kind, ...] = (*SUBWORDS, "char", "word")


def make_plan(kind: Kind = "bpe", **changes: Any) -> TokenizerPlan:
    fields = {
        "vocab_size": 400,
        "byte_fallback": False,
        "character_coverage": 1.0,
        "split_digits": True,
    }
    return TokenizerPlan(kind, **{**fields, **changes})


def learn(
    kind: Kind = "bpe",
    lines: Sequence[str] = LINES,
    normalization: Normalization = "none",
    **changes: Any,
) -> SentencePiece:
    return learn_sentencepiece(lambda: lines, make_plan(kind, **changes), normalization)
