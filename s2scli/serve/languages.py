"""Codes and names of languages, and the detection of the language of a text."""

import functools
import re
from collections.abc import Sequence
from typing import Any

from s2scli.serve.refusal import RequestError

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


def detect(text: str, codes: Sequence[str]) -> tuple[str, float]:
    """Return the language of a text and the confidence in percent.

    Args:
        text: the text.
        codes: the languages to choose from.

    Raises:
        RequestError: the detector does not know all of these languages, or is not installed (400).
    """
    try:
        identifier = _identifier(tuple(codes))
    except ImportError as error:
        raise RequestError(
            400, "source: detection needs py3langid, which is not installed on the server; give it"
        ) from error
    except ValueError as error:
        raise RequestError(
            400, f"source: cannot detect one of {', '.join(codes)}; give it"
        ) from error
    language, probability = identifier.classify(text)
    return str(language), round(100 * float(probability), 1)


@functools.lru_cache(maxsize=8)
def _identifier(codes: tuple[str, ...]) -> Any:
    """Return a detector of these languages."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(codes))
    return identifier
