"""Blocks of HTML: all tags of a source are in its translation, nested as they were."""

import html
import re
import time
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.serve.inline import Html, Links, Written, find_blocks, words_of
from s2scli.serve.markup import TAG, VOID, read_markup

IN_ORDER = tuple((word, word) for word in range(99))
BACKWARDS = tuple((word, 3 - word) for word in range(4))


def carried(text: str, target: str, links: Links | None) -> str | None:
    """Return the translation of HTML that is one block; None if its tags are lost."""
    markup = read_markup(text)
    (block,) = find_blocks(markup)
    written = Written(target, links)
    page = Html(markup, (block,))
    assert page.lines == [block.text]
    if not page.keep_carried({block.text: [written]}).blocks:
        return None
    return page.join([written])


def is_nested(text: str) -> bool:
    """Whether every tag that opens is closed by its own, in the right order."""
    opened: list[str] = []
    for tag in TAG.finditer(text):
        name = tag["name"]
        if not name or name in VOID:
            continue
        if not tag["close"]:
            opened.append(name)
        elif not opened or opened.pop() != name:
            return False
    return not opened


@pytest.mark.parametrize(
    ("text", "target", "links", "expected"),
    [
        ("a <b>b</b> c", "A B C", IN_ORDER, "A <b>B</b> C"),
        ("a <b>b</b> c d", "D C B A", BACKWARDS, "D C <b>B</b> A"),
        ("<p>\n <b>a</b> b.\n</p>", "A B.", IN_ORDER, "<p>\n <b>A</b> B.\n</p>"),
        ("a <b>b <i>c</i></b>", "A C B", [(0, 0), (2, 1), (1, 2)], "A <b><i>C</i> B</b>"),
        ("(<b>a</b>), b", "(A), B", IN_ORDER, "(<b>A</b>), B"),
        ("<b>a</b>!", "A!", IN_ORDER, "<b>A</b>!"),
        ("<b>a!</b> b", "A! B", IN_ORDER, "<b>A!</b> B"),
        ("- <b>a</b>", "- A", IN_ORDER, "- <b>A</b>"),
        ("a <b>b</b>", "A B B C", [(0, 0), (1, 1), (1, 2), (0, 3)], "A <b>B B</b> C"),
        ("a <b>b</b>", "A C B", [(0, 0), (1, 2)], "A C <b>B</b>"),
        ("a <b>b c</b>", "B A C C", [(1, 0), (0, 1), (2, 2), (2, 3)], "B A <b>C C</b>"),
        ('<a href="a > b">a</a> &lt; b', "A < B", IN_ORDER, '<a href="a > b">A</a> &lt; B'),
        ("a <img src=x> b", "B A", [(1, 0), (0, 1)], "<img src=x>B A"),
        ("<img> <b>a</b> b <!-- c -->", "A B", IN_ORDER, "<img> <b>A</b> B <!-- c -->"),
        ("a <b></b> b", "A B", IN_ORDER, "A <b></b>B"),
        ("<b>a</b> b", "", [], None),
        ("<b>a</b>", "", [], "<b></b>"),
        ("<p><b>a <i>b</i></p>", "A B", IN_ORDER, "<p><b>A <i>B</i></p>"),
        ("<i>a</i> b</b>", "A B", IN_ORDER, "<i>A</i> B</b>"),
        ("\n<i>a</i> \n", "A", IN_ORDER, "\n<i>A</i> \n"),
        ("<code>x</code><b> a</b> b", "A B", IN_ORDER, "<code>x</code> <b>A</b> B"),
        ("a <b>b </b><code>x</code>", "A B", IN_ORDER, "A <b>B</b> <code>x</code>"),
        ("&nbsp;<b>a</b>&nbsp;", "A", IN_ORDER, "&nbsp;<b>A</b>&nbsp;"),
        ("<i>&nbsp;</i>a <b>b</b>&#32;", "A B", IN_ORDER, "&nbsp;<i></i>A <b>B</b>&#32;"),
    ],
)
def test_examples(text: str, target: str, links: Links, expected: str | None) -> None:
    assert carried(text, target, links) == expected


