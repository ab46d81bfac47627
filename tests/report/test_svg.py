from xml.etree import ElementTree

import numpy as np
from hypothesis import given

from s2scli.report.attention import AttentionMap
from s2scli.report.page import level
from s2scli.report.svg import attention_svg
from tests.report.boxes import boxes, overlaps
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
    classes = [square.get("class") for square in root.iter(f"{SVG}rect")][1:5]
    assert classes == [f"l{level(weight)}" for weight in attention.weights.ravel().tolist()]
    (style,) = (element.text or "" for element in root.iter(f"{SVG}style"))
    assert ".l0 { fill: #ffffff }" in style
    assert ".l0 { fill: #000004 }" in style.partition("prefers-color-scheme: dark")[2]


def test_a_map_and_its_scale_have_an_edge_on_their_background() -> None:
    root = ElementTree.fromstring(attention_svg(make_map("ab", "xyz")))
    edges = [square for square in root.iter(f"{SVG}rect") if square.get("class") == "frame"]
    assert [(edge.get("width"), edge.get("height")) for edge in edges] == [
        ("48", "72"),
        ("192", "12"),
    ]


def test_everything_lies_inside_the_picture() -> None:
    pieces = tuple(f"▁{'long' * index}" for index in range(1, 9))
    root = ElementTree.fromstring(attention_svg(make_map(pieces, pieces)))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for box in boxes(attention_svg(make_map(pieces, pieces))):
        assert box.left >= 0 and box.right <= width
        assert box.top >= 0 and box.bottom <= height
    for square in root.iter(f"{SVG}rect"):
        x, y = float(square.get("x", 0)), float(square.get("y", 0))
        assert x + float(square.get("width", 0)) <= width
        assert y + float(square.get("height", 0)) <= height


def test_hostile_pieces_are_text_and_nothing_is_linked() -> None:
    hostile = (*HOSTILE, "\ufffe", "\ud800")
    picture = attention_svg(AttentionMap(hostile, hostile, np.eye(9, dtype=np.float32)))
    root = ElementTree.fromstring(picture)
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{t}" for t in ("svg", "style", "rect", "title", "text")
    }
    assert "href" not in picture
    assert "url(" not in picture
    assert "font-face" not in picture
    picture.encode()


def test_single_characters_stand_upright_over_their_columns() -> None:
    picture = attention_svg(make_map(["a", "狗", "dog", "</s>"], "xy"))
    root = ElementTree.fromstring(picture)
    texts = {text.text: text for text in root.iter(f"{SVG}text")}
    turned = {name for name, text in texts.items() if text.get("transform")}
    assert turned == {"dog", "target"}
    squares = [square for square in root.iter(f"{SVG}rect")][1:5]
    for name, square in zip("a狗", squares, strict=False):
        assert float(texts[name].get("x", 0)) == float(square.get("x", 0)) + 12
        assert float(texts[name].get("y", 0)) < float(square.get("y", 0))
    assert {"source", "target", "1  ⏎ end of the sentence"} <= set(texts)


def test_a_long_summary_does_not_make_the_picture_wider() -> None:
    name = "mean of 8 that align best (L1 H1, L1 H2, L2 H1, L2 H4, L4 H1, L4 H3, L5 H8, L6 H1)"
    attention = make_map("abc", "xyz")
    named = AttentionMap(*(tuple("abc"), tuple("xyz"), attention.weights), name=name)
    picture = ElementTree.fromstring(attention_svg(named))
    assert float(picture.get("width", 0)) < 500


@given(MAPS)
def test_no_text_overlaps_another(attention: AttentionMap) -> None:
    assert overlaps(attention_svg(attention)) == []


def test_what_was_copied_is_beside_each_row() -> None:
    attention = make_map("ab", "xyz", copies=True)
    root = ElementTree.fromstring(attention_svg(attention))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    start = texts.index("p_copy copied")
    one, two, three = attention.p_copy
    assert texts[start + 1 : start + 4] == [f"{one:6.2f} a", f"{two:6.2f}", f"{three:6.2f} a"]
