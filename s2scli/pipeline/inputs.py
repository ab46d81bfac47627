"""The files that a corpus is prepared from, and which settings fit them."""

import contextlib
import itertools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from s2scli.data.formats.folders import expand_folders
from s2scli.data.lines import STDIN, TextFile, has_columns, open_text
from s2scli.data.mixing import LEAST, MOST
from s2scli.data.settings import PrepareSettings
from s2scli.errors import UsageError
from s2scli.report.console import Talk
from s2scli.tags import check_tag

WEIGHT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


@dataclass(frozen=True)
class Inputs:
    """The input files by role; `-` is stdin.

    Each role has files of pairs, or a source file and a target file. If the corpus has one column,
    each role has one file of sentences.

    Attributes:
        corpus: the files of the corpora.
        valid: the files of the valid split.
        test: the files of the test split.
        weights: how often the rows of each file of `corpus` are seen in an epoch; none is once.
        tags: the tag of each corpus, or one tag for all.
    """

    corpus: tuple[Path, ...]
    valid: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    weights: tuple[float, ...] = ()
    tags: tuple[str, ...] = ()

    def roles(self) -> dict[str, tuple[Path, ...]]:
        """Return the input files by role; roles without files are left out."""
        roles = {"corpus": self.corpus, "valid": self.valid, "test": self.test}
        return {role: paths for role, paths in roles.items() if paths}


def weighted(argument: Path) -> tuple[Path, float]:
    """Return the file and the weight of an argument such as a.tsv=2; without a weight it is 1.

    An existing file with this name is meant as a whole.
    """
    name, equals, number = str(argument).rpartition("=")
    if not equals or not WEIGHT.fullmatch(number) or argument.exists():
        return argument, 1.0
    return Path(name), float(number)


def check_inputs(inputs: Inputs, settings: PrepareSettings) -> None:
    """Check that the inputs and the settings fit each other.

    Raises:
        UsageError: they do not; the message says what to leave out or to give instead.
    """
    roles = inputs.roles()
    if not inputs.corpus:
        raise UsageError("no corpus file is given")
    if sum(path == STDIN for paths in roles.values() for path in paths) > 1:
        raise UsageError("- is given twice, but stdin can be read only once")
    if inputs.weights and len(inputs.weights) != len(inputs.corpus):
        raise UsageError(
            f"{len(inputs.weights)} weights for {len(inputs.corpus)} files: expected one for each"
        )
    if any(not LEAST <= weight <= MOST for weight in inputs.weights):
        raise UsageError(f"expected weights from {LEAST:g} to {MOST:g}, such as corpus.tsv=2")
    for role, size in (("valid", settings.valid_size), ("test", settings.test_size)):
        if role in roles and size is not None:
            raise UsageError(f"give either --{role} or --{role}-size, not both")
    if settings.history:
        _check_dialogue(settings)
    _check_tags(inputs, settings)


def _check_tags(inputs: Inputs, settings: PrepareSettings) -> None:
    """Check that the tags are tags, and that other settings fit them.

    Raises:
        UsageError: they do not.
    """
    by_row = [
        flag
        for flag, given in (
            ("--tag-field", settings.tag_field),
            ("--tag-column", settings.tag_column),
        )
        if given
    ]
    if by_row and inputs.tags:
        raise UsageError(f"give either --tag or {by_row[0]}, not both")
    if by_row and settings.history:
        raise UsageError(f"--history joins rows: leave {by_row[0]} out")
    if (by_row or inputs.tags) and settings.source_kind != "text":
        raise UsageError("a tag is put in front of a source of text: leave --source-kind out")
    for tag in inputs.tags:
        try:
            check_tag(tag)
        except ValueError as error:
            raise UsageError(f"--tag: {error}") from error


def _check_dialogue(settings: PrepareSettings) -> None:
    """Check that other settings fit dialogues.

    Raises:
        UsageError: sides are swapped, or are not text.
    """
    if settings.swap:
        raise UsageError("--history joins the turns before each reply: leave --swap out")
    if (settings.source_kind, settings.target_kind) != ("text", "text"):
        raise UsageError("--history is for text: leave --source-kind and --target-kind out")


def expanded(inputs: Inputs) -> Inputs:
    """Return the inputs with the files of dataset folders in their place."""
    corpora = [expand_folders([path]) for path in inputs.corpus]
    pairs = zip(corpora, inputs.weights, strict=True) if inputs.weights else ()
    return replace(
        inputs,
        corpus=tuple(itertools.chain.from_iterable(corpora)),
        valid=tuple(expand_folders(inputs.valid)),
        test=tuple(expand_folders(inputs.test)),
        weights=tuple(weight for files, weight in pairs for _ in files),
    )


def with_columns(inputs: Inputs, file: TextFile, settings: PrepareSettings) -> PrepareSettings:
    """Return the settings with `one_column` set if the corpus has one sentence per line.

    Without --one-column, this is true for a single .txt file whose first line has no TAB. With
    --skip-bad-lines it is not guessed, because that line may be a bad line.

    Raises:
        UsageError: another setting or the files do not fit a corpus with one column.
    """
    one_column = (
        settings.one_column
        or settings.input_format == "sentences"
        or (
            len(inputs.corpus) == 1
            and settings.input_format is None
            and file.ending == ".txt"
            and not settings.skip_bad_lines
            and not has_columns(file.first_lines()[:1])
        )
    )
    for flag, given in (("--columns", settings.columns), ("--swap", settings.swap)):
        if one_column and given:
            raise UsageError(f"{flag} needs two columns, but the corpus has one")
    for role, paths in inputs.roles().items():
        if one_column and len(paths) > 1:
            raise UsageError(
                f"{len(paths)} files for {role}: expected one file of sentences, since the corpus "
                "has one column"
            )
    both = {"target_kind": settings.source_kind} if one_column else {}
    return settings.model_copy(update={"one_column": one_column, **both})


@contextlib.contextmanager
def opened(inputs: Inputs, talk: Talk) -> Iterator[dict[str, list[TextFile]]]:
    """Open all inputs, by role."""
    with contextlib.ExitStack() as stack:
        roles = inputs.roles()
        if any(STDIN in paths for paths in roles.values()) and sys.stdin.isatty():
            talk.say("reading from the terminal; Ctrl-D ends")
        yield {
            role: [stack.enter_context(open_text(path)) for path in paths]
            for role, paths in roles.items()
        }
