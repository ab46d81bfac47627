"""What is said where the package is missing."""

import sys

import pytest

from s2scli.errors import MissingExtraError
from s2scli.export.extra import require_ctranslate2


def test_without_ctranslate2_one_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[ctranslate2\]'") as raised:
        require_ctranslate2()
    assert raised.value.exit_status == 69
