import json
import re
from typing import cast
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from s2scli.report.attention import AttentionMap
from s2scli.report.colours import ColourSystem
from s2scli.report.grid import grid_document, grid_svg, pooled, render_grid
from s2scli.report.heads import AttentionHeads
from tests.report.boxes import overlaps
from tests.report.maps import HEADS, HOSTILE, diagonal_heads, make_heads, make_map

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
SYSTEMS = st.sampled_from(["truecolor", "256", "standard", None])
SVG = "{http://www.w3.org/2000/svg}"


def labels(text: str) -> list[list[str]]:
    """The labels of each line that has some."""
    lines = (re.findall(r"head \d+(?: best)?(?= *(?:head|$))", line) for line in text.split("\n"))
    return [line for line in lines if line]


@settings(max_examples=40)
@given(HEADS, st.integers(32, 160), SYSTEMS)
def test_no_line_is_wider_than_asked_and_every_head_is_there(
    heads: AttentionHeads, width: int, system: ColourSystem
) -> None:
    text = ESCAPES.sub("", render_grid(heads, width, system))
    assert all(cell_len(line) <= width for line in text.split("\n"))
    shown = [label.removesuffix(" best") for line in labels(text) for label in line]
    assert shown == [
        f"head {head + 1}" for _, head in np.ndindex(heads.num_layers, heads.num_heads)
    ]
    layers = dict.fromkeys(re.findall(r"^layer (\d+)$", text, re.MULTILINE))
    assert list(layers) == [str(layer + 1) for layer in range(heads.num_layers)]
    assert len(re.findall(r"head \d+ best", text)) == 1


def test_a_small_grid_whole() -> None:
    heads = diagonal_heads(1, 2, 4, at=(0, 1))
    uniform, step = "░" * 16, "████"
    assert render_grid(heads, 40, None).split("\n\n") == [
        "s0 s1 s2\nt0 t1 t2",
        "layer 1\nhead 1               head 2 best\n"
        + "".join(f"{uniform}     {'    ' * index}{step}\n" for index in range(4) for _ in range(2))
        + "entropy 2.0          entropy 0.0\norder +0.00          order +1.00",
        "0   ░░▒▒▓▓██ 1",
        "Rows are target pieces from top to\n"
        "bottom, columns are source pieces from\n"
        "left to right. Entropy is the mean over\n"
        "the rows, in bits: 0 means that each row\n"
        "looks at one source piece. Order is the\n"
        "diagonality: 1 follows the order of the\n"
        "source, -1 reverses it, 0 does neither.\n"
        "The head marked best has the largest\n"
        "sharpness x coverage, without the end\n"
        "tokens: 1.00.\n"
        "Attention shows where the decoder\n"
        "looked; it is not an explanation of why\n"
        "it chose a word (Jain and Wallace 2019).\n",
    ]


@pytest.mark.parametrize(
    ("width", "together"), [(32, [2, 2, 2, 2]), (60, [4, 4]), (110, [8]), (44, [3, 3, 2])]
)
def test_heads_stand_side_by_side_while_there_is_room(width: int, together: list[int]) -> None:
    text = render_grid(make_heads(2, 8, 9, 9), width, None)
    assert [len(line) for line in labels(text)] == together * 2


def test_the_numbers_are_those_of_the_heads() -> None:
    heads = make_heads(2, 3, 6, 7)
    text = render_grid(heads, 80, None)
    entropies, orders = (re.findall(rf"{name} (\S+)", text) for name in ("entropy", "order"))
    orders = [order for order in orders if order[0] in "+-"]
    for entropy, order, index in zip(entropies, orders, np.ndindex(2, 3), strict=True):
        assert float(entropy) == pytest.approx(heads.entropies[index], abs=0.051)
        assert float(order) == pytest.approx(heads.diagonalities[index], abs=0.0051)


