from pathlib import Path

import pytest

from s2scli.errors import CorpusError
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.translation.unknown import as_dictionary, replacements

IDS = (7, UNK_ID, UNK_ID, UNK_ID, EOS_ID)
ALIGNMENT = [(0, 0), (1, 1), (0, 2), (3, 3), (2, 4)]
SURFACES = ["der", " Łukasz", " Haus"]


def test_each_unknown_token_becomes_the_source_token_it_attends_to() -> None:
    found = replacements(IDS, ALIGNMENT, SURFACES, {"der": "the"}, words=True)
    assert found == {1: " Łukasz", 2: " the"}  # the fourth attends to the end token
    found = replacements(IDS, ALIGNMENT, SURFACES, {}, words=False)
    assert found == {1: "Łukasz", 2: "der"}


def test_a_word_is_found_however_its_accents_are_encoded() -> None:
    accent = "\u0301"
    for word in (f"S{accent}lask", "Ślask"):
        dictionary = as_dictionary({word: "Silesia"})
        for surface in (f" S{accent}lask", " Ślask"):
            found = replacements([UNK_ID, EOS_ID], [(0, 0)], [surface], dictionary, words=False)
            assert found == {0: "Silesia"}


def test_the_first_translation_of_a_word_counts(tmp_path: Path) -> None:
    path = tmp_path / "dictionary.tsv"
    path.write_text("Haus\thouse\nHaus\thome\n", encoding="utf-8")
    assert as_dictionary(path) == {"Haus": "house"}
    path.write_text("Haus\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="line 1"):
        as_dictionary(path)
