import math
from html.parser import HTMLParser

from s2scli.report.html import attention_html
from s2scli.report.page import level
from tests.report.maps import HOSTILE, make_map


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
    classes = [value for name, value in reader.attributes if name == "class"]
    levels = [int(c[1:]) for c in classes if c and c[0] == "l" and c[1:].isdigit()]
    assert levels == [level(float(weight)) for weight in attention.weights.ravel()]


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
    assert "prob" not in page


def test_the_facts_are_those_of_the_terminal() -> None:
    attention = make_map(["▁a", "▁b", "</s>"], ["▁x", "</s>"])
    text = Reader(attention_html(attention, 0.2)).text
    assert "bestweightbitsprob" in text
    assert attention.token_scores is not None
    best = attention.best[0]
    label = ("▁a", "▁b", "⏎")[best]
    weight, score = attention.weights[0, best], attention.token_scores[0]
    assert f"{label}{weight:.2f}{attention.entropies[0]:.1f}{math.exp(score):.2f}" in text


def test_single_characters_stand_upright() -> None:
    page = attention_html(make_map(["a", "e\u0301", "狗", "dog", "</s>"], "xy"), 0.2)
    assert page.count('class="long"') == 1


def test_the_axes_have_titles_and_signs_a_legend() -> None:
    text = Reader(attention_html(make_map(["a", "</s>"], ["x", "</s>"]), 0.2)).text
    assert "source" in text and "target" in text
    assert "</s>" not in text
    assert "⏎ end of the sentence" in text


def test_the_page_is_light_or_dark() -> None:
    page = attention_html(make_map("ab", "xy"), 0.2)
    assert "prefers-color-scheme: dark" in page
    assert ".l0 { background: #ffffff }" in page
    assert ".l0 { background: #000004 }" in page


def test_what_was_copied_has_two_columns() -> None:
    attention = make_map("ab", "xyz", copies=True)
    text = Reader(attention_html(attention, 0.2)).text
    assert "p_copycopied" in text
    assert f"{attention.p_copy[0]:.2f}a" in text and f"{attention.p_copy[2]:.2f}a" in text
    assert "p_copy" not in Reader(attention_html(make_map("ab", "xyz"), 0.2)).text
