import re
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style
from rich.text import Text

from s2scli.report.attention import AttentionMap
from s2scli.report.colours import ColourSystem, weight_colour
from s2scli.report.heatmap import MIN_WIDTH, heatmap_lines, render_attention
from tests.report.maps import HOSTILE, MAPS, diagonal, make_map

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
SYSTEMS = st.sampled_from(["truecolor", "256", "standard", None])


def rows_of(attention: AttentionMap, width: int) -> list[str]:
    """The rows of a plain map that fits on one page, without labels and facts."""
    lines = [line.plain for line in heatmap_lines(attention, width, None)]
    size = len(attention.source_pieces)
    labels = max(cell_len(piece) for piece in attention.target_pieces) + 1
    return [line[labels : labels + 2 * size] for line in lines[-size:]]


@given(MAPS, st.integers(MIN_WIDTH, 160), SYSTEMS, st.sampled_from([True, False, None]))
def test_no_line_is_wider_than_asked(
    attention: AttentionMap, width: int, system: ColourSystem, half: bool | None
) -> None:
    text = render_attention(attention, width, system, half=half, threshold=0.2)
    for line in text.split("\n"):
        assert cell_len(ESCAPES.sub("", line)) <= width


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_diagonal_is_drawn_as_one(width: int) -> None:
    assert rows_of(diagonal(9), width) == [
        f"{' ' * 2 * index}██{' ' * 2 * (8 - index)}" for index in range(9)
    ]


def test_a_small_map_whole() -> None:
    weights = np.array([[0.9, 0.1, 0.0], [0.3, 0.5, 0.2], [0.0, 0.3, 0.7]], np.float32)
    attention = AttentionMap(
        ("▁A", "▁狗", "</s>"), ("▁Ein", "▁Hund", "</s>"), weights, (0.0, np.log(0.5), -100.0)
    )
    assert render_attention(attention, 60, None, threshold=0.25).split("\n\n") == [
        "A 狗\nEin Hund",
        "      ▁ ▁\n"
        "      A 狗⏎   best weight bits prob\n"
        "▁Ein  ██      ▁A     0.90  0.5 1.00\n"
        "▁Hund ░░▒▒░░  ▁狗    0.50  1.5 0.50\n"
        "⏎       ░░▓▓  ⏎      0.70  0.9 0.00",
        "0   ░░▒▒▓▓██ 1   ⏎ end of the sentence",
        "Ein  ◄━ A 0.90\nHund ◄━ 狗 0.50 ◄─ A 0.30\n⏎    ◄━ ⏎ 0.70 ◄─ 狗 0.30",
        "mean entropy 0.95 bits (uniform would be 1.58) · coverage of\n"
        "the source 93% · attention on the end token 30%\n"
        "Attention shows where the decoder looked; it is not an\n"
        "explanation of why it chose a word (Jain and Wallace 2019).\n",
    ]


def test_a_wide_map_goes_on_in_pages_that_repeat_the_labels() -> None:
    attention = AttentionMap(
        tuple(str(index) for index in range(40)), ("▁x", "▁y"), np.eye(2, 40, 1, dtype=np.float32)
    )
    lines = [line.plain for line in heatmap_lines(attention, 40, None)]
    rows = [line for line in lines if line.startswith("▁x ")]
    cells = "".join(row[3:] for row in rows[:-1])  # the last page holds the facts
    assert len(rows) == 4
    assert cells == "  ██" + " " * 76


def test_facts_stand_beside_the_map_or_below_it() -> None:
    attention = make_map(["▁a"] * 12, ["▁x"] * 3)
    beside = [line.plain for line in heatmap_lines(attention, 80, None)]
    below = [line.plain for line in heatmap_lines(attention, MIN_WIDTH, None)]
    assert sum("weight bits prob" in line for line in beside) == 1
    assert [line.split()[-4:] for line in beside[-3:]] == [line.split()[-4:] for line in below[-3:]]
    assert len(below) == len(beside) + 1 + 4


