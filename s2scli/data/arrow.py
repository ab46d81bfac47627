"""Arrow files of the corpus, memory-mapped, with every batch validated before it is used."""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from s2scli.artifacts import open_artifact
from s2scli.errors import CheckpointError


class ArrowFile:
    """A memory-mapped Arrow file of a known schema.

    The library trusts offsets and sizes in the file, and one flipped bit makes it read outside the
    mapping. So each batch is validated in full when it is read for the first time.

    Args:
        path: of the file.
        schema: its columns; none of them holds a null.
        command: the command that makes the file again.

    Raises:
        CheckpointError: it is missing, damaged, or has other columns.
    """

    def __init__(self, path: Path, schema: pa.Schema, command: str) -> None:
        self._path, self._command = path, command
        self._validated: set[int] = set()
        with self._damage_reported():
            with open_artifact(path) as file:
                mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self._file = pa.ipc.open_file(pa.BufferReader(pa.py_buffer(mapped)))
            if self._file.schema != schema:
                raise pa.ArrowInvalid("it has other columns")
            self.rows = tuple(self._count(number) for number in range(len(self)))

    def __len__(self) -> int:
        return int(self._file.num_record_batches)

    def batch(self, number: int) -> pa.RecordBatch:
        """Return a record batch, validated.

        Raises:
            CheckpointError: it is damaged.
        """
        with self._damage_reported():
            batch = self._file.get_batch(number)
            if number not in self._validated:
                batch.validate(full=True)
                if any(map(_has_null, batch.columns)):
                    raise pa.ArrowInvalid("it holds a null")
                self._validated.add(number)
        return batch

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the record batches, in order.

        Raises:
            CheckpointError: one is damaged.
        """
        return map(self.batch, range(len(self)))

    def _count(self, number: int) -> int:
        """Return the number of rows of a batch, whose buffers are long enough for them."""
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