def test_a_grid_has_colours_or_not() -> None:
    heads = diagonal_heads(2, 2, 8, at=(1, 0))
    coloured, plain = (render_grid(heads, 80, system) for system in ("truecolor", None))
    assert "38;2;252;253;191" in coloured and "▀" in coloured
    assert "\x1b" not in plain and "▀" not in plain and "█" in plain
    assert "8;2;255;255;255" in render_grid(heads, 80, "truecolor", light=True)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 20), st.integers(1, 20))
def test_points_are_the_largest_of_what_they_cover(
    rows: int, columns: int, down: int, across: int
) -> None:
    weights = make_map(["a"] * columns, ["b"] * rows).weights
    points = pooled(weights, down, across)
    assert points.shape == (down, across)
    assert set(points.ravel()) <= set(weights.ravel())
    assert points.max() == weights.max()
    if (down, across) == (rows, columns):
        assert (points == weights).all()
    for row in range(down):
        top, bottom = row * rows // down, -(-(row + 1) * rows // down)
        left, right = 0, -(-columns // across)
        assert points[row, 0] == weights[top:bottom, left:right].max()


def test_the_json_document_holds_every_map_exactly() -> None:
    heads = make_heads(2, 3, 4, 5)
    document = json.loads(json.dumps(grid_document(heads)))
    again = np.array([one["weights"] for one in document["maps"]], np.float32)
    assert (again.reshape(heads.weights.shape) == heads.weights).all()
    assert [(one["layer"], one["head"]) for one in document["maps"]] == [
        (layer, head) for layer in (1, 2) for head in (1, 2, 3)
    ]
    assert document["best"] == {"layer": heads.best[0] + 1, "head": heads.best[1] + 1}
    best = max(document["maps"], key=lambda one: cast(float, one["alignment_quality"]))
    assert {"layer": best["layer"], "head": best["head"]} == document["best"]


@settings(max_examples=40)
@given(HEADS)
def test_the_picture_has_a_square_for_every_weight_that_shows(heads: AttentionHeads) -> None:
    root = ElementTree.fromstring(grid_svg(heads))
    assert len(list(root.iter(f"{SVG}g"))) == heads.num_layers * heads.num_heads
    squares = sum(path.get("d", "").count("M") for path in root.iter(f"{SVG}path"))
    assert squares == (np.rint(heads.weights * 31) > 0).sum()


def test_squares_lie_where_their_weights_do_in_their_colour() -> None:
    root = ElementTree.fromstring(grid_svg(diagonal_heads(1, 2, 3, at=(0, 1))))
    last = list(root.iter(f"{SVG}g"))[1]
    (path,) = last.iter(f"{SVG}path")
    assert path.get("class") == "l31"
    assert path.get("d") == "M0 0h1v1h-1zM1 1h1v1h-1zM2 2h1v1h-1z"
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert texts[texts.index("layer 1 head 2") :][:3] == [
        "layer 1 head 2",
        "entropy 0.0 bits",
        "order +1.00, best",
    ]


def test_the_picture_has_a_scale() -> None:
    root = ElementTree.fromstring(grid_svg(make_heads(1, 2, 3, 4)))
    assert {"0", "1  attention weight"} <= {text.text for text in root.iter(f"{SVG}text")}
    scale = [square.get("class") for square in root.iter(f"{SVG}rect") if list(square)]
    assert (len(scale), scale[0], scale[-1]) == (16, "l0", "l31")


def test_hostile_text_is_harmless_in_a_grid() -> None:
    weights = make_map(HOSTILE, HOSTILE).weights
    heads = AttentionHeads(HOSTILE, HOSTILE, weights[None, None])
    assert isinstance(heads.map(weights), AttentionMap)
    assert "<script" not in grid_svg(heads)
    shown = render_grid(heads, 80, None)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown)


@settings(max_examples=40)
@given(HEADS)
def test_no_text_of_the_picture_overlaps_another(heads: AttentionHeads) -> None:
    assert overlaps(grid_svg(heads)) == []