@pytest.mark.parametrize(
    ("text", "target", "links"),
    [
        ("a <b>b</b>", "A B", None),  # no alignment
        ("a <b>b</b>", "A B", [(0, 0), (0, 1)]),  # nothing is aligned to b
        ("a<b>b</b> c", "AB C", IN_ORDER),  # a part of a word
        ("a <b>!</b> b", "A ! B", IN_ORDER),  # nothing but punctuation
        ("我 <b>b</b>", "A B", IN_ORDER),  # words without spaces between them
        ("a <b>b</b>", "我 B", IN_ORDER),
    ],
)
def test_a_tag_without_a_place_is_lost(text: str, target: str, links: Links | None) -> None:
    assert carried(text, target, links) is None


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("<p>a <b>b</b></p><p>c</p>", ["a b", "c"]),
        ("<ul><li>a <i>b</i><li>c <br>d</ul>", ["a b", "c", "d"]),
        ("<td>a</td><td><b>b</b></td>", ["a", "b"]),
        ("a <code>no</code> <b>b</b> c", ["a", "b c"]),
        ('a <span translate="no">no</span> <b>b</b> c', ["a", "b c"]),
        ('a <span class="notranslate"><b>no</b></span> c', ["a", "c"]),
        ("<script>a <b>b</b></script>", []),
        ("<b>a <i>b</b> c</i>", ["a", "b", "c"]),  # elements that overlap
        ("a <b>b <p>c</p>", ["a", "b", "c"]),  # an element that ends outside, with text before it
        ("a  <b>\n b</b>&amp;", ["a b&"]),
        ("", []),
    ],
)
def test_a_block_ends_at_other_tags_than_inline_ones(text: str, lines: list[str]) -> None:
    markup = read_markup(text)
    page = Html(markup, find_blocks(markup))
    assert page.lines == lines
    assert Html(markup).lines == markup.texts


def test_words_know_where_their_letters_are() -> None:
    assert [(word.start, word.end, word.core) for word in words_of("(a) - b.")] == [
        (0, 3, (1, 2)),
        (4, 5, None),
        (6, 8, (6, 7)),
    ]


words = st.sampled_from(["a", "b,", "(c", "&amp;", "d.", "-", "é"])
inner = st.recursive(
    words | st.sampled_from(["<img src=1>", "<!-- x -->", "<b></b>"]),
    lambda children: st.tuples(st.sampled_from("bia"), st.lists(children, max_size=3)).map(
        lambda one: f"<{one[0]}>{' '.join(one[1])}</{one[0]}>"
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(
    st.lists(inner, min_size=1, max_size=4).map(" ".join),
    st.lists(st.sampled_from(["A", "B.", "<", "&", "(C)"]), max_size=6).map(" ".join),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=12),
)
def test_what_is_carried_has_all_tags_and_the_whole_text(
    text: str, target: str, links: list[tuple[int, int]]
) -> None:
    for block in find_blocks(read_markup(text)):
        found = block.carry(Written(target, links))
        if found is None:
            continue
        pieces = read_markup(text).pieces[block.first : block.last + 1]
        tags = Counter(piece for piece in pieces if TAG.fullmatch(piece))
        assert Counter(tag.group() for tag in TAG.finditer(found)) == tags
        assert html.unescape(TAG.sub("", found)).strip() == target.strip()
        assert is_nested(found)


@pytest.mark.parametrize(
    "text",
    ["<b>" * 2000 + "a" + "</b>" * 2000, "<b>a</b> " * 2000, "<i>" * 5000 + "a", "a " * 9000],
)
def test_hostile_html_is_read_quickly(text: str) -> None:
    begin = time.process_time()
    blocks = find_blocks(read_markup(text))
    assert not blocks
    assert time.process_time() - begin < 1


def test_a_long_block_is_carried_quickly() -> None:
    text = " ".join(["a <b>b c</b>"] * 45)
    (block,) = find_blocks(read_markup(text))
    count = len(block.text.split())
    begin = time.process_time()
    found = block.carry(Written(block.text.upper(), [(word, word) for word in range(count)]))
    assert found == re.sub("(?<!<)(?<!/)[abc]", lambda one: one[0].upper(), text)
    assert time.process_time() - begin < 1
