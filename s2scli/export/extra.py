"""The optional packages that write exports and run them."""

import importlib
from typing import Any

from s2scli.errors import MissingExtraError


def require_ctranslate2() -> Any:
    """Import and return ctranslate2.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require_extra("ctranslate2", "CTranslate2", "ctranslate2")


def require_onnx() -> Any:
    """Import and return onnx, which writes graphs.

    Raises:
        MissingExtraError: it is not installed.
    """
    return require_extra("onnx", "ONNX", "onnx")


def require_extra(package: str, name: str, extra: str) -> Any:
    """Import and return a package.

    Args:
        package: the package to import.
        name: its name, as shown to users.
        extra: the extra of s2scli that installs it.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingExtraError(
            f"{name} is not installed: pip install 's2scli[{extra}]'"
        ) from error
