"""Groups input files into corpora: single files, or pairs of parallel files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from s2scli.data.formats import ENDINGS, FIELD_FORMATS, FORMATS, Fields, Format
from s2scli.data.formats.folders import is_dataset
from s2scli.data.formats.foreign import refuse_foreign
from s2scli.data.formats.tsv import Tsv
from s2scli.data.lines import TextFile, has_columns
from s2scli.data.settings import InputSettings, PrepareSettings
from s2scli.errors import CorpusError, UsageError


@dataclass(frozen=True)
class Input:
    """One corpus to read.

    Attributes:
        format: its format.
        files: its files.
        named: whether the format has names for its fields, or is made of segments, so that no row
            is a header.
    """

    format: Format
    files: Sequence[TextFile]
    named: bool = False


def group_inputs(files: Sequence[TextFile], role: str, settings: PrepareSettings) -> list[Input]:
    """Return the corpora of a role, in the order of their first files.

    The ending of its name tells the format of a file, unless `settings.input_format` is given.
    Files with other endings are TSV files, or a source file and a target file.

    Args:
        files: the files of one role; they must not have been read yet.
        role: corpus, valid or test, for messages.
        settings: the format, the columns and the fields.

    Raises:
        CorpusError: TSV files are mixed with others, or a file has a foreign format.
        UsageError: the files cannot be grouped in twos, or a flag does not fit their format.
    """
    names = {file: settings.input_format or format_by_name(file) for file in files}
    inputs: list[Input] = []
    for name in dict.fromkeys(names.values()):
        some = [file for file in files if names[file] == name]
        if name is None:
            inputs += [
                Input(_text_format(group, settings), group) for group in group_files(some, role)
            ]
            continue
        if settings.one_column and name != "sentences" and role == "corpus":
            raise UsageError(f"--one-column does not work with {name}; leave it out")
        size = FORMATS[name].files
        if len(some) % size:
            raise UsageError(
                f"{len(some)} files for {role}: expected a source file and a target file, in turn"
            )
        format, named = _named_format(name, settings)
        groups = [some[start : start + size] for start in range(0, len(some), size)]
        if name == "arrow":
            groups = _datasets(some)
        inputs += [Input(format, group, named) for group in groups]
    return sorted(inputs, key=lambda one: files.index(one.files[0]))


def _datasets(files: Sequence[TextFile]) -> list[list[TextFile]]:
    """Return Arrow files, with those of a dataset folder together."""
    groups: dict[object, list[TextFile]] = {}
    for file in files:
        parent = file.path.parent
        groups.setdefault(parent if is_dataset(parent) else file, []).append(file)
    return list(groups.values())


def format_by_name(file: TextFile) -> str | None:
    """Return the format that the ending of a name tells; None for text.

    A .csv file with TABs in most lines is text.
    """
    name = ENDINGS.get(file.ending)
    return None if name == "csv" and has_columns(file.first_lines()) else name


def fields_of(settings: InputSettings, *, alone: bool = False) -> Fields:
    """Return the fields that the settings name; `alone` reads only the source."""
    tag = settings.tag_field if isinstance(settings, PrepareSettings) else None
    return Fields(settings.source_field, settings.target_field, tag, alone)


def _named_format(name: str, settings: PrepareSettings) -> tuple[Format, bool]:
    """Return a format that was chosen by its name, and whether it has no header.

    Raises:
        UsageError: a flag does not fit the format.
    """
    if name == "tsv":
        return _tsv(settings), False
    fields = fields_of(settings)
    named = name in FIELD_FORMATS
    given: dict[str, object] = {
        "--columns": settings.columns,
        "--tag-column": settings.tag_column,
    }
    unread = given if named else {**given, **_given_fields(settings)}
    _refuse(unread, "which has named fields" if named else "which has no fields", name)
    if settings.header is not None and (named or name == "sgm"):
        raise UsageError(f"--header and --no-header are for text, not for {name}")
    return (FIELD_FORMATS[name](fields) if named else FORMATS[name]), named or name == "sgm"


def _given_fields(settings: PrepareSettings) -> dict[str, object]:
    return {
        "--source-field": settings.source_field,
        "--target-field": settings.target_field,
        "--tag-field": settings.tag_field,
    }


def _refuse(given: Mapping[str, object], why: str, name: str) -> None:
    for flag, value in given.items():
        if value is not None:
            raise UsageError(f"{flag} does not work with {name}, {why}")


def _text_format(files: Sequence[TextFile], settings: PrepareSettings) -> Format:
    """Return the format of one text file, or of two parallel files.

    Raises:
        UsageError: a flag does not fit it.
    """
    if settings.one_column:
        _refuse({"--tag-column": settings.tag_column}, "which have no columns", "sentences")
        _refuse(_given_fields(settings), "which have no fields", "sentences")
        return FORMATS["sentences"]
    if len(files) == 1:
        return _tsv(settings)
    if settings.columns:
        raise UsageError("--columns works only with TSV files, not with a source and a target file")
    _refuse({"--tag-column": settings.tag_column}, "which have no columns", "parallel files")
    _refuse(_given_fields(settings), "which have no fields", "parallel files")
    return FORMATS["parallel"]


def _tsv(settings: PrepareSettings) -> Format:
    _refuse(_given_fields(settings), "which has columns: --columns 1,2", "tsv")
    return Tsv(settings.column_pair, settings.tag_column)


def group_files(files: Sequence[TextFile], role: str) -> list[Sequence[TextFile]]:
    """Return the text files of each corpus.

    Each TSV file is a corpus of its own; two files without TABs are one parallel corpus.

    Args:
        files: the files of one role; they must not have been read yet.
        role: corpus, valid or test, for messages.

    Raises:
        CorpusError: TSV files are mixed with others, or a file has a foreign format.
        UsageError: there are more than two files without TABs.
    """
    if len(files) == 1:
        return [files]
    tsv = [file for file in files if has_columns(file.first_lines())]
    others = [file for file in files if file not in tsv]
    if not others:
        return [(file,) for file in tsv]
    for file in others:
        refuse_foreign(file, by_content=False)
    expected = "expected TSV files, or a source file and a target file"
    if tsv:
        raise CorpusError(
            f"{tsv[0].name} has TABs in most lines, but {others[0].name} does not; {expected}"
        )
    if len(files) > 2:
        raise UsageError(f"{len(files)} files for {role}, without TABs in most lines; {expected}")
    return [files]
