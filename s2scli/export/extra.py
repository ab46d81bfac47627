"""The optional package ctranslate2, needed to export models and to run exports."""

from typing import Any

from s2scli.errors import MissingExtraError


def require_ctranslate2() -> Any:
    """Import and return ctranslate2.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import ctranslate2
    except ImportError as error:
        raise MissingExtraError(
            "CTranslate2 is not installed: pip install 's2scli[ctranslate2]'"
        ) from error
    return ctranslate2
