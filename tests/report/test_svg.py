from xml.etree import ElementTree

import numpy as np
from hypothesis import given

from s2scli.report.attention import AttentionMap
from s2scli.report.colours import hex_colour
from s2scli.report.svg import attention_svg
from tests.report.maps import HOSTILE, MAPS, make_map

SVG = "{http://www.w3.org/2000/svg}"


@given(MAPS)
def test_it_is_xml_with_a_square_for_each_weight(attention: AttentionMap) -> None:
    root = ElementTree.fromstring(attention_svg(attention))
    titles = [title.text for title in root.iter(f"{SVG}title")]
    assert len(titles) >= attention.weights.size


def test_squares_have_the_colour_of_their_weight() -> None:
    attention = make_map("ab", "xy")
    root = ElementTree.fromstring(attention_svg(attention))
    fills = [square.get("fill") for square in root.iter(f"{SVG}rect")][1:5]
    assert fills == [hex_colour(weight) for weight in attention.weights.ravel().tolist()]


def test_everything_lies_inside_the_picture() -> None:
    pieces = tuple(f"▁{'long' * index}" for index in range(1, 9))
    root = ElementTree.fromstring(attention_svg(make_map(pieces, pieces)))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for square in root.iter(f"{SVG}rect"):
        x, y = float(square.get("x", 0)), float(square.get("y", 0))
        assert x + float(square.get("width", 0)) <= width
        assert y + float(square.get("height", 0)) <= height


def test_hostile_pieces_are_text_and_nothing_is_linked() -> None:
    hostile = (*HOSTILE, "\ufffe", "\ud800")
    picture = attention_svg(AttentionMap(hostile, hostile, np.eye(9, dtype=np.float32)))
    root = ElementTree.fromstring(picture)
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{t}" for t in ("svg", "rect", "title", "text")
    }
    assert "href" not in picture
    assert "url(" not in picture
    assert "font-face" not in picture
    picture.encode()
