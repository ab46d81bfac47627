"""`s2s prepare`: read, clean, deduplicate and split a corpus."""

import contextlib
import functools
import itertools
import math
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from s2scli.data.accounting import (
    FileAccount,
    Report,
    RowTally,
    SplitSummary,
    SplitTally,
    write_report,
)
from s2scli.data.cleaning import LENGTH_RATIO, OVER_LONG, put_tags
from s2scli.data.cleaning.own import LoadedRule, load_rules, own_files
from s2scli.data.cleaning.rules import (
    Cleaner,
    Stretch,
    corpus_cleaner,
    held_out_cleaner,
    require_usable,
)
from s2scli.data.corpus import (
    HashArray,
    SourceWatch,
    StagedCorpus,
    stage,
    write_held_out,
    write_rows,
    write_splits,
)
from s2scli.data.dialogue import join_history
from s2scli.data.example import Example
from s2scli.data.formats.folders import expand_folders
from s2scli.data.formats.grouping import Input, group_inputs
from s2scli.data.lines import STDIN, TextFile, has_columns, line_limit, open_text
from s2scli.data.media import MediaReader, choose_sides, kind_of_file
from s2scli.data.mixing import LEAST, MOST, times_by
from s2scli.data.rows import Row
from s2scli.data.settings import CleaningSettings, PrepareSettings
from s2scli.data.shards import CleanedShard, Cleaning, clean_shard, divide, read_rows
from s2scli.data.splitting import SplitSizes, choose_split, default_size
from s2scli.data.store import SPLITS, Corpus, TextSplit, split_path
from s2scli.errors import CorpusError, UsageError
from s2scli.manifest import new_folder
from s2scli.pipeline.overwriting import require_replaceable
from s2scli.pipeline.workers import THIS_PROCESS, Workers, kept_shards
from s2scli.report.console import Talk, shortened
from s2scli.report.counting import Advance, counting
from s2scli.settings import Tree, default_of
from s2scli.sides import Sides
from s2scli.tags import MAX_TAGS, check_tag
from s2scli.workspace import Workspace

HELD_OUT = ("valid", "test")
ROWS_PER_UPDATE = 10_000
WEIGHT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
NOTABLE_SHARE, NOTABLE_OVERLAP = 0.05, 0.01
MIN_ROWS_TO_CORRELATE, MIN_CORRELATION = 50, 0.05
MEDIA_SETTINGS = {
    "source_kind",
    "target_kind",
    "sample_rate",
    "max_seconds",
    "image_height",
    "image_width",
    "image_color",
}
NEWER = (
    *("one_column", "columns", "swap", "header", "history", "sampling_temperature"),
    *("input_format", "source_field", "target_field", "tag_field", "tag_column"),
    *(name for name in CleaningSettings.model_fields if not name.startswith("max_length")),
)


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


def prepare(
    workspace: Workspace,
    inputs: Inputs,
    settings: PrepareSettings,
    talk: Talk,
    *,
    overwrite: bool = False,
    workers: Workers = THIS_PROCESS,
) -> Report:
    """Write the corpus of a workspace and report how many rows were kept and dropped.

    The corpus does not depend on the workers.

    Args:
        workspace: the workspace to write the corpus to.
        inputs: the input files.
        settings: how the files are read, cleaned and split.
        talk: shows warnings and the first pair.
        overwrite: replace a corpus that a model was trained on, without asking.
        workers: who cleans the rows.

    Raises:
        UsageError: the inputs or settings contradict each other.
        MissingInputError: a file is missing or unreadable.
        CorpusError: a file cannot be read as a corpus; an existing corpus is kept.
        LockedError: another process uses the workspace, or a model was trained on its corpus.
        StorageError: the disk is full or a write failed.
        LostProcessError: workers were killed again and again; the same command goes on.
    """
    _check(inputs, settings)
    inputs = _expanded(inputs)
    if not overwrite:
        require_replaceable(workspace, "corpus", talk)
    with _opened(inputs, talk) as files:
        settings = _with_columns(inputs, files["corpus"][0], settings)
        require_usable(settings)
        own = load_own_rules(settings, talk)
        report = _make_corpus(workspace, inputs, files, settings, own, workers, talk)
    if settings.one_column:
        is_what = "a turn of a dialogue" if settings.history else "its own source and target"
        talk.say(f"{report.files[0].names[0]}: each line is {is_what}")
    if len(report.files) > len(report.by_role()):
        talk.say("several corpora are read one after the other")
    for notice in report.notices:
        talk.warn(notice)
    first = Corpus.load(workspace.corpus).open_split("train")[0]
    for side, kind in (("source", settings.source_kind), ("target", settings.target_kind)):
        named = kind_of_file(getattr(first, side))
        if kind == "text" and named:
            talk.warn(
                f"the {side}s look like names of files, and are taken as text; to read the files: "
                f"--{side}-kind {named}"
            )
    talk.say(f"source: {shortened(first.source)}")
    talk.say(f"target: {shortened(first.target)}")
    return report


