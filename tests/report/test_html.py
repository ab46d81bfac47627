from html.parser import HTMLParser

from s2scli.report.colours import hex_colour
from s2scli.report.html import attention_html, grid_html
from tests.report.maps import HOSTILE, make_heads, make_map


class Reader(HTMLParser):
    """Collects the tags, the attributes and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_every_weight_is_a_cell_with_its_colour_and_its_value() -> None:
    attention = make_map(["▁a", "▁b"], ["▁x", "▁y", "</s>"])
    reader = Reader(attention_html(attention, 0.2))
    titles = [value for name, value in reader.attributes if name == "title"]
    assert titles[1] == f"▁x ← ▁b: {attention.weights[0, 1]:.3f}"
    assert len(titles) == 6
    assert ("style", f"background:{hex_colour(attention.weights[2, 1])}") in reader.attributes


def test_hostile_pieces_are_text() -> None:
    page = attention_html(make_map(HOSTILE, HOSTILE), 0.0)
    reader = Reader(page)
    assert "script" not in reader.tags
    assert "<script>alert(1)</script>" in reader.text
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_nothing_is_loaded_from_anywhere() -> None:
    page = attention_html(make_map("ab", "xy", scores=False), 0.2)
    names = {name for name, _ in Reader(page).attributes}
    assert names.isdisjoint({"src", "href"})
    assert "http:" not in page
    assert "https:" not in page
    assert "@import" not in page
    assert "log p" not in page


def test_a_grid_is_a_page_of_pictures_with_its_sentences() -> None:
    page = grid_html(make_heads(2, 3, 5, 6))
    reader = Reader(page)
    assert reader.tags.count("g") == 2 * 3
    assert "s0 s1 s2 s3 s4" in reader.text
    assert {name for name, _ in reader.attributes}.isdisjoint({"src", "href"})
