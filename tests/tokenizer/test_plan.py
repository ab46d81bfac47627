import random
from collections.abc import Sequence
from typing import Any

import pytest

from s2scli.tokenizer.plan import CorpusPlan, learned_pieces, plan_corpus
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.tokenizer.statistics import count_pairs

LATIN, GREEK = "abcdefghijklmnop", "αβγδεζηθικλμνξοπ"
PHONES = [f"{letter}{number}" for letter in "ABCDEFGHIJ" for number in range(4)]
CHINESE = [chr(0x4E00 + number) for number in range(3000)]


def words(letters: str, number: int, count: int = 300) -> list[str]:
    """Return `count` lines of `number` words made of random letters."""
    chance = random.Random(number)
    return [" ".join(_word(chance, letters) for _ in range(number)) for _ in range(count)]


def _word(chance: random.Random, letters: str) -> str:
    return "".join(chance.choices(letters, k=chance.randint(3, 9)))


def symbols(alphabet: Sequence[str], length: int, between: str, count: int = 500) -> list[str]:
    chance = random.Random(1)
    return [between.join(chance.choices(alphabet, k=length)) for _ in range(count)]


def plan(sources: list[str], targets: list[str], rows: int = 0, **settings: Any) -> CorpusPlan:
    pairs = list(zip(sources, targets, strict=False))
    return plan_corpus(*count_pairs(pairs, rows or len(pairs)), TokenizerSettings(**settings))


def test_sentences_in_one_script_share_a_tokenizer() -> None:
    chosen = plan(words(LATIN, 10), words(LATIN, 12))
    assert chosen.joint
    assert chosen.source == chosen.target
    assert chosen.source.kind == "bpe"
    assert chosen.reasons[0].startswith("one tokenizer for both sides: ")
    assert chosen.reasons[1].startswith("both sides: ")


def test_sentences_in_two_scripts_do_not() -> None:
    chosen = plan(words(LATIN, 10), words(GREEK, 12))
    assert not chosen.joint
    assert (chosen.source.kind, chosen.target.kind) == ("bpe", "bpe")
    assert chosen.reasons[0] == "a tokenizer for each side: they share 0% of their characters"


def test_sentences_that_are_their_own_targets_count_once() -> None:
    sentences = words(LATIN, 10, 1000)
    chosen, alone = plan(sentences, sentences), plan(sentences, words(GREEK, 12, 1000))
    assert chosen.joint
    assert not alone.joint
    assert chosen.source == chosen.target == alone.source


def test_spelling_to_phones() -> None:
    chosen = plan(words(LATIN, 1), symbols(PHONES, 8, " "))
    assert (chosen.source.kind, chosen.target.kind) == ("char", "word")
    assert "target: 40 different words, 8.0 words" in chosen.reasons[2]


def test_dates_are_read_by_the_character() -> None:
    dates = [f"{day} {month} {1000 + 7 * day}" for day in range(500) for month in "ab"]
    chosen = plan(dates, words("0123456789-", 1, len(dates)))
    assert (chosen.source.kind, chosen.target.kind) == ("char", "char")


def test_short_sentences_are_not() -> None:
    chosen = plan(words("ab", 3), words("ab", 3))
    assert chosen.source.kind == "bpe"


def test_chinese() -> None:
    short = plan(words(LATIN, 10, 500), symbols(CHINESE, 12, ""))
    assert short.target.kind == "char"
    long = plan(words(LATIN, 10, 500), symbols(CHINESE, 60, ""))
    assert long.target.kind == "bpe"
    assert long.target.vocab_size > 3000
    assert long.target.byte_fallback
    assert long.target.character_coverage == 0.9995


@pytest.mark.parametrize(
    "settings", [{"joint": False, "kind": "unigram"}, {"joint": True, "kind": "char"}]
)
def test_what_is_asked_for_is_not_chosen(settings: dict[str, Any]) -> None:
    chosen = plan(words(LATIN, 10), words(LATIN, 10), **settings)
    assert (chosen.joint, chosen.source.kind) == (settings["joint"], settings["kind"])
    assert chosen.reasons == ()


def test_a_joint_tokenizer_is_of_one_kind() -> None:
    chosen = plan(words(LATIN, 1), symbols(PHONES, 8, " "), joint=True)
    assert chosen.joint
    assert chosen.source == chosen.target


@pytest.mark.parametrize("size", [100, 1999, 2000])
def test_the_size_asked_for(size: int) -> None:
    chosen = plan(words(LATIN, 10), words(LATIN, 10), vocab_size=size).source
    assert (chosen.vocab_size, chosen.byte_fallback) == (size, size >= 2000)
    assert chosen.character_coverage == 1.0  # a small alphabet is kept whole


def test_the_size_grows_with_the_corpus() -> None:
    sources, targets = words(LATIN, 10), words(LATIN, 10)
    sizes = [plan(sources, targets, rows).source.vocab_size for rows in (300, 30_000, 3_000_000)]
    assert sizes == sorted(set(sizes))
    assert all(size % 8 == 0 for size in sizes)
    assert sizes[0] < 1000 < sizes[1] < 10_000 < sizes[2] < 33_000


@pytest.mark.parametrize(
    ("characters", "least", "most"),
    [
        (0, 0, 0),
        (3e4, 700, 800),
        (3.2e6, 6700, 6800),
        (5.5e7, 12_000, 12_600),
        (1e9, 32_000, 32_000),
    ],
)
def test_learned_pieces(characters: float, least: int, most: int) -> None:
    assert least <= learned_pieces(characters) <= most


def test_byte_fallback_and_coverage_as_asked() -> None:
    chosen = plan(
        words(LATIN, 10), words(LATIN, 10), byte_fallback=True, character_coverage=0.98
    ).source
    assert chosen.byte_fallback
    assert chosen.character_coverage == 0.98
