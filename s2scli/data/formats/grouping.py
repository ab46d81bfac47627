"""Which of several files make a corpus together."""

from collections.abc import Sequence

from s2scli.data.formats.foreign import refuse_foreign
from s2scli.data.lines import TextFile, has_columns
from s2scli.errors import CorpusError, UsageError


def group_files(files: Sequence[TextFile], role: str) -> list[Sequence[TextFile]]:
    """Return the files of each corpus: every TSV file is one, and so are two parallel files.

    Args:
        files: the files of one role, not read yet.
        role: corpus, valid or test, for messages.

    Raises:
        CorpusError: there are TSV files and others, or a file of another program.
        UsageError: more than two files have no columns.
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
            f"{tsv[0].name} has TABs in most lines, but {others[0].name} has not: {expected}"
        )
    if len(files) > 2:
        raise UsageError(f"{len(files)} files for {role} and no TAB in most lines: {expected}")
    return [files]
