import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.normalization import Normalization, normalize


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        ("none", "e\u0301 \ufb01 \u2460"),
        ("nfc", "\u00e9 \ufb01 \u2460"),
        ("nfkc", "\u00e9 fi 1"),
    ],
)
def test_accents_compose_and_only_nfkc_replaces_compatible_characters(
    normalization: Normalization, expected: str
) -> None:
    assert normalize("e\u0301 \ufb01 \u2460", normalization) == expected


@given(st.text(), st.sampled_from(get_args(Normalization)))
def test_a_normal_form_is_normal_and_stays_so(text: str, normalization: Normalization) -> None:
    once = normalize(text, normalization)
    assert normalize(once, normalization) == once
    assert normalization != "nfc" or unicodedata.is_normalized("NFC", once)
    assert normalization != "nfkc" or unicodedata.is_normalized("NFKC", once)
