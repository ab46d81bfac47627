"""The boxes that the texts of an SVG picture fill."""

from dataclasses import dataclass
from itertools import combinations
from xml.etree import ElementTree

from rich.cells import cell_len

from s2scli.report.svg import CELL, FONT_SIZE


@dataclass(frozen=True)
class Box:
    """A text and its edges, in pixels."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Box") -> bool:
        return (
            min(self.right, other.right) - max(self.left, other.left) > 1
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 1
        )


def boxes(picture: str) -> list[Box]:
    """Return the box of each text of a picture."""
    root = ElementTree.fromstring(picture)
    return [box_of(element) for element in root.iter() if element.tag.endswith("text")]


def overlaps(picture: str) -> list[tuple[str, str]]:
    """Return the pairs of texts that overlap by more than a pixel."""
    pairs = combinations(boxes(picture), 2)
    return [(one.text, two.text) for one, two in pairs if one.overlaps(two)]


def box_of(element: ElementTree.Element) -> Box:
    """Return the box of a `text` element; a rotated one reads upwards from its point."""
    text = element.text or ""
    length = cell_len(text) * CELL
    start = {"start": 0.0, "middle": length / 2, "end": length}[element.get("text-anchor", "start")]
    x, y = float(element.get("x", 0)), float(element.get("y", 0))
    ascent = 0.8 * FONT_SIZE
    if element.get("transform"):
        return Box(text, x - ascent, y + start - length, x, y + start)
    return Box(text, x - start, y - ascent, x - start + length, y)
