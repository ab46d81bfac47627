"""JSONL: each line is a JSON object with named fields."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from s2scli.data.cleaning import is_blank
from s2scli.data.example import Example
from s2scli.data.formats.fields import USUAL, Fields, paths, pick, text_of
from s2scli.data.formats.format import over_long
from s2scli.data.lines import BadLineError, TextFile, decode_line
from s2scli.data.rows import BadLine, ReadRow
from s2scli.errors import CorpusError


@dataclass(frozen=True)
class Jsonl:
    """One object per line. A blank line is an empty pair.

    Attributes:
        fields: the fields to read; default names are looked for in the first object.
    """

    fields: Fields = USUAL
    files: ClassVar[int] = 1
    by_line: ClassVar[bool] = True

    def read(self, files: Sequence[TextFile], limit: int) -> Iterator[ReadRow]:
        """Yield an example for every line.

        Raises:
            CorpusError: as for `Format.read`; the first object has no fields with default names,
                or the file is one array.
        """
        (file,) = files
        chosen = None
        for number, line in enumerate(file.lines(limit), start=1):
            if line is None:
                yield over_long(file, number, limit)
                continue
            try:
                text = decode_line(line)
                if is_blank(text):
                    yield Example("", "", number)
                    continue
                if number == 1 and text.lstrip().startswith("["):
                    raise CorpusError(
                        f"{file.name}: an array, expected one object per line; convert it: "
                        "jq -c '.[]' FILE > NEW.jsonl"
                    )
                row = _object(text)
                chosen = chosen or self.fields.among(list(paths(row)), file.name)
                yield chosen.example(_cells(row, chosen.read, limit), number)
            except BadLineError as error:
                yield BadLine(file.name, number, error.reason, str(error))


def _object(text: str) -> Mapping[str, Any]:
    """Return the object in a line.

    Raises:
        BadLineError: the line is not an object.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = str(error).partition(":")[0].lower()
        raise BadLineError("json", f"not JSON ({why:.80}); expected one object per line") from error
    if not isinstance(found, dict):
        raise BadLineError("json", f"expected an object with fields, found {text.strip():.40}")
    return found


def _cells(row: Mapping[str, Any], names: Sequence[str], limit: int) -> list[str]:
    values = [pick(row, name) for name in names]
    if all(type(value) is str for value in values):
        return [text_of(value, name, limit) for value, name in zip(values, names, strict=True)]
    found = list(paths(row))
    return [text_of(value, name, limit, found) for value, name in zip(values, names, strict=True)]
