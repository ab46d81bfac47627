"""Which tokenizer suits a corpus: all the rules, and the reasons in words.

Kind, for each side (characters are counted without spaces):

- word, if the words are a closed set: at most 200 different ones, and fewer than one running word
  in a thousand would be new (phones, labels, commands);
- char, if a line has one or two words: at most 2.5 words and 40 characters on average (spellings,
  short lines of Chinese); or if only the other side is like that, and a line has at most 20
  characters (dates, numbers, names);
- bpe, for everything else. It gives as few pieces as unigram, and is learned ten times as fast.

Joint: one tokenizer for both sides, if they are of one kind and have at least half of their running
characters in common.

Size, of bpe and unigram: the alphabet, plus 10 x characters^0.4 pieces, at most 32,000. That is
600 pieces for 600 short sentences, 4000 for the 3 million characters of Multi30k, 6000 for
8 million, 12,000 for 55 million: more text has more words. (Small vocabularies are best for small
corpora, and a smaller output layer is faster.) char and word hold all they find, at most 32,000.

Alphabet: all characters, if they are at most 500 or cannot be written in bytes; else the most
frequent ones that make up 99.95 % of the text.
"""

from dataclasses import dataclass

from s2scli.tokenizer.settings import Kind, TokenizerSettings
from s2scli.tokenizer.statistics import TextStatistics, shared_characters

CLOSED_SET, NEW_WORD_RATE = 200, 0.001
FEW_WORDS, SHORT_WORDS, SHORT_LINE = 2.5, 40, 20
JOINT_SHARE = 0.5
LITTLE_TEXT = 1_000_000  # characters: some 20 hours of speech
LEARNED_FACTOR, LEARNED_EXPONENT, MAX_LEARNED = 10, 0.4, 32_000
SPECIAL_PIECES, BYTE_PIECES = 4, 256
BYTES_FROM = 2000
SMALL_ALPHABET, LARGE_ALPHABET_COVERAGE = 500, 0.9995


@dataclass(frozen=True)
class TokenizerPlan:
    """What is to be learned for one side, or for both together.

    Attributes:
        kind: unigram, bpe, char or word.
        vocab_size: the maximum number of pieces; it is reached if the text has as many.
        byte_fallback: whether characters without a piece are written in bytes.
        character_coverage: the share of the running characters that have a piece of their own.
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
        reasons: a line of explanation for each choice that was made from the corpus.
    """

    source: TokenizerPlan
    target: TokenizerPlan
    joint: bool
    reasons: tuple[str, ...]


def plan_corpus(
    source: TextStatistics, target: TextStatistics, settings: TokenizerSettings
) -> CorpusPlan:
    """Choose the tokenizers of a corpus where the settings do not."""
    kinds = choose_kind(source, target, settings), choose_kind(target, source, settings)
    share, joint = shared_characters(source, target), settings.joint
    if joint is None:
        joint = kinds[0] == kinds[1] and share >= JOINT_SHARE
    reasons = [] if settings.joint is not None else [_joint_reason(joint, share)]
    if joint:
        both = source if source == target else source + target  # each is its own target
        kind = choose_kind(both, both, settings)
        plan = _plan(kind, both, settings)
        reasons += _kind_reasons({"both sides": (kind, both)}, settings)
        return CorpusPlan(plan, plan, joint, tuple(reasons))
    sides = {"source": (kinds[0], source), "target": (kinds[1], target)}
    reasons += _kind_reasons(sides, settings)
    plans = [_plan(kind, text, settings) for kind, text in sides.values()]
    return CorpusPlan(plans[0], plans[1], joint, tuple(reasons))


def plan_side(text: TextStatistics, settings: TokenizerSettings) -> tuple[TokenizerPlan, str]:
    """Choose the tokenizer of the only side that is text, and say why.

    It is word for a closed set of words, and char for little text: a model of speech learns the
    letters of an hour of recordings, but not parts of words.
    """
    kind = settings.kind
    if kind is None and _is_closed(text):
        kind = "word"
    elif kind is None:
        kind = "char" if text.corpus_characters < LITTLE_TEXT else "bpe"
    reason = (
        f"{len(text.words):,} different words, {text.words_per_text:.1f} words and "
        f"{text.characters_per_text:.0f} characters a line: {kind} tokenizer"
    )
    return _plan(kind, text, settings), reason


def _is_closed(text: TextStatistics) -> bool:
    return len(text.words) <= CLOSED_SET and text.new_word_rate < NEW_WORD_RATE


def choose_kind(text: TextStatistics, other: TextStatistics, settings: TokenizerSettings) -> Kind:
    """Return the kind of tokenizer that suits one side, or the one in the settings."""
    if settings.kind is not None:
        return settings.kind
    if _is_closed(text):
        return "word"
    if _is_a_word_or_two(text):
        return "char"
    short = text.characters_per_text <= SHORT_LINE
    return "char" if short and _is_a_word_or_two(other) else "bpe"


def _is_a_word_or_two(text: TextStatistics) -> bool:
    return text.words_per_text <= FEW_WORDS and text.characters_per_text <= SHORT_WORDS


def learned_pieces(characters: float) -> int:
    """Return how many pieces to learn beside the alphabet from a text of this size."""
    return min(MAX_LEARNED, int(LEARNED_FACTOR * characters**LEARNED_EXPONENT))


def _plan(kind: Kind, text: TextStatistics, settings: TokenizerSettings) -> TokenizerPlan:
    learned = learned_pieces(text.corpus_characters) if kind in ("bpe", "unigram") else 0
    alphabet = text.alphabet(1.0)
    size = settings.vocab_size or SPECIAL_PIECES + alphabet + learned
    byte_fallback = settings.byte_fallback
    if byte_fallback is None:
        byte_fallback = kind != "word" and size >= BYTES_FROM
    coverage = settings.character_coverage
    if coverage is None:
        spelled = byte_fallback and alphabet > SMALL_ALPHABET
        coverage = LARGE_ALPHABET_COVERAGE if spelled else 1.0
    if settings.vocab_size is None:
        size = SPECIAL_PIECES + BYTE_PIECES * byte_fallback
        size += text.alphabet(coverage) + learned if learned else MAX_LEARNED
        size = -(-size // 8) * 8  # matrices with sides of a multiple of 8 are multiplied faster
    return TokenizerPlan(kind, size, byte_fallback, coverage, settings.split_digits)


def _joint_reason(joint: bool, share: float) -> str:
    what = "one tokenizer for both sides" if joint else "a tokenizer for each side"
    return f"{what}: {share:.0%} of their characters are in common"


def _kind_reasons(
    sides: dict[str, tuple[Kind, TextStatistics]], settings: TokenizerSettings
) -> list[str]:
    """Return a line for each side whose kind was chosen here."""
    if settings.kind is not None:
        return []
    return [
        f"{side}: {len(text.words):,} different words, {text.words_per_text:.1f} words and "
        f"{text.characters_per_text:.0f} characters a line: {kind} tokenizer"
        for side, (kind, text) in sides.items()
    ]
