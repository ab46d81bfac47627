from pathlib import Path

import pytest
from s2scli.pipeline.translator import Translator

import s2scli
from s2scli import load
from s2scli.errors import ConfigError, MissingInputError, UsageError
from s2scli.search.settings import SearchSettings
from tests.folders import write_model

DOT = 'model.attention={kind="dot"}'


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


def test_several_folders_are_an_ensemble(trained_workspace: Path, tmp_path: Path) -> None:
    first = trained_workspace / "model"
    other = write_model(tmp_path / "other", load(first, device="cpu").tokenizers, DOT)
    texts = ["one two", "", "six seven five"]
    alone, twice = load(first, device="cpu"), load(str(first), first, device="cpu")
    assert twice.translate(texts) == alone.translate(texts)
    both, turned = load(first, other, device="cpu"), load(other, str(first), device="cpu")
    (found,), (same,) = (m.search(["one two"], SearchSettings()) for m in (both, turned))
    assert found.hypotheses[0].score == pytest.approx(same.hypotheses[0].score, abs=1e-6)
    assert both.search_settings == alone.search_settings
    assert both.has_attention


def test_an_ensemble_takes_what_every_model_takes(trained_workspace: Path, tmp_path: Path) -> None:
    first = trained_workspace / "model"
    model = load(first, device="cpu")
    other = write_model(tmp_path / "other", model.tokenizers, DOT, "training.max_length=7")
    assert model.max_source_tokens > 7
    assert load(first, other, device="cpu").max_source_tokens == 7
    assert load(other, first, device="cpu").max_source_tokens == 7
