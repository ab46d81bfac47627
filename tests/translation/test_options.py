from typing import get_args

import pytest

from s2scli.data.sentences import split_sentences
from s2scli.data.stream import Unit
from s2scli.search.settings import SearchSettings
from s2scli.translation.options import Options


@pytest.mark.parametrize("unit", get_args(Unit))
def test_only_lines_are_not_divided(unit: Unit) -> None:
    splitter = Options(SearchSettings(), unit=unit).splitter
    assert splitter is (None if unit == "line" else split_sentences)


def test_a_language_chooses_the_library() -> None:
    pytest.importorskip("sentencex", reason="sentencex is not installed")
    splitter = Options(SearchSettings(), unit="sentence", language="de").splitter
    assert splitter and splitter("Am 3. Mai. Ja.") == ["Am 3. Mai. ", "Ja."]
