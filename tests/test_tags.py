import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.tags import NAME, check_tag, divide_tag, is_tag, tag_of, tagged, token_of

names = st.from_regex(NAME, fullmatch=True)


@settings(max_examples=25)
@given(names, st.text())
def test_a_text_with_a_tag_is_divided_again(name: str, text: str) -> None:
    assert divide_tag(tagged(name, text), {name}) == (name, text)
    assert divide_tag(tagged(name, text), {f"{name}x"}) == ("", tagged(name, text))
    assert tag_of(token_of(name)) == name
    assert check_tag(name) == name


@pytest.mark.parametrize("name", ["", "a b", "ä", "-a", "a>", "x" * 33, "a\n"])
def test_what_is_no_tag(name: str) -> None:
    assert not is_tag(name)
    assert tag_of(f"<2{name}>") == ""
    with pytest.raises(ValueError, match="not a tag"):
        check_tag(name)


@given(st.text())
def test_a_text_without_a_tag_stays(text: str) -> None:
    assert divide_tag(f"x{text}", {"de"}) == ("", f"x{text}")
    assert divide_tag(text, ()) == ("", text)
