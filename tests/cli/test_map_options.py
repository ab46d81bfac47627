"""How a map is shown: by the options, or by the terminal where they leave it open."""

from pathlib import Path

import pytest

from s2scli.cli.map_options import MIN_WIDTH, MapView
from s2scli.cli.options import Common
from s2scli.report.attention import AttentionMap
from s2scli.report.console import Talk
from s2scli.report.map_formats import Format
from s2scli.workspace import Workspace
from tests.report.maps import diagonal

NOTHING = MapView(None, None, None, None, None, None)


def common(*, json: bool = False) -> Common:
    return Common(Workspace(Path("w")), json, Talk())


@pytest.mark.parametrize(
    ("view", "json", "format"),
    [
        (NOTHING, False, None),
        (NOTHING, True, Format.JSON),
        (MapView(None, Path("a.svg"), None, None, None, None), False, Format.SVG),
        (MapView(Format.HTML, Path("a.svg"), None, None, None, None), False, Format.HTML),
        (MapView(Format.HTML, None, None, None, None, None), True, Format.JSON),
    ],
)
def test_the_format_is_chosen(view: MapView, json: bool, format: Format | None) -> None:
    assert view.chosen(common(json=json)) is format


def test_a_pipe_gets_plain_text_of_its_width() -> None:
    assert NOTHING.drawn(common()) is Format.PLAIN
    shown = MapView(None, None, MIN_WIDTH, None, None, None).terminal(common())
    assert (shown["width"], shown["system"]) == (MIN_WIDTH, None)


def test_the_threshold_links_words() -> None:
    attention: AttentionMap = diagonal(3)
    every = MapView(Format.PHARAOH, None, None, 0.0, None, None).text(attention, common())
    best = MapView(Format.PHARAOH, None, None, None, None, None).text(attention, common())
    assert (len(every.split()), best) == (9, "0-0 1-1 2-2\n")
