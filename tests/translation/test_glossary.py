from collections import Counter
from pathlib import Path

import pytest

from s2scli.errors import CorpusError, MissingInputError
from s2scli.translation.glossary import Glossary, as_glossary, holds, read_terms, read_words


def test_terms_count_by_themselves_and_the_longest_first() -> None:
    glossary = Glossary({"dog": "Hund", "hot dog": "Wurst", "c++": "C-plus-plus", "狗": "Hund"})
    assert glossary.find("a dog, hot dogs: dog's Dog") == Counter({"Hund": 2})
    assert glossary.find("hot dog dog 大狗") == Counter({"Wurst": 1, "Hund": 2})
    assert glossary.find("c++ (c++)") == Counter({"C-plus-plus": 2})
    assert not Glossary().find("dog")


def test_no_mark_continues_a_term_and_accents_are_part_of_letters() -> None:
    heart, delhi = "\u0926\u093f\u0932", "\u0926\u093f\u0932\u094d\u0932\u0940"
    assert delhi.startswith(heart)
    glossary = Glossary({heart: "heart", "cafe": "plain", "caf\u00e9": "accent"})
    assert glossary.find(f"{delhi} {heart}") == Counter({"heart": 1})
    assert glossary.find("cafe\u0301 caf\u00e9 cafe") == Counter({"accent": 2, "plain": 1})
    assert as_glossary({"cafe\u0301": "accent"}).find("caf\u00e9") == Counter({"accent": 1})


def test_a_word_stands_alone_among_characters_without_spaces() -> None:
    assert Glossary({"iPhone": "phone"}).find("我用iPhone手机") == Counter({"phone": 1})
    assert holds("我用iPhone手机", "iPhone") and not holds("iPhones eiPhone", "iPhone")


def test_a_file_is_read_and_blank_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "terms.tsv"
    path.write_text("dog\t Hund \n\ncat\tKatze\ndog\tHund\n", encoding="utf-8")
    glossary = as_glossary(path)
    assert glossary.terms == {"dog": "Hund", "cat": "Katze"} and glossary.lines["cat"] == 3
    assert [number for number, _ in read_terms(path, "terms")] == [1, 3, 4]
    assert read_words(path) == ["dog\t Hund", "cat\tKatze", "dog\tHund"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"dog\n", r"line 1: expected source term TAB target term, found 'dog'"),
        (b"a\tb\ndog\t \n", "line 2: expected source term TAB target term"),
        (b"a\tb\tc\n", "line 1: expected"),
        (b"a\tb\na\tc\n", "line 2: 'a' has another target term in line 1"),
        ("caf\u00e9\tb\ncafe\u0301\tc\n".encode(), "line 2: .* has another target term in line 1"),
        (b"\xff\tb\n", "line 1: .*UTF-8"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "terms.tsv"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=fault):
        as_glossary(path)
    with pytest.raises(MissingInputError):
        as_glossary(tmp_path / "other.tsv")
