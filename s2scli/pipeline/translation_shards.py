"""Translates files of any size shard by shard, on the machines of a cluster.

A shard is some consecutive lines. Its records are written to a file whose name is the digest of the
lines, the model and the options, so a shard that is finished is never translated again.
"""

import contextlib
import functools
import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

import s2scli
from s2scli.artifacts import read_json, sha256_of
from s2scli.data.codecs.text import one_line
from s2scli.data.row_stream import open_rows
from s2scli.data.stream import WINDOW_CHARACTERS, Line, StreamSettings, read_windows
from s2scli.errors import CheckpointError, StorageError
from s2scli.files import FILES, TEMPORARY, new_file, removed_on_failure, storage_errors
from s2scli.manifest import encode_json
from s2scli.pipeline.translate import TranslateRequest
from s2scli.pipeline.workers import Workers, kept_shards
from s2scli.report.console import Talk
from s2scli.report.counting import counting
from s2scli.settings import Tree
from s2scli.translation.demands import Demands
from s2scli.translation.filter import report_tally
from s2scli.translation.loading import EngineRequest, load_translator
from s2scli.translation.options import Wanted
from s2scli.translation.records import Shape
from s2scli.translation.tally import NAMED, Tally
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

SHARD_LINES = 2048
SHARDS = ".shards"  # the folder of finished shards is beside the output
COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Order:
    """How lines are translated, as a worker needs to know it.

    Attributes:
        workspace: the workspace.
        models: the model folders; none is the workspace's model.
        engine: what the engine must support.
        overrides: the search settings that were given.
        demands: what outputs must contain or must not.
        stream: how lines are read.
        wanted: what to return of a hypothesis.
        shape: what is written of a record.
        identity: identifies the models and their weights.
        given: everything that the records depend on besides, as JSON values.
    """

    workspace: Workspace
    models: Sequence[Path]
    engine: EngineRequest
    overrides: Tree
    demands: Demands
    stream: StreamSettings
    wanted: Wanted
    shape: Shape
    identity: tuple[str, ...] = ()
    given: str = ""

    def for_request(self, translator: Translator, request: TranslateRequest) -> "Order":
        """Return the order with absolute paths, and what the digests of its shards depend on."""
        known = request.resuming(translator)
        given = json.dumps([list(known.model), dict(known.options)], sort_keys=True, default=str)
        return replace(
            self,
            workspace=Workspace(self.workspace.root.absolute()),
            models=tuple(model.absolute() for model in self.models),
            identity=translator.identity,
            given=given,
        )