def _make_corpus(
    workspace: Workspace,
    inputs: Inputs,
    files: Mapping[str, Sequence[TextFile]],
    settings: PrepareSettings,
    own: Mapping[str, LoadedRule],
    workers: Workers,
    talk: Talk,
) -> Report:
    """Read the files and publish the corpus."""
    with workspace.locked("prepare"), new_folder(workspace.corpus, "corpus") as draft:
        folder = draft.path
        tags = inputs.tags
        read = _parts("corpus", files["corpus"], settings, tags, own)
        parts, sides = _with_sides(read, settings)
        mixing = _mixing(parts, files["corpus"], inputs, settings)
        held_out = {
            role: _hold_out(
                _parts(role, files[role], settings, tags), role, settings, sides, folder
            )
            for role in HELD_OUT
            if role in files
        }
        with _scratch(folder) as scratch, kept_shards(workspace.shards) as shards:
            folders = _Folders(scratch, shards)
            staged = _stage(parts, settings, sides, folders, workers, talk)
            split = choose_split(staged.corpus.hashes, _sizes(staged.corpus.kept, inputs, settings))
            watch = SourceWatch(_hashes(held_out))
            tallies = write_splits(staged.corpus, split, folder, watch)
        report = _report(staged, held_out, tallies, watch, sides)
        hashes = {"own_rules": {name: rule.sha256 for name, rule in own.items()}} if own else {}
        draft.facts = {
            **_recorded(settings, sides),
            **hashes,
            **_mixture(parts, mixing, folder, settings, sides, talk),
            **({"weights": list(inputs.weights)} if mixing else {}),
            **({"given_tags": list(tags)} if tags else {}),
            **_tags([*parts, *(part for one in held_out.values() for part in one.parts)]),
            "inputs": _digests(report),
        }
        write_report(folder, report)
    return report


@dataclass(frozen=True)
class _Folders:
    """Where files are written to until the corpus is complete.

    Attributes:
        scratch: for this run.
        shards: for finished shards, which outlive a run that is stopped.
    """

    scratch: Path
    shards: Path


@dataclass(frozen=True)
class _Staged:
    """The corpus after reading and cleaning, before splitting."""

    corpus: StagedCorpus
    accounts: tuple[FileAccount, ...]
    notices: tuple[str, ...]


@dataclass(frozen=True)
class _HeldOut:
    """A validation or test split from the user's own files."""

    parts: Sequence["Part"]
    accounts: tuple[FileAccount, ...]
    notices: tuple[str, ...]
    tally: SplitTally
    hashes: HashArray


def _check(inputs: Inputs, settings: PrepareSettings) -> None:
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


def _expanded(inputs: Inputs) -> Inputs:
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


def _with_columns(inputs: Inputs, file: TextFile, settings: PrepareSettings) -> PrepareSettings:
    """Return the settings with `one_column` set if the corpus has one sentence per line.

    Without --one-column, this is true for a single .txt file whose first line has no TAB. With
    --skip-bad-lines it is not guessed, because that line may be a bad line.

    Raises:
        UsageError: another setting or the files do not fit a corpus with one column.
    """
    if settings.one_column and settings.input_format not in (None, "sentences"):
        raise UsageError(f"--one-column does not work with {settings.input_format}; leave it out")
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


