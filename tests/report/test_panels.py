import re

import pytest

from s2scli.report.panels import panels_text

PANELS = {
    "Search": [
        ("--beam-size INT", "Hypotheses kept. [default: 5]"),
        ("--a-very-long-name-for-a-flag", "x"),
    ],
    "General": [("-q", "word " * 30)],
}


def printed(width: int) -> list[str]:
    return panels_text(PANELS, width, colours=False).splitlines()


@pytest.mark.parametrize("width", [40, 80, 160])
def test_no_line_is_wider_than_the_console(width: int) -> None:
    assert max(map(len, printed(width))) <= width


def test_explanations_line_up_in_all_panels() -> None:
    lines = printed(80)
    starts = {
        line.index(word) for line in lines for word in ("Hypotheses", "word ") if word in line
    }
    assert len(starts) == 1


def test_every_panel_has_its_title_in_order() -> None:
    titles = [line.strip("╭─╮ ") for line in printed(80) if line.startswith("╭")]
    assert titles == ["Search", "General"]
    assert any("[default: 5]" in line for line in printed(80))


def test_colours_change_no_text_and_dim_the_note() -> None:
    coloured = panels_text(PANELS, 40, colours=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured) == panels_text(PANELS, 40, colours=False)
    assert "\x1b[36m--beam-size INT" in coloured
    dimmed = [
        line for line in coloured.splitlines() if re.search(r"\x1b\[2m(\[default:|5\])", line)
    ]
    assert dimmed
