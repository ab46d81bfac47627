"""The catalogue: models by name and by language."""

import pytest

from s2scli.serve.models import Catalogue, Insights
from s2scli.serve.refusal import RequestError
from tests.serve.serving import served
from tests.sounds import tone_translator

EN_DE, SMALL, DE_EN = (
    served("en-de"),
    served("small"),
    served("back", source="de", target="en", insights=Insights(search=lambda text: {})),
)
CATALOGUE = Catalogue((EN_DE, SMALL, DE_EN))


def test_languages_have_their_targets() -> None:
    assert CATALOGUE.languages() == [
        {"code": "en", "name": "English", "targets": ["de"]},
        {"code": "de", "name": "German", "targets": ["en"]},
    ]


def test_a_model_is_chosen_by_languages_or_by_name() -> None:
    assert CATALOGUE.choose("", "en", "de").model is EN_DE
    assert CATALOGUE.choose("", "en", "de", "small").model is SMALL
    assert CATALOGUE.choose("", "de", "en").model is DE_EN
    assert CATALOGUE.named("") is EN_DE
    assert CATALOGUE.named("back") is DE_EN


@pytest.mark.parametrize(
    ("source", "target", "name"),
    [("en", "fr", ""), ("de", "en", "small"), ("en", "de", "none"), ("auto", "fr", "")],
)
def test_what_is_not_served_is_refused_with_what_is(source: str, target: str, name: str) -> None:
    with pytest.raises(RequestError, match=r"expected one of en-de \(en-de\), en-de \(small\)"):
        CATALOGUE.choose("", source, target, name)


def test_the_language_is_detected_among_the_models() -> None:
    french = served("fr-de", source="fr")
    found = Catalogue((EN_DE, french, DE_EN)).choose("Le chien est dans la rue.", "auto", "de")
    assert found.model is french
    assert found.detected is not None
    assert found.detected["language"] == "fr"


def test_what_is_no_language_or_only_written_is_not_detected() -> None:
    phones, plain = served("en-ipa", target="ipa"), served("plain", source="source", target="de")
    catalogue = Catalogue((phones, plain, EN_DE, served("fr-de", source="fr")))
    assert catalogue.detect("The dog is in the street.").keys() == {"en", "fr"}
    assert catalogue.choose("The dog is in the street.", "auto", "de").model is EN_DE
    assert catalogue.choose("The dog is in the street.", "auto", "ipa").model is phones
    with pytest.raises(RequestError, match="cannot be detected for these models; give it"):
        Catalogue((plain, DE_EN)).choose("Der Hund", "auto", "de")


def test_models_of_another_kind_are_refused() -> None:
    with pytest.raises(RequestError, match="no model here reads recordings"):
        CATALOGUE.named("", "audio")
    with pytest.raises(RequestError, match="no such model that reads text; expected one of en-de"):
        CATALOGUE.named("none")


def test_the_page_is_told_what_a_model_can_do() -> None:
    assert DE_EN.document() == {
        "name": "back",
        "source": {"code": "de", "name": "German"},
        "target": {"code": "en", "name": "English"},
        "reads": "text",
        "writes": "text",
        "attention": True,
        "insights": ["search"],
    }
    sound = served("tones", tone_translator())
    assert sound.reads == "audio"
    assert Catalogue((sound,)).languages() == []
    assert Catalogue((sound,)).named("tones", "audio") is sound