def load_own_rules(settings: PrepareSettings, talk: Talk) -> dict[str, LoadedRule]:
    """Return a user's own rules by name, after a warning that this runs code.

    Raises:
        MissingInputError: a file does not exist or cannot be read.
        ConfigError: the file of rules is not valid, or its Python code fails.
    """
    if settings.rules is None:
        return {}
    files = ", ".join(map(str, own_files(settings.rules)))
    talk.warn(f"{settings.rules}: its rules are code, which runs now: {files}")
    return load_rules(settings.rules)


def _recorded(settings: PrepareSettings, sides: Sides) -> Tree:
    """Return the settings for the manifest; those in NEWER are recorded only if they are set.

    Of a file only its name is recorded.
    """
    named = {
        name: Path(file).name
        for name in ("rules", "redact_list")
        if (file := getattr(settings, name))
    }
    settings = settings.model_copy(update=named)
    plain = {name for name in NEWER if getattr(settings, name) == default_of(PrepareSettings, name)}
    if sides.are_text:
        return settings.model_dump(exclude=plain | MEDIA_SETTINGS)
    return {**settings.model_dump(exclude=plain), "sides": asdict(sides)}


@contextlib.contextmanager
def _opened(inputs: Inputs, talk: Talk) -> Iterator[dict[str, list[TextFile]]]:
    """Open all inputs, by role."""
    with contextlib.ExitStack() as stack:
        roles = inputs.roles()
        if any(STDIN in paths for paths in roles.values()) and sys.stdin.isatty():
            talk.say("reading from the terminal; Ctrl-D ends")
        yield {
            role: [stack.enter_context(open_text(path)) for path in paths]
            for role, paths in roles.items()
        }


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Create a folder for temporary files; remove it when the block ends."""
    scratch = folder / "scratch"
    scratch.mkdir()
    yield scratch
    shutil.rmtree(scratch)


@dataclass(frozen=True)
class Part:
    """One file, dataset or pair of parallel files, with its rows, their cleaner and their tally.

    Attributes:
        input: the files, and their format.
        rows: the rows.
        cleaner: the rules for its rows.
        cleaning: how its rows are read and cleaned, for other processes.
        tag: the tag of all its rows; empty if they have none, or have their own.
        tally: the counts of its rows.
        tags: the tags of the rows that were kept.
        shifts: the stretches whose sides are shifted, if it is cleaned shard by shard.
    """

    input: Input
    rows: Iterator[Row]
    cleaner: Cleaner
    cleaning: Cleaning
    tag: str = ""
    tally: RowTally = field(default_factory=RowTally)
    tags: set[str] = field(default_factory=set)
    shifts: list[Stretch] = field(default_factory=list)

    @property
    def files(self) -> Sequence[TextFile]:
        """The files."""
        return self.input.files

    @property
    def folder(self) -> Path | None:
        """Where the paths of sounds and pictures are looked up first; None for stdin."""
        path = self.files[0].path
        return None if path == STDIN else path.parent

    def add(self, cleaned: CleanedShard) -> None:
        """Count the rows of the next shard."""
        self.tally.add(cleaned.tally)
        self.shifts.extend(cleaned.shifts)
        self.tags.update(cleaned.tags)

    def account(self, role: str) -> FileAccount:
        """Return the account of its rows; call it after reading them."""
        return FileAccount(
            role=role,
            names=tuple(file.short_name for file in self.files),
            sha256=tuple(file.sha256 for file in self.files),
            read=self.tally.read,
            kept=self.tally.kept,
            dropped=dict(sorted(self.tally.dropped.items())),
            changed=dict(sorted(self.tally.changed.items())),
            samples={name: tuple(part) for name, part in sorted(self.tally.samples.items())},
        )


def _parts(
    role: str,
    files: Sequence[TextFile],
    settings: PrepareSettings,
    tags: Sequence[str],
    own: Mapping[str, LoadedRule] = MappingProxyType({}),
) -> list[Part]:
    """Return the parts to read for a role, in order; a user's own rules are for the corpus.

    Raises:
        UsageError: the number of tags is not that of the parts.
    """
    inputs = group_inputs(files, role, settings)
    if len(tags) > 1 and len(tags) != len(inputs):
        raise UsageError(
            f"{len(tags)} times --tag: expected one for all, or one for each of the {len(inputs)} "
            f"inputs of {role}, in this order"
        )
    filters = {name: rule.filter for name, rule in own.items()}
    hashes = {name: rule.sha256 for name, rule in own.items()}
    each = tags if len(tags) > 1 else [*tags, ""][:1] * len(inputs)
    return [
        _part(
            one,
            cleaning := Cleaning.of(settings, one, tag, hashes),
            corpus_cleaner(settings, cleaning.file, filters)
            if role == "corpus"
            else held_out_cleaner(settings),
        )
        for one, tag in zip(inputs, each, strict=True)
    ]


def _part(one: Input, cleaning: Cleaning, cleaner: Cleaner) -> Part:
    read = one.format.read(one.files, line_limit(cleaning.settings.max_length))
    return Part(one, read_rows(cleaning, read), cleaner, cleaning, cleaning.tag)


@contextlib.contextmanager
def opened_parts(
    inputs: Inputs, settings: PrepareSettings, talk: Talk
) -> Iterator[tuple[PrepareSettings, list[Part]]]:
    """Open a corpus of text to look at it, without writing anything; yield settings and parts.

    Raises:
        UsageError: the inputs or settings contradict each other, or the corpus is not text.
        MissingInputError: a file is missing or unreadable.
        CorpusError: a file cannot be read as a corpus.
        MissingExtraError: a rule needs a library that is not installed.
    """
    _check(inputs, settings)
    inputs = _expanded(inputs)
    if (settings.source_kind, settings.target_kind) != ("text", "text"):
        raise UsageError("--explain and --suggest are for text on both sides")
    with _opened(replace(inputs, valid=(), test=()), talk) as files:
        settings = _with_columns(inputs, files["corpus"][0], settings)
        require_usable(settings)
        own = load_own_rules(settings, talk)
        yield settings, _parts("corpus", files["corpus"], settings, inputs.tags, own)


def _with_sides(parts: Sequence[Part], settings: PrepareSettings) -> tuple[Sequence[Part], Sides]:
    """Decide what the sides are made of, by the first rows; return the parts to read, too."""
    first, *others = parts
    sides, rows = choose_sides(first.rows, settings, first.folder)
    return [replace(first, rows=rows), *others], sides


def _examples(parts: Sequence[Part], settings: PrepareSettings, sides: Sides) -> Iterator[Example]:
    """Yield the examples of all parts; line numbers continue from one part to the next.

    Args:
        parts: the parts to read.
        settings: the settings of preparation.
        sides: what the sides are made of.
    """
    before = 0
    for part in parts:
        rows = part.cleaner.rows(part.rows)
        if settings.history:
            rows = join_history(rows, settings.history, one_column=settings.one_column)
        if not sides.are_text:
            rows = MediaReader(sides, settings, part.folder).read(rows)
        if part.tag or settings.tag_field or settings.tag_column:
            rows = put_tags(rows, part.tag, part.tags)
        for row in part.tally.keep(rows):
            yield replace(row, line=before + row.line) if before else row
        before += part.tally.read


def _stage(
    parts: Sequence[Part],
    settings: PrepareSettings,
    sides: Sides,
    folders: _Folders,
    workers: Workers,
    talk: Talk,
) -> _Staged:
    """Read and clean the corpus and write its rows to files; find the duplicates among them."""
    with counting(talk, "reading") as advance:
        paths = _cleaned_files(parts, settings, sides, folders, workers, advance, talk)
        corpus = stage(paths, folders.scratch, sides, settings.near_duplicates)
    start = lines = 0
    for part in parts:
        end = start + part.tally.kept
        for reason, rows in corpus.dropped(start, end).items():
            part.tally.drop(reason, rows.on_lines_after(lines))
        start, lines = end, lines + part.tally.read
    accounts = _accounts("corpus", parts)
    limits = _length_notices(functools.reduce(FileAccount.plus, accounts), settings)
    return _Staged(corpus, accounts, (*_notices(parts), *limits))


def _cleaned_files(
    parts: Sequence[Part],
    settings: PrepareSettings,
    sides: Sides,
    folders: _Folders,
    workers: Workers,
    advance: Advance,
    talk: Talk,
) -> Iterator[Path]:
    """Clean the corpus, and yield the files with its rows, in order."""
    before = 0
    for number, part in enumerate(parts):
        if sides.are_text and part.cleaning.is_divisible:
            shards = divide(part.cleaning, part.input, before, folders.shards.absolute())
            for cleaned in workers.map(clean_shard, shards, talk):
                part.add(cleaned)
                advance(cleaned.tally.read)
                yield folders.shards / cleaned.name
            part.tally.notices += [
                notice.text for notice in part.cleaner.shift_notices(part.shifts)
            ]
        else:
            path = folders.scratch / f"rows-{number}.arrow"
            examples = _counted(_examples([part], settings, sides), advance)
            near = settings.near_duplicates is not None
            write_rows(examples, path, sides, near=near, before=before)
            yield path
        before += part.tally.read


def _hold_out(
    parts: Sequence[Part], role: str, settings: PrepareSettings, sides: Sides, folder: Path
) -> _HeldOut:
    """Write the user's own files as the split `role`; drop rows with an empty side."""
    examples = _examples(parts, settings, sides)
    written, hashes = write_held_out(examples, split_path(folder, role), sides)
    return _HeldOut(parts, _accounts(role, parts), _notices(parts), written, hashes)


