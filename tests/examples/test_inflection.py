"""The example of inflection: how tables are spelled, and what its script asks of s2s."""

import gzip
from pathlib import Path

import pytest

from s2scli.config import load_recipe
from tests.examples.scripts import EXAMPLES, asked_of_s2s, load_script

EXAMPLE = EXAMPLES / "inflection"
SPELL = load_script(EXAMPLE / "spell.py")


def test_a_row_is_its_characters_and_features() -> None:
    rows = ["walk\tV;NOM(3,SG)\twalks\n", "ab c\tADJ;V.PTCP\tc b"]
    assert list(SPELL.spell(rows)) == [
        "w a l k +V +NOM +3 +SG\tw a l k s\n",
        "a b _ c +ADJ +V.PTCP\tc _ b\n",
    ]


@pytest.mark.parametrize("word", ["a_b", "a+b"])
def test_a_character_that_stands_for_something_else_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="which stand for something else"):
        SPELL.characters(word)


def test_the_recipe_copies() -> None:
    recipe = load_recipe("inflection")
    assert recipe.model.output.kind == "pointer"
    assert recipe.training.metric == "exact_match"


def test_every_language_has_the_same_commands(tmp_path: Path) -> None:
    for language in ("eng", "tur"):
        for split in ("train", "dev", "test"):
            row = b"walk\tV;PST\twalked\n"
            (tmp_path / f"{language}.{split}.tsv.gz").write_bytes(gzip.compress(row))
    work = tmp_path / "work"
    asked = asked_of_s2s(EXAMPLE / "run.sh", tmp_path, work, "eng", "tur", folder=tmp_path)
    commands = ["prepare", "train-tokenizer", "train", "evaluate"]
    assert [words[0] for words in asked] == commands * 2
    changed = [[word.replace("/tur", "/eng") for word in words] for words in asked[4:]]
    assert changed == asked[:4]
    assert (work / "eng/test.tsv").read_text() == "w a l k +V +PST\tw a l k e d\n"
