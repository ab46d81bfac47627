import pytest

from s2scli.search.spelling import Spelling, begins_word, closes, ends_word, in_word


@pytest.mark.parametrize(
    ("character", "expected"),
    [("a", True), ("é", True), ("7", True), ("я", True), ("़", True), ("狗", False), ("の", False)]
    + [(other, False) for other in " .-_⁇<\ufe0f"],
)
def test_words_are_letters_marks_and_digits_of_scripts_with_spaces(
    character: str, expected: bool
) -> None:
    assert in_word(character) is expected


def test_edges_of_texts_and_of_broken_characters() -> None:
    assert begins_word("éa.".encode()) and not begins_word(b" a") and not begins_word(b"")
    assert ends_word(" Jürgenß".encode()) and not ends_word(b"a.") and not ends_word(b"")
    assert not begins_word(b"\xa9") and not ends_word(b"\xc3")
    assert closes(b" a") and closes(b".") and not closes(b"(") and not closes(b"-")


def test_the_tables_say_the_same_of_each_token() -> None:
    spelling = Spelling((b"", b" a", b"b.", b".", b"7", b"-"))
    assert spelling.begins_word.tolist() == [False, False, True, False, True, False]
    assert spelling.closes.tolist() == [False, True, True, True, True, False]
    assert spelling.joins.tolist() == [False, False, False, True, False, True]
    assert spelling.begins_digit.tolist() == [False, False, False, False, True, False]