def _mixing(
    parts: Sequence[Part],
    files: Sequence[TextFile],
    inputs: Inputs,
    settings: PrepareSettings,
) -> tuple[float, ...]:
    """Return the weight of each part; none if all rows are seen once.

    Raises:
        UsageError: there is only one part, or the files of one have different weights.
    """
    weights = inputs.weights or (1.0,) * len(files)
    if set(weights) == {1.0} and settings.sampling_temperature == 1:
        return ()
    if len(parts) < 2:
        raise UsageError(
            "weights and --sampling-temperature mix several corpora, and there is only one"
        )
    by_file = dict(zip(files, weights, strict=True))
    found = [{by_file[file] for file in part.files} for part in parts]
    if any(len(one) > 1 for one in found):
        raise UsageError("a source file and its target file need the same weight")
    return tuple(min(one) for one in found)


def _mixture(
    parts: Sequence[Part],
    weights: Sequence[float],
    folder: Path,
    settings: PrepareSettings,
    sides: Sides,
    talk: Talk,
) -> Tree:
    """Return how the corpora are mixed, for the manifest, and say it; nothing if they are not."""
    if not weights:
        return {}
    ends = np.cumsum([part.tally.read for part in parts])  # lines are numbered across the parts
    rows = np.zeros(len(parts), np.int64)
    for batch in TextSplit(split_path(folder, "train"), sides).batches():
        corpora = np.searchsorted(ends, batch.column("line").to_numpy(), side="left")
        rows += np.bincount(corpora, minlength=len(parts))
    times = times_by(rows.tolist(), weights, settings.sampling_temperature)
    seen = rows * times
    for part, count, one, share in zip(parts, rows, times, seen / seen.sum(), strict=True):
        names = " + ".join(file.short_name for file in part.files)
        talk.say(
            f"{names}: {count:,} training rows, each seen {one:g} times an epoch ({share:.1%})"
        )
    return {"mixture": {"rows": rows.tolist(), "times": list(times)}}


