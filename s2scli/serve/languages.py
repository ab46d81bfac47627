"""Codes and names of languages, and the detection of the language of a text."""

import copy
import functools
import re
from collections.abc import Collection
from typing import Any

from s2scli.data.cleaning.language import identifier
from s2scli.errors import MissingExtraError
from s2scli.serve.refusal import RequestError

UNDETECTED = "source: it cannot be detected for these models; give it"
CODE = re.compile(r"[A-Za-z]{2,3}(?:_[A-Za-z0-9]{2,8})*")
# ISO 639-1, with the names that LibreTranslate gives them.
NAMES = {
    "ar": "Arabic",
    "az": "Azerbaijani",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "eo": "Esperanto",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fr": "French",
    "ga": "Irish",
    "gl": "Galician",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "ms": "Malay",
    "nb": "Norwegian",
    "nl": "Dutch",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sq": "Albanian",
    "sv": "Swedish",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "vi": "Vietnamese",
    "zh": "Chinese",
}


def name_of(code: str) -> str:
    """Return the English name of a language; the code itself if it has none here."""
    return NAMES.get(code, code)


def probabilities(text: str, codes: Collection[str]) -> dict[str, float]:
    """Return how probable it is that a text is in each of some languages, in percent.

    Args:
        text: the text.
        codes: the languages; those that the detector does not know are left out, and the
            probabilities of the others add up to 100.

    Raises:
        RequestError: the detector knows none of these languages, or is not installed (400).
    """
    try:
        known = tuple(code for code in codes if code in identifier().labels)
    except MissingExtraError as error:
        raise RequestError(
            400, "source: detection needs py3langid, which is not installed on the server; give it"
        ) from error
    if not known:
        raise RequestError(400, UNDETECTED)
    found = _identifier(known).rank(text)
    return {str(code): round(100 * float(share), 1) for code, share in found}


@functools.lru_cache(maxsize=8)
def _identifier(codes: tuple[str, ...]) -> Any:
    """Return a detector of these languages."""
    some = copy.copy(identifier())
    some.set_languages(list(codes))
    return some
