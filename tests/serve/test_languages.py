"""Names of languages, and the detection of the language of a text."""

import sys

import pytest

from s2scli.data.cleaning import language
from s2scli.serve import languages
from s2scli.serve.languages import name_of, probabilities
from s2scli.serve.refusal import RequestError


def test_names() -> None:
    assert (name_of("de"), name_of("xx")) == ("German", "xx")


@pytest.mark.parametrize(
    ("text", "code"), [("Der Hund läuft auf der Straße.", "de"), ("The dog runs.", "en")]
)
def test_detection_is_among_the_languages(text: str, code: str) -> None:
    found = probabilities(text, ["en", "de"])
    assert max(found, key=lambda each: found[each]) == code
    assert sum(found.values()) == pytest.approx(100, abs=0.2)


def test_unknown_languages_and_a_missing_detector_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(RequestError, match="cannot be detected for these models"):
        probabilities("a", ["source", "target"])
    monkeypatch.setattr(languages, "identifier", language.identifier.__wrapped__)
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(RequestError, match="needs py3langid, which is not installed"):
        probabilities("a", ["en", "de", "fr", "it"])
