from pathlib import Path

import pytest

from s2scli.data.lines import BadLineError
from s2scli.errors import CorpusError
from s2scli.translation.nbest import Listed, listed, read_choices, read_sources

JSON = (
    '{"line": 1, "source": "a", "hypotheses": [{"text": "A", "score": -1.5}]}\n'
    '{"line": 2, "source": "", "hypotheses": []}\n'
)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("0 ||| a b ||| -1.25", Listed(0, "a b", -1.25)),
        ("12 ||| a ||| F0= -1 F1= 2 ||| -3", Listed(12, "a", -3.0)),
        ("3 ||| a ||| -1.5 ||| 0-0 1-1", Listed(3, "a", -1.5)),
        ("4 |||  ||| 0.0000", Listed(4, "", 0.0)),
    ],
)
def test_a_line_of_moses_is_read(line: str, expected: Listed) -> None:
    assert listed(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        *("", "a b", "0 ||| a", "x ||| a ||| -1", "0 ||| a ||| b"),
        *("0 ||| a ||| nan", "0 ||| a ||| inf", "0 ||| a ||| -1 ||| nan"),
        f"{'9' * 5000} ||| a ||| -1",
    ],
)
def test_another_line_is_refused(line: str) -> None:
    with pytest.raises(BadLineError, match=r"expected `index \|\|\| hypothesis \|\|\| score`"):
        listed(line)


def test_hypotheses_are_grouped_by_source(tmp_path: Path) -> None:
    path, sources = tmp_path / "list", tmp_path / "sources"
    path.write_text("1 ||| A ||| -1\n1 ||| B ||| -2\n3 ||| C ||| 0\n", encoding="utf-8")
    sources.write_text("s0\ns1\ns2\ns3\ns4\n", encoding="utf-8")
    found = list(read_choices(path, read_sources(sources)))
    assert [(one.index, one.source) for one in found] == [(n, f"s{n}") for n in range(5)]
    texts = [[each.text for each in one.hypotheses] for one in found]
    assert texts == [[], ["A", "B"], [], ["C"], []]


def test_json_has_its_sources_(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(JSON, encoding="utf-8")
    first, second = read_choices(path, None)
    assert first.source == "a" and first.hypotheses == (Listed(0, "A", -1.5),)
    assert not second.hypotheses
    assert [one.tag for one in read_choices(path, None, "fr")] == ["fr", "fr"]
    path.write_text(JSON.replace('"source"', '"tag": "de", "source"'), encoding="utf-8")
    assert [one.tag for one in read_choices(path, None, "fr")] == ["de", "de"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("0 ||| a ||| -1\n", "a list in text has no sources.*--source FILE"),
        ('{"line": 1}\n', "line 1: expected a record of s2s translate --json"),
        ("{\n", "line 1: expected a record"),
        (JSON.replace("-1.5", "NaN"), "line 1: expected a record"),
        (JSON.replace("-1.5", "-1e999"), "line 1: expected a record"),
        (JSON.replace('"line": 2', '"line": 1e999'), "line 2: expected a record"),
    ],
)
def test_a_list_without_sources_or_with_odd_numbers_is_refused(
    tmp_path: Path, content: str, fault: str
) -> None:
    path = tmp_path / "list"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(CorpusError, match=fault):
        list(read_choices(path, None))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"1 ||| a ||| -1\n", r"line 1: the hypotheses of source 1; expected ascending indices"),
        (b"0 ||| a ||| -1\n0 ||| b ||| x\n", "line 2: expected"),
        (b"\xff\n", "line 1: .*UTF-8"),
    ],
)
def test_a_damaged_list_is_refused(tmp_path: Path, content: bytes, fault: str) -> None:
    path = tmp_path / "list"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=fault):
        list(read_choices(path, ["s0"]))
