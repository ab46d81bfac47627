import pytest

from s2scli.data.stream import Line
from s2scli.translation.lines import Failure
from s2scli.translation.pairs import EncodedPair, Pair, encode_pair, pair_of, pairs_of, scored
from s2scli.translation.records import Record
from s2scli.translation.results import Translation
from tests.translation.stub import WordCodec

WORDS = WordCodec()


def encoded(source: str, target: str, most: int = 3) -> EncodedPair | Record:
    return encode_pair(Pair(Line("f", 1, ""), source, target), WORDS, WORDS, most)


@pytest.mark.parametrize(
    ("text", "one_column", "expected"),
    [
        ("a\tb", False, ("a", "b", "")),
        ("a", True, ("a", "a", "")),
        ("a", False, ("", "", "no TAB, expected source TAB target")),
        ("a\tb\tc", False, ("", "", "3 columns, expected source TAB target")),
        ("a\tb", True, ("", "", "2 columns, expected one")),
    ],
)
def test_a_line_is_a_pair_or_says_why_not(
    text: str, one_column: bool, expected: tuple[str, str, str]
) -> None:
    pair = pair_of(Line("f", 1, text), one_column=one_column)
    assert (pair.source, pair.target) == expected[:2]
    assert pair.fault.startswith(expected[2]) and bool(pair.fault) == bool(expected[2])


def test_a_line_that_was_cut_is_no_pair() -> None:
    pair = pair_of(Line("f", 1, "a\tb", cut=True))
    assert (pair.source, pair.fault) == ("", "longer than 10,000,000 bytes")


def test_texts_that_belong_together_are_pairs_with_their_lines() -> None:
    pairs = pairs_of("the test split", ["a", "b"], ["c", "d"])
    assert [(pair.source, pair.target) for pair in pairs] == [("a", "c"), ("b", "d")]
    assert [pair.line.where for pair in pairs] == [
        "the test split, line 1",
        "the test split, line 2",
    ]


@pytest.mark.parametrize(("source", "target"), [("a b c d", "a"), ("a", "a b c d")])
def test_a_side_that_is_too_long_fails_the_pair(source: str, target: str) -> None:
    found = encoded(source, target)
    assert isinstance(found, Record)
    assert found.status == "failed"
    side = "source" if len(source) > len(target) else "target"
    assert found.fault == f"too long: the {side} has 4 tokens, the model accepts at most 3"


def test_without_a_source_there_is_nothing_to_score_and_without_a_target_its_end() -> None:
    empty, ended = encoded(" ", "a"), encoded("a", "")
    assert isinstance(empty, Record) and empty.status == "empty"
    assert isinstance(ended, EncodedPair) and len(ended.target) == 0


def test_a_fault_of_the_line_is_that_of_its_record() -> None:
    found = encode_pair(Pair(Line("f", 1, "a"), fault="no TAB"), WORDS, WORDS, 3)
    assert isinstance(found, Record)
    assert (found.status, found.fault) == ("failed", "no TAB")


def test_what_the_model_found_or_failed_at_is_recorded_with_both_sides() -> None:
    pair = encoded("a", "b")
    assert isinstance(pair, EncodedPair)
    translation = Translation("a", ("a", "</s>"), ())
    for found, status in ((translation, "ok"), (Failure("RuntimeError: x"), "failed")):
        record = scored(pair, found)
        assert (record.status, record.source, record.target) == (status, "a", "b")
        assert record.fault == ("" if status == "ok" else "RuntimeError: x")
        assert (record.translation is translation) == (status == "ok")
