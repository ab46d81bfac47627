"""`s2s prepare`: read, clean, deduplicate and split a corpus."""

import contextlib
import functools
import itertools
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from s2scli.data.accounting import (
    FileAccount,
    Report,
    SplitSummary,
    SplitTally,
    write_report,
)
from s2scli.data.cleaning import LENGTH_RATIO, OVER_LONG
from s2scli.data.cleaning.own import LoadedRule
from s2scli.data.cleaning.rules import (
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
from s2scli.data.example import Example
from s2scli.data.lines import TextFile
from s2scli.data.media import kind_of_file
from s2scli.data.mixing import times_by
from s2scli.data.settings import CleaningSettings, PrepareSettings
from s2scli.data.shards import clean_shard, divide
from s2scli.data.splitting import SplitSizes, choose_split, default_size
from s2scli.data.store import SPLITS, Corpus, TextSplit, split_path
from s2scli.errors import UsageError
from s2scli.manifest import new_folder
from s2scli.pipeline.inputs import Inputs, check_inputs, expanded, opened, with_columns
from s2scli.pipeline.overwriting import require_replaceable
from s2scli.pipeline.parts import (
    Part,
    accounts_of,
    examples_of,
    load_own_rules,
    notices_of,
    parts_of,
    tags_of,
    with_sides,
)
from s2scli.pipeline.workers import THIS_PROCESS, Workers, kept_shards
from s2scli.report.console import Talk, shortened
from s2scli.report.counting import Advance, counting
from s2scli.settings import Tree, default_of
from s2scli.sides import Sides
from s2scli.workspace import Workspace

HELD_OUT = ("valid", "test")
ROWS_PER_UPDATE = 10_000
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
    check_inputs(inputs, settings)
    inputs = expanded(inputs)
    if not overwrite:
        require_replaceable(workspace, "corpus", talk)
    with opened(inputs, talk) as files:
        settings = with_columns(inputs, files["corpus"][0], settings)
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
        read = parts_of("corpus", files["corpus"], settings, tags, own)
        parts, sides = with_sides(read, settings)
        mixing = _mixing(parts, files["corpus"], inputs, settings)
        held_out = {
            role: _hold_out(
                parts_of(role, files[role], settings, tags), role, settings, sides, folder
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
            **tags_of([*parts, *(part for one in held_out.values() for part in one.parts)]),
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
def _scratch(folder: Path) -> Iterator[Path]:
    """Create a folder for temporary files; remove it when the block ends."""
    scratch = folder / "scratch"
    scratch.mkdir()
    yield scratch
    shutil.rmtree(scratch)


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
    accounts = accounts_of("corpus", parts)
    limits = _length_notices(functools.reduce(FileAccount.plus, accounts), settings)
    return _Staged(corpus, accounts, (*notices_of(parts), *limits))


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
            examples = _counted(examples_of([part], settings, sides), advance)
            near = settings.near_duplicates is not None
            write_rows(examples, path, sides, near=near, before=before)
            yield path
        before += part.tally.read


def _hold_out(
    parts: Sequence[Part], role: str, settings: PrepareSettings, sides: Sides, folder: Path
) -> _HeldOut:
    """Write the user's own files as the split `role`; drop rows with an empty side."""
    examples = examples_of(parts, settings, sides)
    written, hashes = write_held_out(examples, split_path(folder, role), sides)
    return _HeldOut(parts, accounts_of(role, parts), notices_of(parts), written, hashes)


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
