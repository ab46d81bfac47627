"""Reads the columns of Arrow record batches as pairs."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from s2scli.data.formats.fields import Fields, listed, text_of
from s2scli.data.lines import BadLineError
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError

if TYPE_CHECKING:
    import pyarrow as pa


def choose_columns(schema: "pa.Schema", fields: Fields, file: str) -> Fields:
    """Return the fields to read, after a check that they are columns of text.

    A column whose values are all null has no type, and is read as such.

    Raises:
        CorpusError: a field is missing, is not text, or has the name of another one.
    """
    import pyarrow as pa

    leaves = list(_leaves(schema))
    types = dict(leaves)
    chosen = fields.among([name for name, _ in leaves], file)
    for name in chosen.read:
        if name not in types:
            raise CorpusError(f"{file}: no field {name!r:.60}; found {listed(list(types))}")
        kind = types[name]
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        texts = pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view
        if not (pa.types.is_null(kind) or any(is_text(kind) for is_text in texts)):
            raise CorpusError(f"{file}: the field {name!r:.60} holds {kind!s:.40}, expected text")
    return chosen


def _leaves(fields: Iterable[Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the name and the type of each field that holds no other fields."""
    import pyarrow as pa

    for field in fields:
        if pa.types.is_struct(field.type):
            yield from _leaves(field.type, f"{before}{field.name}.")
        else:
            yield f"{before}{field.name}", field.type


def read_batches(
    batches: Iterable["pa.RecordBatch"], fields: Fields, file: str, limit: int, before: int = 0
) -> Generator[ReadRow, None, int]:
    """Yield an example for every row, and return their number.

    Args:
        batches: the rows.
        fields: the fields to read, from `choose_columns`.
        file: the name of the file, for messages.
        limit: the maximum size of a cell in bytes.
        before: the number of rows in the files before it, which belong to the same corpus.

    Raises:
        pyarrow.ArrowInvalid: a batch is damaged.
    """
    number = 0
    for batch in batches:
        columns = [_values(batch, name) for name in fields.read]
        for values in zip(*columns, strict=True):
            number += 1
            try:
                yield fields.example(_texts(values, fields.read, limit), before + number)
            except BadLineError as error:
                fault = f"{error} (row {number} of this file)" if before else str(error)
                yield BadLine(file, before + number, error.reason, fault, "row")
    return number


def _texts(values: Sequence[bytes | None], names: Sequence[str], limit: int) -> list[str]:
    return [text_of(value, name, limit) for value, name in zip(values, names, strict=True)]


def _values(batch: "pa.RecordBatch", path: str) -> list[bytes | None]:
    """Return the bytes of a column of text; they may not be UTF-8."""
    import pyarrow as pa
    import pyarrow.compute as pc

    column: Any = None
    for name in _steps(batch.schema, path):
        column = batch.column(name) if column is None else pc.struct_field(column, name)
    column.validate()
    if pa.types.is_dictionary(column.type):
        column.validate(full=True)
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return [None] * len(column)
    if not pa.types.is_string(column.type):
        column = column.cast(pa.large_binary())
    else:
        column = column.cast(pa.binary())
    column.validate(full=True)
    values: list[bytes | None] = column.to_pylist()
    return values


def _steps(fields: Any, path: str) -> list[str]:
    """Return the names that lead to a field; a name may have dots itself."""
    for field in fields:
        if field.name == path:
            return [path]
        inner = path.removeprefix(f"{field.name}.")
        if inner != path and (rest := _inner(field, inner)):
            return [field.name, *rest]
    return []


def _inner(field: Any, path: str) -> list[str]:
    import pyarrow as pa

    return _steps(field.type, path) if pa.types.is_struct(field.type) else []
