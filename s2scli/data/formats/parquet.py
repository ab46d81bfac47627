"""Parquet: columns in row groups."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from s2scli.data.formats.columns import choose_columns, read_batches
from s2scli.data.formats.fields import USUAL, Fields
from s2scli.data.lines import TextFile
from s2scli.data.rows import ReadRow
from s2scli.errors import CorpusError

BATCH_ROWS, BLOCK_BYTES = 1000, 1 << 20


@dataclass(frozen=True)
class Parquet:
    """One row per row of the file.

    Attributes:
        fields: the fields to read.
    """

    fields: Fields = USUAL
    files: ClassVar[int] = 1
    by_line: ClassVar[bool] = False

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every row.

        Raises:
            CorpusError: as for `Format.read`; a field is missing or is not text, or the file is
                stdin or compressed as a whole.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        (file,) = files
        path = file.plain_path
        if not file.first_lines():
            raise CorpusError(f"{file.name}: the file is empty")
        try:
            with path.open("rb") as raw, pq.ParquetFile(raw) as parquet:
                fields = choose_columns(parquet.schema_arrow, self.fields, file.name)
                batches = parquet.iter_batches(BATCH_ROWS, columns=[*{*fields.read}])
                yield from read_batches(batches, fields, file.name, limit)
        except (pa.ArrowException, ValueError, MemoryError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CorpusError(f"{file.name}: damaged Parquet file ({reason})") from error
        for _ in file.blocks(BLOCK_BYTES):
            pass  # so that the whole file is hashed
