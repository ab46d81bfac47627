"""The page of a search."""

import xml.etree.ElementTree as ElementTree

from s2scli.report.search_html import search_html
from s2scli.report.search_tree import Node, SearchTree
from tests.report.test_search_tree import FINISHES, NODES, TREE


def body_of(page: str) -> ElementTree.Element:
    body = page[page.index("<body>") : page.index("</body>") + len("</body>")]
    return ElementTree.fromstring(body)


def test_the_tree_is_nested_as_the_search_was() -> None:
    (begin,) = body_of(search_html(TREE)).findall("ul/li")
    first, second = begin.findall("details/ul/li")
    assert [len(item.findall("details/ul/li")) for item in (first, second)] == [2, 0]
    assert "".join(first.findall("details/summary")[0].itertext()).startswith("a c-0.40")
    assert "rank 1" in "".join(first.itertext())


def test_hostile_text_is_escaped() -> None:
    nodes = (*NODES, Node(3, 3, "<script>", -3.0, "pruned"))
    page = search_html(SearchTree("<script>", "beam", nodes, FINISHES))
    assert "<script" not in page
