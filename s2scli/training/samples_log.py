"""`samples.jsonl`: the outputs for a few validation examples, one line for each validation."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from s2scli.artifacts import open_artifact
from s2scli.files import append_to_file, write_file

MAX_BYTES, MAX_LINE_BYTES = 1_000_000_000, 10_000_000
MAX_PIECES = 60  # a longer sample is logged without its attention

Weight = Annotated[float, Field(strict=True, ge=0, le=1)]


@dataclass(frozen=True)
class Sample:
    """The output for one validation example.

    Attributes:
        source: the source as text.
        reference: the target as text.
        output: the model's output.
        source_pieces: the S tokens of the source; empty without attention.
        target_pieces: the T tokens of the output; empty without attention.
        attention: the weights, [T, S]; empty without attention.
    """

    source: str
    reference: str
    output: str
    source_pieces: tuple[str, ...] = ()
    target_pieces: tuple[str, ...] = ()
    attention: tuple[tuple[Weight, ...], ...] = ()

    def __post_init__(self) -> None:
        shape = [len(row) for row in self.attention]
        if shape != [len(self.source_pieces)] * len(self.target_pieces):
            raise ValueError("the attention does not have the shape of the pieces")


@dataclass(frozen=True)
class Samples:
    """The outputs at one validation.

    Attributes:
        step: the number of updates.
        samples: the outputs, always for the same examples.
    """

    step: Annotated[int, Field(strict=True, ge=0, le=2**53)]
    samples: tuple[Sample, ...]


_LINE = TypeAdapter(Samples)


class SamplesLog:
    """A file to which samples are appended; it holds text of the corpus.

    Args:
        path: the path of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, step: int, samples: Sequence[Sample]) -> None:
        """Append the outputs at a validation.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        append_to_file(self.path, _line(Samples(step, tuple(samples))))

    def read(self) -> Iterator[Samples]:
        """Yield the lines in order; skip damaged ones, such as one that a crash cut short.

        Raises:
            CheckpointError: the log is not a regular file, or too large.
        """
        if not self.path.exists():
            return
        with open_artifact(self.path, MAX_BYTES) as file:
            while line := file.readline(MAX_LINE_BYTES):
                try:
                    yield _LINE.validate_json(line)
                except (ValidationError, RecursionError):
                    continue

    def forget_after(self, step: int) -> None:
        """Drop the lines that a run resumed after the validation at `step` will write again.

        Raises:
            CheckpointError: the log is not a regular file, or too large.
            StorageError: the disk is full or writing failed.
        """
        if self.path.exists():
            kept = [_line(samples) for samples in self.read() if samples.step <= step]
            write_file(self.path, b"".join(kept))


def _line(samples: Samples) -> bytes:
    return (json.dumps(asdict(samples), ensure_ascii=False) + "\n").encode()
