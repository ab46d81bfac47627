"""Refusals name the limit."""

from s2scli.serve.refusal import over


def test_a_limit_is_named() -> None:
    refused = over("max_lines", 200, 1234)
    assert refused.status == 413
    assert refused.message == str(refused) == "max_lines: at most 200 here, found 1,234"
    assert "at most 10,000,000 here, found 10,000,001" in over("max_body", 10**7, 10**7 + 1).message