def _tags(parts: Sequence[Part]) -> Tree:
    """Return the tags of all rows, for the manifest; nothing if there are none.

    Raises:
        CorpusError: there are too many.
    """
    tags = sorted(set().union(*(part.tags for part in parts)))
    if len(tags) > MAX_TAGS:
        raise CorpusError(
            f"{len(tags):,} different tags, at most {MAX_TAGS:,} are allowed; the first are "
            f"{', '.join(tags[:5])}: is this the right field or column?"
        )
    return {"tags": tags} if tags else {}


def _notices(parts: Sequence[Part]) -> tuple[str, ...]:
    return tuple(itertools.chain.from_iterable(part.tally.notices for part in parts))


def _accounts(role: str, parts: Sequence[Part]) -> tuple[FileAccount, ...]:
    """Return the account of each part.

    Raises:
        CorpusError: all rows of all parts were dropped.
    """
    accounts = tuple(part.account(role) for part in parts)
    whole = functools.reduce(FileAccount.plus, accounts)
    if not whole.kept:
        names = " and ".join(file.name for part in parts for file in part.files)
        reasons = ", ".join(f"{count} {reason}" for reason, count in whole.dropped.items())
        raise CorpusError(f"{names}: no usable rows: {whole.read} read, all dropped ({reasons})")
    return accounts


