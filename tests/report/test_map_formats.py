"""Attention maps in each of their formats."""

import json

import pytest

from s2scli.report.heads import AttentionHeads
from s2scli.report.map_formats import Format, attention_text, grid_text
from tests.report.maps import diagonal

BEGINNINGS = {
    Format.PLAIN: "a b c\n",
    Format.JSON: "{\n",
    Format.HTML: "<!doctype html>",
    Format.SVG: "<svg ",
    Format.PHARAOH: "0-0 1-1 2-2\n",
}


def heads() -> AttentionHeads:
    one = diagonal(3)
    return AttentionHeads(one.source_pieces, one.target_pieces, one.weights[None, None])


@pytest.mark.parametrize(("format", "beginning"), BEGINNINGS.items())
def test_a_map_in_each_format(format: Format, beginning: str) -> None:
    text = attention_text(diagonal(3), format, width=60, system=None)
    assert text.startswith(beginning)
    assert "\x1b" not in text


@pytest.mark.parametrize("format", [Format.PLAIN, Format.HTML, Format.SVG])
def test_the_grid_in_each_format(format: Format) -> None:
    text = grid_text(heads(), format, width=60, system=None)
    assert text.startswith(BEGINNINGS[format])
    assert "\x1b" not in text


def test_ansi_without_a_terminal_is_in_true_colour() -> None:
    assert "\x1b[48;2;" in attention_text(diagonal(3), Format.ANSI, width=60, system=None)
    assert "\x1b[38;2;" in grid_text(heads(), Format.ANSI, width=60, system=None)


def test_json_holds_the_weights() -> None:
    weights = diagonal(3).weights.tolist()
    text = attention_text(diagonal(3), Format.JSON, width=60, system=None)
    assert json.loads(text)["weights"] == weights
    grid = json.loads(grid_text(heads(), Format.JSON, width=60, system=None))
    assert [one["weights"] for one in grid["maps"]] == [weights]


def test_the_threshold_decides_which_words_are_linked() -> None:
    every = attention_text(diagonal(2), Format.PHARAOH, width=60, system=None, threshold=0.0)
    assert every == "0-0 1-0 0-1 1-1\n"