@pytest.mark.parametrize("rows", [4, 5])
def test_half_blocks_have_the_colours_of_full_rows(rows: int) -> None:
    attention = make_map(["▁a", "b", "▁c"], [f"▁{row}" for row in range(rows)])
    lines = heatmap_lines(attention, 80, "truecolor", half=True)[-((rows + 1) // 2) :]
    for index, line in enumerate(lines):
        styles = [cast(Style, span.style) for span in line.spans]
        upper, lower = (
            attention.weights[2 * index],
            attention.weights[2 * index + 1 : 2 * index + 2],
        )
        assert [style.color for style in styles] == [
            weight_colour(float(weight), "truecolor") for weight in upper
        ]
        assert [style.bgcolor for style in styles if style.bgcolor] == [
            weight_colour(float(weight), "truecolor") for weight in lower.ravel()
        ]


def test_full_rows_have_the_colour_of_each_weight() -> None:
    attention = make_map("abc", "xy", scores=False)
    for row, line in enumerate(heatmap_lines(attention, 80, "256", half=False)[-2:]):
        grounds = [
            s.style.bgcolor for s in line.spans if isinstance(s.style, Style) and s.style.bgcolor
        ]
        assert grounds == [weight_colour(float(w), "256") for w in attention.weights[row]]


def test_half_blocks_are_chosen_for_large_maps_with_colours() -> None:
    def has_halves(lines: list[Text]) -> bool:
        return any("▀" in line.plain for line in lines)

    large = diagonal(50)
    assert has_halves(heatmap_lines(large, 80, "truecolor"))
    assert not has_halves(heatmap_lines(large, 80, "truecolor", half=False))
    assert not has_halves(heatmap_lines(large, 80, None, half=True))
    assert not has_halves(heatmap_lines(diagonal(5), 80, "truecolor"))


@pytest.mark.parametrize("before", ["256", "standard", None])
def test_colours_are_there_or_not(before: ColourSystem) -> None:
    render_attention(diagonal(3), 80, before, threshold=0.2)  # leaves nothing behind
    coloured = render_attention(diagonal(3), 80, "truecolor", threshold=0.2)
    plain = render_attention(diagonal(3), 80, None, threshold=0.2)
    assert "48;2;252;253;191" in coloured
    assert "\x1b" not in plain


@pytest.mark.parametrize("system", ["truecolor", "256", "standard", None])
@pytest.mark.parametrize("half", [True, False])
def test_hostile_pieces_are_harmless(system: ColourSystem, half: bool) -> None:
    attention = make_map(HOSTILE, HOSTILE)
    text = ESCAPES.sub("", render_attention(attention, 100, system, half=half, threshold=0.1))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "[link=x]" in text


def test_a_target_word_that_looks_nowhere_has_no_arrow() -> None:
    uniform = AttentionMap(("▁a",) * 10, ("▁x",), np.full((1, 10), 0.1, np.float32))
    assert "\nx ·\n" in render_attention(uniform, 80, None, threshold=0.2)


def test_a_special_token_is_one_cell_and_explained_once() -> None:
    attention = make_map(["a", "b", "</s>"], ["x", "<unk>", "</s>"])
    lines = [line.plain for line in heatmap_lines(attention, 60, None)]
    assert lines[0].split()[:3] == ["a", "b", "⏎"]
    assert [line[0] for line in lines[1:]] == ["x", "⁇", "⏎"]
    wide, narrow = (render_attention(attention, w, None, threshold=0.2) for w in (60, MIN_WIDTH))
    assert "1   ⏎ end of the sentence · ⁇ unknown\n" in wide
    assert "1\n⏎ end of the sentence · ⁇\nunknown\n" in narrow


@pytest.mark.parametrize("half", [True, False])
def test_on_a_light_background_the_map_is_light(half: bool) -> None:
    attention = diagonal(4)
    light = render_attention(attention, 80, "truecolor", half=half, threshold=0.2, light=True)
    dark = render_attention(attention, 80, "truecolor", half=half, threshold=0.2)
    nothing, everything = "8;2;255;255;255", "8;2;0;0;4"  # weights 0 and 1, as ink or as ground
    assert light.count(nothing) > light.count(everything) > 0
    assert nothing not in dark


def test_what_was_copied_is_beside_each_row() -> None:
    attention = replace(diagonal(3), p_copy=(0.9, 0.25, 0.0), copied_from=(0, None, 2))
    lines = [line.plain for line in heatmap_lines(attention, 60, None)]
    assert [line[-13:] for line in lines[-4:]] == [
        "p_copy copied",
        "  0.90 ▁a    ",
        "  0.25       ",
        "  0.00 ▁c    ",
    ]
    narrow = [line.plain for line in heatmap_lines(attention, MIN_WIDTH, None)]
    assert "p_copy copied" in narrow[-4] and narrow[-3].startswith("▁a")
