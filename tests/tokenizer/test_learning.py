import os
import subprocess
import sys

import pytest

from s2scli.errors import TokenizerError
from s2scli.tokenizer.learning import learn_sentencepiece
from s2scli.tokenizer.settings import Kind
from tests.tokenizer.samples import KINDS, LINES, SUBWORDS, learn, make_plan

ONE_ROW = [["a"], ["aaaa"], ["日本"], ["hello world"], ["<s>"], ["\x00"]]


@pytest.mark.parametrize("lines", ONE_ROW, ids=repr)
@pytest.mark.parametrize("byte_fallback", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_one_row_is_enough(kind: Kind, byte_fallback: bool, lines: list[str]) -> None:
    tokenizer = learn(kind, lines, byte_fallback=byte_fallback, vocab_size=32_000)
    assert tokenizer.decode(tokenizer.encode(lines[0])) == lines[0]
    assert tokenizer.byte_fallback is byte_fallback


@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_too_large_is_lowered(kind: Kind) -> None:
    assert learn(kind, vocab_size=100_000).vocab_size < 300


@pytest.mark.parametrize("byte_fallback", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_a_vocabulary_too_small_is_raised(kind: Kind, byte_fallback: bool) -> None:
    size = learn(kind, vocab_size=5, byte_fallback=byte_fallback).vocab_size
    assert size >= 5 + 256 * byte_fallback
    if kind in SUBWORDS:
        letters = set("".join(LINES)) - {" "} | {"▁"}
        assert size == 4 + 256 * byte_fallback + len(letters)


@pytest.mark.parametrize("kind", SUBWORDS)
def test_the_size_asked_for_is_met(kind: Kind) -> None:
    lines = [f"{one}{other}" for one in dir(str) for other in dir(list)]
    assert learn(kind, lines, vocab_size=120).vocab_size == 120


@pytest.mark.parametrize("lines", [[], [""]])
def test_no_text_is_an_error(lines: list[str]) -> None:
    with pytest.raises(TokenizerError, match="no text to learn a tokenizer from"):
        learn(lines=lines)


def test_what_sentencepiece_refuses_is_one_line() -> None:
    with pytest.raises(TokenizerError, match=r"could not learn a tokenizer: .*character_coverage"):
        learn(character_coverage=0.5)


def test_an_error_of_the_texts_is_not_swallowed() -> None:
    def texts() -> list[str]:
        raise OSError("read error")

    with pytest.raises(OSError, match="read error"):
        learn_sentencepiece(texts, make_plan(), "none")


@pytest.mark.parametrize("kind", KINDS)
def test_long_lines_and_long_words_are_learned_from(kind: Kind) -> None:
    lines = ["xyz " * 3000, "w" * 10_000, *LINES]
    tokenizer = learn(kind, lines)
    assert 1 not in tokenizer.encode("xyz" if kind == "word" else "wxyz")
    long_word = "w" * 10_000
    if kind != "word":
        assert tokenizer.decode(tokenizer.encode(long_word)) == long_word


def test_the_same_text_gives_the_same_bytes() -> None:
    program = (
        "from tests.tokenizer.samples import KINDS, learn\n"
        "print([learn(kind, byte_fallback=True).digest for kind in KINDS])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
        ).stdout
        for seed in "01"
    }
    assert outputs == {f"{[learn(kind, byte_fallback=True).digest for kind in KINDS]}\n".encode()}


def test_sentencepiece_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    learn()
    learn(vocab_size=5)
    assert capfd.readouterr() == ("", "")
