"""What sides are made of, as manifests keep it."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from s2scli.sides import TEXT, Picture, Sides, Sound

SIDES = TypeAdapter(Sides)


@pytest.mark.parametrize(
    ("sides", "are_text", "noun"),
    [
        (TEXT, True, "sentences"),
        (Sides(Sound(8000)), False, "recordings"),
        (Sides(Picture(8, None, 1)), False, "pictures"),
        (Sides(None, Picture(8, 9, 3)), False, "pictures"),
        (Sides(Picture(8, 9, 3), Picture(8, 9, 3)), False, "pictures"),
    ],
)
def test_sides_come_back_from_json(sides: Sides, are_text: bool, noun: str) -> None:
    assert (sides.are_text, sides.noun) == (are_text, noun)
    assert SIDES.validate_json(SIDES.dump_json(sides), strict=True) == sides


@pytest.mark.parametrize(
    "side",
    [
        {"kind": "video"},
        {"kind": "audio", "sample_rate": 0},
        {"kind": "audio", "sample_rate": 10**9},
        {"kind": "image", "height": 0, "width": None, "channels": 1},
        {"kind": "image", "height": 8, "width": 0, "channels": 1},
        {"kind": "image", "height": 8, "width": 8, "channels": 2},
    ],
)
def test_impossible_sides_are_refused(side: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SIDES.validate_json(json.dumps({"source": side, "target": None}), strict=True)
