import re

import numpy as np

from s2scli.report.grid_html import grid_html
from s2scli.report.heads import AttentionHeads
from s2scli.report.page import level
from tests.report.maps import HOSTILE, diagonal_heads, make_heads, make_map
from tests.report.test_html import Reader


def test_it_is_a_page_of_its_own_with_one_title_a_scale_and_a_legend() -> None:
    page = grid_html(make_heads(2, 3, 5, 6))
    reader = Reader(page)
    assert page.startswith("<!doctype html>")
    assert reader.tags.count("svg") == reader.tags.count("figure") == 2 * 3
    assert reader.tags.count("h1") == 1
    assert reader.text.count("s0 s1 s2 s3 s4") == 1 + 1  # the heading and the window's title
    assert "attention weight" in reader.text
    assert "Order is the diagonality" in reader.text
    assert {name for name, _ in reader.attributes}.isdisjoint({"src", "href"})
    assert "http:" not in page and "https:" not in page
    assert "prefers-color-scheme: dark" in page


def test_each_map_names_its_numbers() -> None:
    heads = diagonal_heads(2, 2, 6, at=(1, 0))
    page = grid_html(heads)
    assert page.count("</b>, best<br>") == page.count('<figure class="best">') == 1
    assert "The head marked best" in page
    assert "<b>layer 2, head 1</b>, best<br>entropy 0.0 bits, order +1.00" in page
    assert not re.search(r"\d\.\db", page)


def test_every_cell_that_shows_tells_its_tokens_and_weight() -> None:
    heads = make_heads(1, 2, 4, 5)
    titles = re.findall(r"<title>([^<]* ← [^<]*)</title>", grid_html(heads))
    sources, targets = (*heads.source_pieces[:-1], "⏎"), (*heads.target_pieces[:-1], "⏎")
    for index in np.ndindex(heads.weights.shape):
        weight = float(heads.weights[index])
        if level(weight):
            assert f"{targets[index[2]]} ← {sources[index[3]]}: {weight:.2f}" in titles
    shown = sum(level(float(weight)) > 0 for weight in heads.weights.ravel())
    assert len(titles) == shown + 2 * 4  # and the rest of each row


def test_hostile_text_is_harmless() -> None:
    heads = AttentionHeads(HOSTILE, HOSTILE, make_map(HOSTILE, HOSTILE).weights[None, None])
    page = grid_html(heads)
    assert "<script" not in page
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", page)