@dataclass(frozen=True)
class TranslationShard:
    """Some consecutive lines to translate.

    Attributes:
        order: how they are translated.
        lines: the lines.
        first: the index of the first line among all lines.
        folder: the folder to write to, absolute.
    """

    order: Order
    lines: tuple[Line, ...]
    first: int
    folder: Path

    @functools.cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that the records depend on."""
        hashed = hashlib.sha256(f"{s2scli.__version__} {self.first} {self.order.given}\n".encode())
        for line in self.lines:
            hashed.update(f"{len(line.text)} {line.cut} {line.fault}\n".encode(errors="replace"))
            hashed.update(line.text.encode(errors="replace"))
        return hashed.hexdigest()


@dataclass(frozen=True)
class TranslatedShard:
    """The records of a shard.

    Attributes:
        name: the name of the file with the records.
        sha256: the SHA-256 of this file.
        tally: the counts of the lines that have records.
        faults: the first lines that failed, and why.
    """

    name: str
    sha256: str
    tally: Tally
    faults: list[str]


@functools.cache
def _translated_shard() -> TypeAdapter[TranslatedShard]:
    return TypeAdapter(TranslatedShard)


def translate_by_shards(
    request: TranslateRequest,
    output: Path,
    order: Order,
    workers: Callable[[Path], Workers],
    talk: Talk,
) -> Tally:
    """Translate files to a file, which appears once it is complete.

    The finished shards are in a folder beside the output until then; the same command goes on with
    them.

    Args:
        request: the inputs.
        output: the file to write.
        order: how lines are translated, with `Order.for_request`.
        workers: returns who translates, given the folder of shards.
        talk: warns of lines with problems.

    Raises:
        CorpusError: an input is damaged, or a line is refused.
        LostProcessError: workers were killed again and again; the same command goes on.
        StorageError: the output cannot be written, or a shard has not as many records as lines.
    """
    folder = output.with_name(f"{output.name}{SHARDS}").absolute()
    tally, waiting = Tally(), list[TranslationShard]()
    with (
        kept_shards(folder),
        new_file(output) as file,
        counting(talk, "translating", unit="lines") as advance,
    ):
        shards = _noted(divide_lines(_lines(request), order, folder), waiting)
        for done in workers(folder).map(translate_shard, shards, talk):
            lines = len(waiting.pop(0).lines)
            if done.tally.lines != lines:
                raise StorageError(
                    f"{folder / done.name}: {done.tally.lines:,} records for {lines:,} lines"
                )
            _copy(folder / done.name, done.sha256, file.write)
            for fault in done.faults[: max(0, NAMED - tally.failed.count)]:
                talk.warn(fault)
            tally.add_all(done.tally)
            advance(lines)
    report_tally(tally, request.stream, talk, "translated, written as empty lines")
    return tally


def _lines(request: TranslateRequest) -> Iterator[Line]:
    """Yield the lines of all inputs."""
    for path in request.inputs:
        for window in read_windows(path, request.stream, open_rows(path, request.stream)):
            yield from window


def divide_lines(lines: Iterable[Line], order: Order, folder: Path) -> Iterator[TranslationShard]:
    """Yield the shards of some lines, in order; they depend on the lines alone."""
    pending: list[Line] = []
    first = characters = 0
    for line in lines:
        pending.append(line)
        characters += len(line.text)
        if len(pending) == SHARD_LINES or characters >= WINDOW_CHARACTERS:
            yield TranslationShard(order, tuple(pending), first, folder)
            first, pending, characters = first + len(pending), [], 0
    if pending:
        yield TranslationShard(order, tuple(pending), first, folder)


def _noted(
    shards: Iterable[TranslationShard], waiting: list[TranslationShard]
) -> Iterator[TranslationShard]:
    """Yield the shards, and append each to a list."""
    for shard in shards:
        waiting.append(shard)
        yield shard


def _copy(path: Path, sha256: str, write: Callable[[bytes], object]) -> None:
    """Write the records of a shard.

    Raises:
        StorageError: they are not those that the worker wrote.
    """
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(COPY_BYTES):
            hashed.update(block)
            write(block)
    if hashed.hexdigest() != sha256:
        raise StorageError(f"{path}: damaged; rerun the same command, which translates it again")


def translate_shard(shard: TranslationShard) -> TranslatedShard:
    """Translate a shard, write its records to a file, and return what became of its lines.

    A shard that is finished already is not translated again.

    Raises:
        CorpusError: a line is refused.
        CheckpointError: the model is another one here.
        StorageError: the disk is full or a write failed.
    """
    summary = shard.folder / f"{shard.digest}.json"
    if (done := _finished(summary)) is not None:
        return done
    path = shard.folder / f"{shard.digest}.txt"
    temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
    with storage_errors(path), removed_on_failure(temporary):
        tally, faults = _write(shard, temporary)
        sha256 = sha256_of(temporary)
        FILES.rename(temporary, path)
    done = TranslatedShard(path.name, sha256, tally, faults)
    with new_file(summary) as file:
        file.write(encode_json(_translated_shard().dump_python(done, mode="json")))
    return done


def _write(shard: TranslationShard, path: Path) -> tuple[Tally, list[str]]:
    """Write the records of a shard; return the counts of its lines, and the first faults."""
    order = shard.order
    translator = _translator(order)
    settings = translator.settings(order.overrides)
    options = order.demands.options(translator, settings, order.stream, order.wanted)
    tally, faults, form = Tally(), list[str](), order.shape.record_format
    with path.open("wb") as file:
        records = translator.translate(shard.lines, options=options)
        for index, record in enumerate(records, shard.first):
            file.write(f"{form(index, record, one_line)}\n".encode(errors="replace"))
            tally.add(record)
            if record.status == "failed" and len(faults) < NAMED:
                faults.append(f"{record.line.where}: not translated ({record.fault})")
        file.flush()
        os.fsync(file.fileno())
    return tally, faults


def _translator(order: Order) -> Translator:
    """Return the translator of an order.

    Raises:
        CheckpointError: the model is another one than where the order was made.
    """
    root, engine = order.workspace.root, json.dumps(asdict(order.engine), sort_keys=True)
    translator = _load(root, tuple(order.models), engine, order.identity)
    if translator.identity != order.identity:
        named = order.models[0] if order.models else order.workspace.model
        raise CheckpointError(
            f"{named}: a worker has another model or another engine here than this machine"
        )
    return translator


@functools.lru_cache(maxsize=1)
def _load(root: Path, models: Sequence[Path], engine: str, identity: tuple[str, ...]) -> Translator:
    """Load models, once in each process as long as they are the same."""
    return load_translator(
        Workspace(root), models, EngineRequest(**json.loads(engine)), Talk.silent()
    )


def _finished(summary: Path) -> TranslatedShard | None:
    """Return what became of a shard that was translated before; None if it was not."""
    with contextlib.suppress(CheckpointError, ValidationError):
        found = _translated_shard().validate_python(read_json(summary))
        if sha256_of(summary.with_name(found.name)) == found.sha256:
            return found
    return None