def _sizes(rows: int, inputs: Inputs, settings: PrepareSettings) -> SplitSizes:
    """Return how many rows to cut from the corpus for each held-out split."""
    default = default_size(rows)
    valid = default if settings.valid_size is None else settings.valid_size
    test = default if settings.test_size is None else settings.test_size
    return SplitSizes(valid=0 if inputs.valid else valid, test=0 if inputs.test else test)


def _hashes(held_out: Mapping[str, _HeldOut]) -> HashArray:
    return np.concatenate([np.empty(0, np.int64), *(part.hashes for part in held_out.values())])


def _report(
    staged: _Staged,
    held_out: Mapping[str, _HeldOut],
    tallies: Mapping[str, SplitTally],
    watch: SourceWatch,
    sides: Sides,
) -> Report:
    splits = {name: tally.summary(source_in_train=0) for name, tally in tallies.items()}
    for role, part in held_out.items():
        splits[role] = part.tally.summary(source_in_train=watch.count(part.hashes))
    parts = held_out.values()
    return Report(
        files=(*staged.accounts, *(account for part in parts for account in part.accounts)),
        splits={name: splits[name] for name in SPLITS if name in splits},
        notices=(
            *itertools.chain.from_iterable(part.notices for part in parts),
            *staged.notices,
            *_split_notices(splits, sides),
        ),
        sides=sides,
    )


def _digests(report: Report) -> dict[str, list[str]]:
    """Return the SHA-256 of every input file, by role, in reading order."""
    digests: dict[str, list[str]] = {}
    for account in report.files:
        digests.setdefault(account.role, []).extend(account.sha256)
    return digests


def _length_notices(account: FileAccount, settings: PrepareSettings) -> Iterator[str]:
    limits = {
        OVER_LONG: ("--max-length", settings.max_length),
        LENGTH_RATIO: ("--max-length-ratio", settings.max_length_ratio),
    }
    for reason, (flag, limit) in limits.items():
        share = account.dropped.get(reason, 0) / account.read
        if share > NOTABLE_SHARE:
            yield f"{share:.0%} of the rows were dropped as {reason}; {flag} is {limit:g}"


def _split_notices(splits: Mapping[str, SplitSummary], sides: Sides) -> Iterator[str]:
    train = splits["train"]
    for name in HELD_OUT:
        if name not in splits:
            yield f"there is no {name} split"
        elif splits[name].source_in_train > NOTABLE_OVERLAP * splits[name].rows:
            yield (
                f"{splits[name].source_in_train} of {splits[name].rows} {name} rows have a "
                f"{sides.grouped_by} that is also in the train split: scores on them will be too "
                "high"
            )
    if not sides.are_text:
        return
    if train.not_nfc:
        yield (
            f"{train.not_nfc} train rows are not in Unicode normal form C: the same text may be "
            "encoded in different ways; --normalization nfc makes it uniform"
        )
    found = train.length_correlation
    least = max(MIN_CORRELATION, 2 / math.sqrt(max(1, train.rows)))  # two standard errors
    if found is not None and train.rows >= MIN_ROWS_TO_CORRELATE and found < least:
        yield (
            f"the lengths of sources and targets do not correlate ({found:.2f}): check that the "
            "two sides are aligned and that the columns are the right ones"
        )


def _counted(examples: Iterable[Example], advance: Advance) -> Iterator[Example]:
    """Yield the examples and show their count."""
    for number, example in enumerate(examples, start=1):
        yield example
        if number % ROWS_PER_UPDATE == 0:
            advance(ROWS_PER_UPDATE)
