import pytest

from s2scli.report.page import LEVELS, Part, key, key_style, level, level_style, page, sentences


def test_a_page_loads_nothing_and_its_title_is_text() -> None:
    made = page("<b>", Part("p { margin: 0 }", "<p>x</p>"))
    assert "<title>&lt;b&gt;</title>" in made
    assert "default-src 'none'" in made
    assert "p { margin: 0 }</style>" in made
    assert "<body>\n<p>x</p>\n</body>" in made


@pytest.mark.parametrize(
    ("weight", "number"), [(-1.0, 0), (0.0, 0), (0.5, 16), (1.0, LEVELS - 1), (2.0, LEVELS - 1)]
)
def test_levels(weight: float, number: int) -> None:
    assert level(weight) == number


def test_every_level_has_a_colour_for_light_and_one_for_dark() -> None:
    light, dark = level_style("fill: @").split("prefers-color-scheme: dark")
    for number in range(LEVELS):
        assert f".l{number} {{ fill: #" in light
        assert f".l{number} {{ fill: #" in dark
    assert ".l0 { fill: #ffffff }" in light
    assert ".l0 { fill: #000004 }" in dark


def test_the_key_goes_from_0_to_1() -> None:
    assert "to right, #ffffff, " in key_style()
    assert "to right, #000004, " in key_style()
    assert '0<span class="key"></span>1' in key()
    assert key(note="a < b").endswith("a &lt; b</p>")


def test_sentences_are_text() -> None:
    assert sentences("<i>", "b") == "<h1><bdi>&lt;i&gt;</bdi></h1>\n<h2><bdi>b</bdi></h2>"
