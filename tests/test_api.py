from pathlib import Path

import pytest

import s2scli
from s2scli import load
from s2scli.errors import ConfigError, MissingInputError, UsageError
from s2scli.pipeline.translator import Translator
from s2scli.search.settings import SearchSettings


@pytest.fixture(scope="module")
def model(trained_workspace: Path) -> Translator:
    return load(trained_workspace / "model", device="cpu")


def test_three_lines(trained_workspace: Path) -> None:
    from s2scli import load

    model = load(str(trained_workspace / "model"))
    assert [type(text) for text in model.translate(["one two three"])] == [str]


def test_empty_texts_stay_empty_and_in_place(model: Translator) -> None:
    first, blank, space, last = model.translate(["one two", "", " ", "six seven"])
    assert (blank, space) == ("", "")
    assert [first, last] == model.translate(["one two", "six seven"])
    assert model.translate([]) == []


def test_company_and_order_change_nothing(model: Translator) -> None:
    texts = ["one", "two three four", "five six", "seven seven seven"]
    alone = [model.translate([text])[0] for text in texts]
    assert model.translate(texts) == alone
    assert model.translate(texts[::-1]) == alone[::-1]


def test_settings_by_keyword(model: Translator) -> None:
    (found,) = model.search(["one two three"], SearchSettings(beam_size=1))
    assert model.translate(["one two three"], beam_size=1) == [found.hypotheses[0].text]
    with pytest.raises(ConfigError, match=r"unknown setting beem_size; did you mean beam_size\?"):
        model.translate(["one"], beem_size=2)
    with pytest.raises(ConfigError, match="beam_size"):
        model.translate(["one"], beam_size=0)
    with pytest.raises(ConfigError, match="max_length_ratio: input should be less than or equal"):
        model.translate(["one"], max_length_ratio=1e30)


def test_one_text_is_no_list_of_texts(model: Translator) -> None:
    with pytest.raises(UsageError, match=r"expected a list of texts, found one text; put it in \["):
        model.translate("abc")


def test_a_text_with_nothing_to_see_is_empty(model: Translator) -> None:
    assert model.translate(["\u200b\u00a0", "\ufeff"]) == ["", ""]


def test_a_target_is_tidied_as_the_corpus_was(model: Translator) -> None:
    (plain,), (spaced,) = (
        [found.hypotheses[0].pieces for found in model.force(["one two"], [target])]
        for target in ("two one", " two\tone\r")
    )
    assert plain == spaced


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no model here"):
        load(tmp_path / "model")


def test_the_package_names_what_it_offers() -> None:
    assert set(s2scli.__all__) <= set(dir(s2scli))


def test_unknown_characters_are_counted(model: Translator) -> None:
    known, odd = model.search(["one two", "one 犬 two"], model.search_settings)
    assert known.unknown_tokens == 0
    assert odd.unknown_tokens == 1
