"""Memory-mapped Arrow files, with every record batch validated before use."""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from s2scli.artifacts import open_artifact
from s2scli.errors import CheckpointError

RELEASE_EVERY = 100  # record batches


class ArrowFile:
    """A memory-mapped Arrow file with a known schema.

    The Arrow library trusts the offsets and sizes in the file, so a flipped bit could make it read
    outside the mapping. Each batch is therefore fully validated when it is first read.

    Args:
        path: the path of the file.
        schema: the expected columns; nulls are not allowed.
        command: the command that creates the file, for messages.

    Raises:
        CheckpointError: the file is missing, is damaged or has other columns.
    """

    def __init__(self, path: Path, schema: pa.Schema, command: str) -> None:
        self._path, self._command = path, command
        self._validated: set[int] = set()
        with self._damage_reported():
            with open_artifact(path) as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._mapped = mapped
            self._file = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
            if self._file.schema != schema:
                raise pa.ArrowInvalid("unexpected columns")
            self.rows = tuple(map(self._count, self._numbers()))

    def __len__(self) -> int:
        return int(self._file.num_record_batches)

    def batch(self, number: int) -> pa.RecordBatch:
        """Return a validated record batch.

        Args:
            number: the index of the batch.

        Raises:
            CheckpointError: the batch is damaged.
        """
        with self._damage_reported():
            batch = self._file.get_batch(number)
            if number not in self._validated:
                batch.validate(full=True)
                if any(map(_has_null, batch.columns)):
                    raise pa.ArrowInvalid("unexpected null")
                self._validated.add(number)
        return batch

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the validated record batches, in order; release the memory of earlier ones.

        Raises:
            CheckpointError: a batch is damaged.
        """
        return map(self.batch, self._numbers())

    def release(self) -> None:
        """Release the memory of the pages read so far; they are read again when needed.

        Without this, the resident memory grows up to the size of the file.
        """
        if advice := getattr(mmap, "MADV_DONTNEED", None):  # missing on Windows
            self._mapped.madvise(advice)

    def _numbers(self) -> Iterator[int]:
        """Yield the indices of the batches, in order; release the memory of earlier ones."""
        for number in range(len(self)):
            if number % RELEASE_EVERY == 0:
                self.release()
            yield number

    def _count(self, number: int) -> int:
        """Return the number of rows of a batch, after a check of its buffer sizes."""
        batch = self._file.get_batch(number)
        batch.validate()
        return int(batch.num_rows)

    @contextlib.contextmanager
    def _damage_reported(self) -> Iterator[None]:
        try:
            yield
        except CheckpointError as error:
            raise CheckpointError(f"{error}; make it again with `{self._command}`") from error
        except (pa.ArrowException, ValueError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(
                f"{self._path}: damaged ({reason}); make it again with `{self._command}`"
            ) from error


def _has_null(column: pa.Array) -> bool:
    is_list = pa.types.is_list(column.type)
    return bool(column.null_count or (is_list and column.values.null_count))
