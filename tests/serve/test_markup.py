"""HTML: texts are translated, everything else stays."""

import html
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s2scli.serve.markup import read_markup


def louder(text: str) -> str:
    markup = read_markup(text)
    return markup.with_texts([each.upper() for each in markup.texts])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "PLAIN"),
        ("<p>A <b>dog</b> runs.</p>", "<p>A <b>DOG</b> RUNS.</p>"),
        ("a &amp; b &lt;c&gt;", "A &amp; B &lt;C&gt;"),
        ("x<br>y<br/>z", "X<br>Y<br/>Z"),
        ("<code>no</code> yes", "<code>no</code> YES"),
        (
            '<div><p>a</p><script>x("<p>" + y + "</p></div>"); z("no");</script>b</div>',
            '<div><p>A</p><script>x("<p>" + y + "</p></div>"); z("no");</script>B</div>',
        ),
        ("<script>if (a<b) x('</p>');</script>yes", "<script>if (a<b) x('</p>');</script>YES"),
        ("<script>x = '<!--';</SCRIPT >yes", "<script>x = '<!--';</SCRIPT >YES"),
        ("<style>a<b 'c</style><p title='a'>yes", "<style>a<b 'c</style><p title='a'>YES"),
        ("<textarea></text</p>no <b> no", "<textarea></text</p>no <b> no"),
        ('<p translate="no">no <b>no</b></p>yes', '<p translate="no">no <b>no</b></p>YES'),
        ('<p class="a notranslate">no</p>yes', '<p class="a notranslate">no</p>YES'),
        ("<p class=notranslate>no</p>yes", "<p class=notranslate>no</p>YES"),
        ('<p class="x-notranslate">yes</p>', '<p class="x-notranslate">YES</p>'),
        ('<p data-translate="no">yes</p>', '<p data-translate="no">YES</p>'),
        ("<a title=\"a > b\" href='x>y'>yes</a>", "<a title=\"a > b\" href='x>y'>YES</a>"),
        ("<!-- no <b> --> yes<!-- no", "<!-- no <b> --> YES<!-- no"),
        ("yes <? no ?> yes <! no", "YES <? no ?> YES <! no"),
        ("<!DOCTYPE html>\n  yes \n", "<!DOCTYPE html>\n  YES \n"),
        ("</b>1 < 2</i>", "</b>1 &lt; 2</i>"),
        ("<b>a <code>no</b> a", "<b>A <code>no</b> A"),
        ("one\n two", "ONE TWO"),
        ("&nbsp;&nbsp;", "&nbsp;&nbsp;"),
        ("a&nbsp;<b>b</b>&#32;\nc &emsp; d", "A&nbsp;<b>B</b>&#32;\nC D"),
        ("<p>\n&nbsp;a&nbsp; </p>", "<p>\n&nbsp;A&nbsp; </p>"),
        ("<b>a</b>. - !", "<b>A</b>. - !"),
        ("", ""),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert louder(text) == expected


SNIPPETS = st.sampled_from(
    ["<", ">", "</", "b", "code", '"', "'", "=", "<!--", "-->", "&amp;", " "]
)


@settings(max_examples=50)
@given(st.lists(SNIPPETS | st.characters(codec="utf-8"), max_size=30).map("".join))
def test_pieces_are_the_whole_text(text: str) -> None:
    markup = read_markup(text)
    assert "".join(markup.pieces) == text
    assert all(each == each.strip() and each for each in markup.texts)


@settings(max_examples=50)
@given(st.text(st.characters(codec="utf-8"), max_size=20))
def test_a_translation_never_becomes_a_tag(text: str) -> None:
    written = read_markup("<p>x</p>").with_texts([text])
    assert html.unescape(written) == f"<p>{html.unescape(html.escape(text, quote=False))}</p>"
    assert "<" not in written[3:-4]


@pytest.mark.parametrize("piece", ['<a "', "<", "<!--", "<!", "<?", "<a b='", "</", "<b>"])
def test_hostile_text_is_read_quickly(piece: str) -> None:
    begin = time.process_time()
    read_markup(piece * (50_000 // len(piece)))
    assert time.process_time() - begin < 1
