"""The audio codec: a cell is a sound file, read as 16-bit samples."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s2scli.data.batching import Lengths
from s2scli.data.codecs.cell import Recorded, Stored, located
from s2scli.data.codecs.pauses import cut_at_pauses
from s2scli.data.codecs.sound_files import SoundLimits, convert_sound, read_sound
from s2scli.data.example import Values
from s2scli.sides import Sound

if TYPE_CHECKING:
    from torch import Tensor

PER_SECOND = 25  # encoder states per second: one for each 4 windows of 10 ms


@dataclass(frozen=True)
class AudioCodec:
    """Reads sound files as samples.

    Attributes:
        sound: the sample rate that recordings are converted to.
        folder: where relative paths are looked up first, before the current folder.
        max_seconds: the longest recording that is read.
    """

    sound: Sound
    folder: Path | None = None
    max_seconds: float = math.inf

    def encode(self, cell: str) -> Values:
        """Return the samples of a recording, [N].

        Raises:
            BadCellError: the file is missing, unreadable, silent, too short or too long.
        """
        if isinstance(cell, Stored):
            return cell.values
        limits = SoundLimits(self.sound.sample_rate, max_seconds=self.max_seconds)
        if isinstance(cell, Recorded):
            return convert_sound(cell, cell.samples, cell.rate, limits)
        return read_sound(located(cell, self.folder), limits)

    def pad(self, sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
        """Return samples padded with silence, [B, N], and their lengths, [B]."""
        from s2scli.data.batch import pad_values  # torch takes over a second to import

        return pad_values(sources)

    def length(self, values: Values) -> int:
        """Return the number of samples."""
        return len(values)

    def sizes(self, lengths: Lengths) -> Lengths:
        """Return the lengths in units of 40 ms, rounded up."""
        return -(-lengths.astype(np.int64) * PER_SECOND // self.sound.sample_rate).astype(np.int32)

    def utterances(self, cell: str) -> Sequence[str]:
        """Divide a recording at pauses of over 2 seconds; return nothing if there are none."""
        values = self.encode(cell)
        found = self._cut(cell, values, len(values))
        return found if len(found) > 1 else ()

    def parts(self, cell: str, most: int) -> Sequence[str]:
        """Cut a recording at pauses, and drop the pauses between its parts."""
        return self._cut(cell, self.encode(cell), most * self.sound.sample_rate // PER_SECOND)

    def _cut(self, cell: str, values: Values, limit: int) -> list[Stored]:
        """Cut a recording at pauses into parts of at most this many samples.

        The parts are copies, so that the whole recording need not stay in memory.
        """
        rate = self.sound.sample_rate
        pieces = cut_at_pauses(values, rate, limit)
        return [
            Stored(
                f"{cell} {start / rate:.2f}-{end / rate:.2f}",
                values[start:end].copy(),
                start / rate,
            )
            for start, end in pieces
        ]

    def truncate(self, cell: str, most: int) -> str:
        """Return the beginning of a recording."""
        limit = most * self.sound.sample_rate // PER_SECOND
        return Stored(cell, self.encode(cell)[:limit].copy())

    def labels(self, values: Values, positions: int, cell: str = "") -> tuple[str, ...]:
        """Return the time of each encoder state, in seconds."""
        seconds = len(values) / self.sound.sample_rate
        start = cell.start if isinstance(cell, Stored) else 0.0
        return tuple(f"{start + seconds * index / positions:.2f}" for index in range(positions))

    def unknown(self, values: Values) -> int:
        """Return 0: sound has no tokens."""
        return 0

    @property
    def tags(self) -> Collection[str]:
        """No tags: they stand in front of text."""
        return ()

    def surfaces(self, cell: str) -> list[str]:
        """Return nothing: sound has no text."""
        return []
