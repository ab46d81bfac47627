"""Attention maps of recordings: an axis of seconds, in every format."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.report.attention import AttentionMap
from s2scli.report.colours import ColourSystem
from s2scli.report.heatmap import render_attention
from s2scli.report.html import attention_html
from s2scli.report.svg import attention_svg
from tests.sounds import saying, silence, write_wav

POSITIONS = 50  # of 2 s


def two_seconds() -> AttentionMap:
    weights = np.zeros((3, POSITIONS), np.float32)
    weights[[0, 1, 2], [5, 30, 49]] = 1
    seconds = tuple(f"{0.04 * index:.2f}" for index in range(POSITIONS))
    pieces = ("▁low", "▁high", "</s>")
    return AttentionMap(seconds, pieces, weights, source="a.wav", source_axis="seconds")


def test_a_label_is_above_its_column_in_the_terminal() -> None:
    text = render_attention(two_seconds(), 120, None, threshold=0.2)
    header, low, high, _ = text.split("\n")[3:7]
    for label in ("0.00", "0.20", "1.00", "1.80"):
        assert label in header
    assert "0.04" not in header
    assert header.index("0.20") == low.index("█")
    assert header.index("1.20") == high.index("█")
    assert re.search("columns are seconds", text)
    assert "end token" not in text


@pytest.mark.parametrize("width", [32, 60, 80, 130])
@pytest.mark.parametrize("system", [None, "truecolor"])
def test_labels_do_not_touch_and_lines_fit(width: int, system: ColourSystem) -> None:
    text = render_attention(two_seconds(), width, system, threshold=0.2)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert all(cell_len(line) <= width for line in plain.split("\n"))
    headers = [line for line in plain.split("\n") if re.match(r"\s+\d\.\d\d( |$)", line)]
    assert headers
    for header in headers:
        labels = header.replace("best weight bits", "").split()
        assert all(re.fullmatch(r"\d\.\d\d", label) for label in labels)


def test_the_svg_has_upright_labels_each_fifth_column() -> None:
    root = ET.fromstring(attention_svg(two_seconds()))
    texts = [one for one in root.iter() if one.tag.endswith("text")]
    labels = {one.text: one for one in texts if re.fullmatch(r"\d\.\d\d", one.text or "")}
    assert list(labels) == [f"{0.2 * index:.2f}" for index in range(10)]
    assert all("transform" not in one.attrib for one in labels.values())
    assert "source (seconds)" in {one.text for one in texts}


def test_the_html_has_a_heading_for_five_columns() -> None:
    page = attention_html(two_seconds(), 0.2)
    spans = re.findall(r'class="tick" colspan="(\d+)">(\d\.\d\d)<', page)
    assert [label for _, label in spans] == [f"{0.2 * index:.2f}" for index in range(10)]
    assert sum(int(span) for span, _ in spans) == POSITIONS
    assert "source (seconds)" in page
    assert 'title="▁high ← 1.20: 1.000"' in page


def inspect(workspace: Path, *arguments: str | Path) -> tuple[int, str, str]:
    words = ["inspect", "attention", "-w", str(workspace), *map(str, arguments)]
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.stdout, result.stderr


def test_a_recording_of_two_seconds(tone_workspace: Path, tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", saying("low high low high low high", 0.1143))
    status, shown, error = inspect(tone_workspace, path, "--target", "low high")
    assert status == 0, error
    assert {"0.00", "0.20", "1.80"} <= set(shown.split())
    for name in ("a.svg", "a.html"):
        status, _, error = inspect(tone_workspace, path, "-o", tmp_path / name)
        assert status == 0, error
        assert "source (seconds)" in (tmp_path / name).read_text()


def test_a_file_that_cannot_be_read_is_one_line(tone_workspace: Path, tmp_path: Path) -> None:
    status, shown, error = inspect(tone_workspace, tmp_path / "none.wav")
    assert (status, shown) == (65, "")
    assert " ".join(error.split()).endswith("none.wav: no such file; check the path")
    quiet = write_wav(tmp_path / "quiet.wav", silence(1))
    status, _, error = inspect(tone_workspace, quiet)
    assert status == 65
    assert "silent; expected a recording of speech" in " ".join(error.split())
