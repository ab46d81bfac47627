"""Plot how many test sequences of each length were copied exactly, one line for each model.

    python examples/length/plot.py WORKSPACE > length.svg

reads the outputs that `s2s compare` saved in the workspace, and draws an SVG picture.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import cycle
from pathlib import Path

from s2scli.data.store import Corpus
from s2scli.pipeline.texts import read_split
from s2scli.workspace import Workspace

# Lengths in pixels.
WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 56, 120, 40, 48
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # distinct for colour-blind readers too
LABEL_GAP = 16


@dataclass(frozen=True)
class Line:
    """One model: its name, and its share of exact copies in percent, by length."""

    name: str
    shares: Mapping[int, float]


def main() -> None:
    """Print the picture."""
    parser = argparse.ArgumentParser(description="Plot exact copies by length.")
    parser.add_argument("workspace", type=Path)
    workspace = Workspace(parser.parse_args().workspace)
    found = (workspace.root / "compare").glob("*/outputs/outputs.txt")
    names = sorted(path.parent.parent.name for path in found)
    if not names:
        sys.exit(f"{workspace.root}: nothing was compared here; run examples/length/run.sh first")
    sys.stdout.write(draw([read_line(workspace, name) for name in names]))


def read_line(workspace: Workspace, name: str) -> Line:
    """Return the share of exact copies of a model for each length of the test split."""
    texts = read_split(Corpus.load(workspace.corpus), "test")
    file = workspace.of_run(name).outputs / "outputs.txt"
    outputs = file.read_text(encoding="utf-8").split("\n")[:-1]
    hits: dict[int, list[bool]] = defaultdict(list)
    for reference, output in zip(texts.references, outputs, strict=True):
        hits[len(reference.split())].append(output == reference)
    return Line(name, {length: 100 * sum(hits[length]) / len(hits[length]) for length in hits})


def draw(lines: Sequence[Line]) -> str:
    """Return the picture: percent over length, with a name at the end of each line."""
    longest = max(length for line in lines for length in line.shares)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            f'width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            text(LEFT, 22, "Sequences copied exactly, in percent, by their length"),
            *axes(longest),
            *(
                mark
                for line, colour in zip(lines, cycle(COLOURS), strict=False)
                for mark in curve(line, colour, longest)
            ),
            *labels(lines, longest),
            "</svg>\n",
        ]
    )


def axes(longest: int) -> list[str]:
    """Return the grid and its numbers."""
    drawn = []
    for share in range(0, 101, 25):
        y = up(share)
        drawn.append(
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>'
        )
        drawn.append(text(LEFT - 8, y + 4, str(share), "end"))
    steps = range(5, longest + 1, 5)
    drawn += [
        text(right(step, longest), HEIGHT - BOTTOM + 20, str(step), "middle") for step in steps
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [*drawn, text(middle, HEIGHT - 10, "letters in the sequence", "middle")]


def curve(line: Line, colour: str, longest: int) -> list[str]:
    """Return a line, with a dot and a tooltip at each length."""
    points = [(right(length, longest), up(line.shares[length])) for length in sorted(line.shares)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"><title>{escape(line.name)}, '
        f"{length} letters: {line.shares[length]:.1f} %</title></circle>"
        for (x, y), length in zip(points, sorted(line.shares), strict=True)
    ]
    return [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>', *dots]


def labels(lines: Sequence[Line], longest: int) -> list[str]:
    """Return the names at the ends of the lines, moved down where they would overlap."""
    ends = [
        (up(line.shares[max(line.shares)]), line.name, colour)
        for line, colour in zip(lines, cycle(COLOURS), strict=False)
    ]
    drawn, lowest = [], 0.0
    for y, name, colour in sorted(ends):
        lowest = max(y + 4, lowest + LABEL_GAP)
        drawn.append(text(right(longest, longest) + 10, lowest, name, colour=colour))
    return drawn


def right(length: int, longest: int) -> float:
    """Return the x coordinate of a length."""
    return LEFT + (WIDTH - LEFT - RIGHT) * length / longest


def up(share: float) -> float:
    """Return the y coordinate of a share in percent."""
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share / 100


def text(x: float, y: float, words: str, anchor: str = "start", colour: str = "#222222") -> str:
    """Return a text element at a point."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(words)}</text>"


if __name__ == "__main__":
    main()
