"""What each side of a pair is: text, sound or pictures. Imports no torch, as flags need this."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

SideKind = Literal["text", "audio", "image"]


@dataclass(frozen=True)
class Sound:
    """Sound as a corpus holds it: mono, 16-bit samples.

    Attributes:
        sample_rate: samples per second.
    """

    sample_rate: Annotated[int, Field(ge=1000, le=192_000)]
    kind: Literal["audio"] = "audio"

    @property
    def size_unit(self) -> tuple[str, int]:
        """The unit for showing lengths, and the number of samples per unit."""
        return "seconds", self.sample_rate

    @property
    def description(self) -> str:
        """A short description for messages."""
        return f"sound at {self.sample_rate:,} Hz"

    @property
    def noun(self) -> str:
        """What several of them are called."""
        return "recordings"


@dataclass(frozen=True)
class Picture:
    """Pictures as a corpus holds them: 8-bit pixels.

    Attributes:
        height: rows of pixels.
        width: columns of pixels; None if it varies.
        channels: 1 for grey, 3 for red, green and blue.
    """

    height: Annotated[int, Field(ge=1, le=4096)]
    width: Annotated[int, Field(ge=1, le=65536)] | None
    channels: Literal[1, 3]
    kind: Literal["image"] = "image"

    @property
    def size_unit(self) -> tuple[str, int]:
        """The unit for showing sizes, and the number of values per unit."""
        return "pixels", self.channels

    @property
    def description(self) -> str:
        """A short description for messages."""
        width = self.width or "any width"
        colours = "grey" if self.channels == 1 else "in colour"
        return f"pictures of {width} x {self.height} pixels, {colours}"

    @property
    def noun(self) -> str:
        """What several of them are called."""
        return "pictures"


Media: TypeAlias = Annotated[Sound | Picture, Field(discriminator="kind")]

Input: TypeAlias = int | Sound | Picture
"""What a model reads: tokens (an int, the size of their vocabulary), sound or pictures."""


@dataclass(frozen=True)
class Sides:
    """What both sides of a corpus are; None is text."""

    source: Media | None = None
    target: Media | None = None

    @property
    def are_text(self) -> bool:
        """Whether both sides are text."""
        return self.source is None and self.target is None

    @property
    def description(self) -> str:
        """A short description of both, for messages."""
        named = (media.description if media else "text" for media in (self.source, self.target))
        return " to ".join(named)

    @property
    def noun(self) -> str:
        """What several examples are called: recordings, pictures or sentences."""
        media = self.source or self.target
        return media.noun if media else "sentences"

    @property
    def grouped_by(self) -> Literal["source", "target"]:
        """The side that decides the split of a row: rows where it is equal stay together.

        It is the source or, from text to pictures, the target: many pictures have the same text,
        such as a digit or one fixed word.
        """
        return "target" if self.target and not self.source else "source"


TEXT = Sides()
