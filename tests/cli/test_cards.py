"""The report card of `s2s inspect corpus`."""

import json
from pathlib import Path

from tests.cli.test_inspect_corpus import prepared, run

__all__ = ["prepared"]


def test_the_card_is_shown_and_written_as_a_page(prepared: Path) -> None:
    shown = run(prepared, "corpus").stdout
    for text in ("look at first", "target / source length", "different source words"):
        assert text in shown
    page = prepared / "card.html"
    result = run(prepared, "corpus", "--html", str(page))
    assert (result.exit_code, result.stdout) == (0, "")
    html = page.read_text()
    assert "Look at first" in html and "Corpus: corpus.tsv" in html and "\x1b" not in html
    card = json.loads(run(prepared, "corpus", "--json").stdout)["card"]
    assert [side["side"] for side in card["sides"]] == ["source", "target"]
    assert any("control characters" in finding["what"] for finding in card["findings"])
