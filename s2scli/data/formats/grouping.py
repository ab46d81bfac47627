"""Groups input files into corpora: single TSV files, or pairs of parallel files."""

from collections.abc import Sequence

from s2scli.data.formats.foreign import refuse_foreign
from s2scli.data.lines import TextFile, has_columns
from s2scli.errors import CorpusError, UsageError


def group_files(files: Sequence[TextFile], role: str) -> list[Sequence[TextFile]]:
    """Return the files of each corpus.

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
