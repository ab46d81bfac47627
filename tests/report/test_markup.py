import pytest

from s2scli.report.markup import escaped


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("<b>&\"'", "&lt;b&gt;&amp;&quot;&#x27;"),
        ("\x1b\x00", "␛␀"),
        ("a\ud800\uffff", "a\ufffd\ufffd"),
    ],
)
def test_text_is_escaped(text: str, safe: str) -> None:
    assert escaped(text) == safe
