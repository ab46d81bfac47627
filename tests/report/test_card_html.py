import re
from dataclasses import replace

from s2scli.report.card import Bars, CardPage, Samples, ShownRow
from s2scli.report.card_html import card_html

CARD = CardPage(
    "Corpus: a.tsv",
    (("rows read", "12"),),
    (("<script>x</script>", "--max-length-ratio 4 drops them"),),
    (("Splits", ("", "train"), (("rows", "12"),)),),
    (Bars("lengths", ("sources", "targets"), (("1-2", ((4, "4"), (0, "0"))),)),),
    (Samples("dropped (1)", (ShownRow("line 1", "after", "same", "be\x1bfore", "same"),)),),
    "how it was found",
)


def test_the_page_loads_nothing_and_shows_everything() -> None:
    html = card_html(CARD)
    assert "default-src 'none'" in html
    assert not re.search(r"<script|src=|href=|url\(|@import", html)
    for text in ("rows read", "&lt;script&gt;", "how it was found", "dropped (1)", "line 1"):
        assert text in html
    assert '<span class="flag">--max-length-ratio 4</span>' in html
    assert "<del><bdi>be␛fore</bdi></del>" in html and "<del><bdi>same" not in html
    assert html.count('style="width:') == 1  # a value of 0 has no bar


def test_a_card_without_findings_says_so() -> None:
    html = card_html(replace(CARD, findings=(), samples=(), charts=()))
    assert "Nothing stands out." in html and "<details" not in html
