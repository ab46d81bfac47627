"""A filter on texts in another language than expected, by py3langid, offline."""

from functools import cache
from typing import Any

import numpy as np

from s2scli.data.cleaning.pairs import Pairs, Scores, Texts
from s2scli.data.cleaning.rule import Context, Filter
from s2scli.data.cleaning.script import script_counts
from s2scli.errors import MissingExtraError, UsageError

MIN_LETTERS = 20  # shorter texts are not judged
MIN_CONFIDENCE = 0.5


def language_of(text: str) -> tuple[str, float]:
    """Return the code of the language of a text, and how sure that is, from 0 to 1.

    Raises:
        MissingExtraError: py3langid is not installed.
    """
    language, confidence = identifier().classify(text)
    return str(language), float(confidence)


def require_language(flag: str, code: str | None) -> None:
    """Check that a language can be recognized.

    Raises:
        MissingExtraError: py3langid is not installed.
        UsageError: py3langid does not know this language.
    """
    if code is not None and code not in identifier().labels:
        raise UsageError(
            f"{flag} {code}: unknown language; expected a code of two letters, one of "
            f"{' '.join(sorted(identifier().labels))}"
        )


@cache
def identifier() -> Any:
    """Return py3langid's identifier of all its languages; it must not be changed.

    Raises:
        MissingExtraError: py3langid is not installed.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise MissingExtraError(
            "py3langid is not installed: pip install 's2scli[clean]'"
        ) from error
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


def is_installed() -> bool:
    """Whether languages can be recognized."""
    try:
        identifier()
    except MissingExtraError:
        return False
    return True


def _score(pairs: Pairs, context: Context) -> Scores:
    wanted = context.settings.source_language, context.settings.target_language
    scores = (_wrongness(side, code) for side, code in zip(pairs.sides, wanted, strict=True))
    return np.maximum(*scores)


def _wrongness(side: Texts, code: str | None) -> Scores:
    """Return the confidence in another language for each text; 0 if it is short, [rows]."""
    scores = np.zeros(len(side.texts))
    if code is None:
        return scores
    for row in np.flatnonzero(script_counts(side).sum(1) >= MIN_LETTERS).tolist():
        found, confidence = language_of(side.texts[row])
        scores[row] = confidence if found != code else 0.0
    return scores


LANGUAGE = Filter(
    measures="confidence that a side is in another language",
    score=_score,
    limit=lambda settings: (
        MIN_CONFIDENCE if settings.source_language or settings.target_language else None
    ),
    flag="--source-language and --target-language",
    costly=True,
)
