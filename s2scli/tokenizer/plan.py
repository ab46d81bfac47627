"""Which tokenizer suits a corpus: the rules, all in one place, and the reasons in words.

Kind, of each side:

- word, where the words are a closed set: at most 200 different ones, and fewer than one running
  word in a thousand would be new (phones, labels, commands);
- char, where a text is a word or two: at most 2.5 words and 40 characters on average (spellings,
  short lines of Chinese);
- bpe, for everything else. It gives as few pieces as unigram, and is learned ten times as fast.

Joint: one tokenizer for both sides, where they are of one kind and have at least half of their
running characters in common.

Size, of bpe and unigram: the alphabet, and 9 x characters^0.4 pieces beyond it, at most 32,000.
That is 800 pieces for 600 short sentences, 3900 for the 4 million characters of Multi30k, 6000 for
11 million, 12,000 for 70 million: bigger text has more words, and can teach more of them. (Small
vocabularies serve small corpora best, and a smaller output layer is faster.) char and word hold
all they meet, at most 32,000.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from s2scli.tokenizer.settings import Kind, TokenizerSettings
from s2scli.tokenizer.statistics import TextStatistics, shared_characters

CLOSED_SET, NEW_WORD_RATE = 200, 0.001
SHORT_WORDS, SHORT_CHARACTERS = 2.5, 40
JOINT_SHARE = 0.5
LEARNED_FACTOR, LEARNED_EXPONENT, MAX_LEARNED = 9, 0.4, 32_000
SPECIAL_PIECES, BYTE_PIECES = 4, 256
BYTES_FROM = 2000
COVERAGE_WITH_BYTES = 0.9995


@dataclass(frozen=True)
class TokenizerPlan:
    """What is to be learned for one side, or for both together.

    Attributes:
        kind: unigram, bpe, char or word.
        vocab_size: the most pieces it may have; exactly so many, if the text has them.
        byte_fallback: whether characters without a piece are spelled in bytes.
        character_coverage: the share of the characters that have a piece of their own.
        split_digits: whether every digit is a piece of its own.
    """

    kind: Kind
    vocab_size: int
    byte_fallback: bool
    character_coverage: float
    split_digits: bool


@dataclass(frozen=True)
class CorpusPlan:
    """What is to be learned for a corpus.

    Attributes:
        source: for the source, or for both sides.
        target: for the target; the same as `source` if joint.
        joint: whether one tokenizer serves both sides.
        reasons: why, a line for each choice that was made from the corpus.
    """

    source: TokenizerPlan
    target: TokenizerPlan
    joint: bool
    reasons: tuple[str, ...]


def plan_corpus(
    source: TextStatistics, target: TextStatistics, settings: TokenizerSettings
) -> CorpusPlan:
    """Choose the tokenizers of a corpus, within what the settings leave open."""
    kinds = choose_kind(source, settings), choose_kind(target, settings)
    share = shared_characters(source, target)
    joint = settings.joint
    if joint is None:
        joint = kinds[0] == kinds[1] and share >= JOINT_SHARE
    reasons = tuple(_reasons(source, target, settings, joint, share))
    if joint:
        both = _plan(source + target, settings)
        return CorpusPlan(both, both, joint, reasons)
    return CorpusPlan(_plan(source, settings), _plan(target, settings), joint, reasons)


def choose_kind(text: TextStatistics, settings: TokenizerSettings) -> Kind:
    """Return the kind of tokenizer that suits a text, or the one that is asked for."""
    if settings.kind is not None:
        return settings.kind
    if len(text.words) <= CLOSED_SET and text.new_word_rate < NEW_WORD_RATE:
        return "word"
    short = text.words_per_text <= SHORT_WORDS and text.characters_per_text <= SHORT_CHARACTERS
    return "char" if short else "bpe"


def learned_pieces(characters: float) -> int:
    """Return how many pieces beyond the alphabet a text of so many characters deserves."""
    return min(MAX_LEARNED, int(LEARNED_FACTOR * characters**LEARNED_EXPONENT))


def _plan(text: TextStatistics, settings: TokenizerSettings) -> TokenizerPlan:
    kind = choose_kind(text, settings)
    learned = learned_pieces(text.corpus_characters) if kind in ("bpe", "unigram") else 0
    size = settings.vocab_size or SPECIAL_PIECES + text.alphabet(1.0) + learned
    byte_fallback = settings.byte_fallback
    if byte_fallback is None:
        byte_fallback = kind != "word" and size >= BYTES_FROM
    coverage = settings.character_coverage or (COVERAGE_WITH_BYTES if byte_fallback else 1.0)
    if settings.vocab_size is None:
        size = SPECIAL_PIECES + BYTE_PIECES * byte_fallback + MAX_LEARNED
        if learned:
            size += text.alphabet(coverage) + learned - MAX_LEARNED
            size = (
                -(-size // 8) * 8
            )  # matrices whose sides are multiples of 8 are multiplied faster
    return TokenizerPlan(kind, size, byte_fallback, coverage, settings.split_digits)


def _reasons(
    source: TextStatistics,
    target: TextStatistics,
    settings: TokenizerSettings,
    joint: bool,
    share: float,
) -> Iterator[str]:
    sides = {"both sides": source + target} if joint else {"source": source, "target": target}
    if settings.joint is None:
        yield (
            f"{'one tokenizer for both sides' if joint else 'a tokenizer for each side'}: "
            f"{share:.0%} of their characters are in common"
        )
    if settings.kind is None:
        for side, text in sides.items():
            yield f"{side}: {_describe(text)}: {choose_kind(text, settings)} tokenizer"


def _describe(text: TextStatistics) -> str:
    return (
        f"{len(text.words):,} different words, {text.words_per_text:.1f} words and "
        f"{text.characters_per_text:.0f} characters a line"
    )
