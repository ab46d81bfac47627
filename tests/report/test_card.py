from s2scli.report.card import Bars, chart_table, finding_lines
from s2scli.report.console import plain_text


def test_findings_are_numbered_with_what_to_do() -> None:
    lines = [line.plain for line in finding_lines([("\x1b[31mred", "--flag"), ("two", "")])]
    assert lines == ["look at first", "1. ␛[31mred: --flag", "2. two"]
    assert [line.plain for line in finding_lines([])][1] == "nothing stands out"


def test_a_chart_has_a_bar_for_each_value() -> None:
    chart = Bars("length", ("sources", "targets"), (("1-2", ((4, "4"), (2, "2"))),))
    text = plain_text([chart_table(chart)])
    assert "sources" in text and "targets" in text
    assert "█" * 16 in text and text.count("█") == 24
    assert Bars("none", ("rows",), ()).most == 1
