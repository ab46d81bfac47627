from s2scli.report.document import Chapter, document_html, joined, preformatted
from s2scli.report.page import EMPTY, Part


def test_the_style_of_a_chapter_is_its_own() -> None:
    chapters = [
        Chapter("one", "One <1>", Part("p { color: red }", "<p>1</p>")),
        Chapter("two", "Two", EMPTY),
    ]
    page = document_html("a & b", ["<sum>"], chapters)
    assert "#one { p { color: red } }" in page and "#two {" not in page
    assert '<section id="one">\n<h2>One &lt;1&gt;</h2>\n<p>1</p>\n</section>' in page
    assert '<nav><a href="#one">One &lt;1&gt;</a><a href="#two">Two</a></nav>' in page
    assert "&lt;sum&gt;" in page and '<h1 class="title">a &amp; b</h1>' in page


def test_a_style_that_parts_share_is_there_once() -> None:
    parts = [Part("p {}", "<p>1</p>"), Part("p {}", "<p>2</p>"), Part("b {}", "<b>3</b>")]
    assert joined(parts) == Part("p {}\nb {}", "<p>1</p>\n<p>2</p>\n<b>3</b>")


def test_lines_are_kept() -> None:
    assert preformatted("a < b\n  c") == "<pre>a &lt; b\n  c</pre>"
