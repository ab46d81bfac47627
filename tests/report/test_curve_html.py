import math
import re
from xml.etree import ElementTree

import pytest

from s2scli.report.curve import Curve
from s2scli.report.curve_html import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Plot,
    curves_html,
    curves_part,
)
from s2scli.report.tables import make_table
from tests.report.boxes import overlaps
from tests.report.test_html import Reader

LINE = Curve("training loss", (0.0, 50.0, 100.0), (4.0, 2.0, 1.0))
MARKS = Curve("validation loss", (50.0, 100.0), (2.5, 1.5), mark="●")


TABLE = make_table((), ())


def picture_of(page: str) -> ElementTree.Element:
    found = re.search(r"<svg .*?</svg>", page, re.DOTALL)
    assert found
    return ElementTree.fromstring(found[0])


def test_a_line_goes_through_its_values_and_marks_tell_theirs() -> None:
    picture = picture_of(curves_html("Training", curves_part([Plot("loss", [LINE, MARKS])], TABLE)))
    (line,) = picture.iter("polyline")
    points = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    middle = bottom - (bottom - TOP) / 3  # 2 is a third of the way from 1 to 4
    expected = [(LEFT, TOP), ((LEFT + right) / 2, middle), (right, bottom)]
    for point, place in zip(points, expected, strict=True):
        assert point == pytest.approx(place, abs=0.1)
    titles = [title.text for title in picture.iter("title")]
    assert titles == ["validation loss at step 50: 2.5", "validation loss at step 100: 1.5"]


def test_the_axes_have_round_numbers_and_a_title() -> None:
    texts = [
        t.text
        for t in picture_of(curves_html("T", curves_part([Plot("loss", [LINE])], TABLE))).iter(
            "text"
        )
    ]
    assert texts == ["1", "2", "3", "4", "0", "10", *map(str, range(20, 101, 10)), "step"]


@pytest.mark.parametrize("top", [1e-9, 0.123, 98765.4, 1e12])
@pytest.mark.parametrize("steps", [7.0, 123456.0, 1e9])
def test_no_numbers_of_the_axes_overlap(top: float, steps: float) -> None:
    curve = Curve("a", (0.0, steps), (0.0, top))
    picture = picture_of(curves_html("T", curves_part([Plot("loss", [curve])], TABLE)))
    assert overlaps(ElementTree.tostring(picture, encoding="unicode")) == []


def test_a_single_value_is_drawn_and_none_is_not() -> None:
    one = Plot("one", [Curve("a", (3.0,), (7.0,), mark="◆")])
    none = Plot("none", [Curve("b", (1.0,), (math.nan,))])
    reader = Reader(curves_html("T", curves_part([one, none], TABLE)))
    assert (reader.tags.count("svg"), reader.tags.count("circle")) == (1, 1)


def test_the_table_is_below_and_text_is_text() -> None:
    table = make_table(("", "best"), [("<u>", "1"), ("bleu", "2")], numbers=("best",))
    page = curves_html("<b>", curves_part([Plot("<i>", [LINE])], table))
    reader = Reader(page)
    assert {"b", "i", "u"}.isdisjoint(reader.tags)
    assert '<tr><td><bdi>bleu</bdi></td><td class="n"><bdi>2</bdi></td></tr>' in page
    assert "prefers-color-scheme: dark" in page
    assert {name for name, _ in reader.attributes}.isdisjoint({"src", "href"})
    assert "script" not in reader.tags
