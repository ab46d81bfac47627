"""The `manifest.json` in every folder that s2s writes: its kind, its files and their hashes."""

import contextlib
import functools
import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from s2scli.artifacts import first_fault, plain_file_size, read_json, sha256_of
from s2scli.errors import CheckpointError, MissingInputError, S2SError, StorageError
from s2scli.files import (
    DELETED,
    FILES,
    Files,
    held_folder,
    publish_folder,
    recovered_on_failure,
    storage_errors,
    temporary_name,
)

MANIFEST = "manifest.json"
FORMATS = {
    **{"corpus": 2, "tokenizer": 2, "encoded": 2},
    **{"model": 2, "checkpoint": 2, "outputs": 2, "ctranslate2": 2},
    **{"huggingface": 2, "onnx": 2},
}
SAFE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
ATTEMPTS, LOOKS = 1_000, 100
T = TypeVar("T")


@dataclass(frozen=True)
class FileRecord:
    """The size in bytes and the SHA-256 (hexadecimal) of one file."""

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    bytes: Annotated[int, Field(strict=True, ge=0)]
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """The contents of a folder and what it was made from.

    Attributes:
        kind: the kind of folder, a key of FORMATS.
        format: the version of the on-disk format, starting at 1; newer versions are refused.
        files: the records of all files except the manifest, by file name.
        facts: recorded facts about the content (settings, scores, steps), as JSON values.
        made_from: the digests of the artifacts it was made from, by kind.
        digest: the SHA-256 of the other manifest fields. These include the hash of each file, so
            the digest identifies the content of the folder.
    """

    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    kind: str
    format: Annotated[int, Field(strict=True, ge=1)]
    files: dict[str, FileRecord]
    facts: dict[str, Any]
    made_from: dict[str, str]
    digest: str


@dataclass
class Draft:
    """A folder that is being written.

    Attributes:
        path: the temporary folder to write the files to.
        facts: facts about the content for the manifest, as JSON values.
    """

    path: Path
    facts: Mapping[str, Any] = field(default_factory=dict)


def encode_json(value: object) -> bytes:
    """Encode `value` as indented JSON with sorted keys; equal values give equal bytes."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False)
    return (text + "\n").encode()


@contextlib.contextmanager
def new_folder(
    path: Path,
    kind: str,
    *,
    made_from: Mapping[str, str] | None = None,
    files: Files = FILES,
) -> Iterator[Draft]:
    """Yield a draft to write to; add a manifest and publish it as the folder `path` at the end.

    If the block fails, the draft is removed and an existing folder at `path` is kept.

    Args:
        path: the folder to publish; an existing one is replaced.
        kind: the kind of folder, a key of FORMATS.
        made_from: the digests of the artifacts it is made from, by kind.
        files: the file operations to use.

    Raises:
        LockedError: another process is writing this folder.
        StorageError: the disk is full or a write failed, or the path, such as `.`, has no name.
    """
    if path.name in ("", ".."):
        raise StorageError(
            f"cannot write {path}: the folder is replaced as a whole, and this one is in use; run "
            "the command in another folder, and give the name of this one"
        )
    temporary = temporary_name(path)
    with contextlib.ExitStack() as stack:
        stack.enter_context(storage_errors(path))
        if temporary.is_dir():  # of a crash, unless somebody holds it
            with held_folder(temporary, path):
                pass
        stack.enter_context(recovered_on_failure(path, files))
        files.remove(temporary)
        files.make_folder(temporary)
        stack.enter_context(held_folder(temporary, path))
        draft = Draft(temporary)
        yield draft
        tree = {
            "kind": kind,
            "format": FORMATS[kind],
            "files": {name: asdict(record) for name, record in _records(temporary).items()},
            "facts": dict(draft.facts),
            "made_from": dict(made_from or {}),
        }
        files.write(temporary / MANIFEST, encode_json({**tree, "digest": _digest(tree)}))
        publish_folder(temporary, path, files)


def read_manifest(folder: Path, kind: str) -> Manifest:
    """Read and check the manifest of `folder`, without reading the files it lists.

    Raises:
        MissingInputError: the folder does not exist or has no manifest.
        CheckpointError: the manifest is damaged, of another kind, or of a newer format.
    """
    return in_one_generation(folder, lambda: _read_manifest(folder, kind))


def _read_manifest(folder: Path, kind: str) -> Manifest:
    path = folder / MANIFEST
    if not is_published(folder):
        raise MissingInputError(f"{folder}: no {kind} here (it has no {MANIFEST})")
    tree = read_json(path)
    recorded = tree.pop("digest", None)
    manifest = _parse(tree, path)
    if manifest.kind != kind:
        raise CheckpointError(f"{folder}: expected the kind {kind}, found {manifest.kind[:80]!r}")
    if manifest.format > FORMATS[kind]:
        raise CheckpointError(
            f"{folder}: {kind} format {manifest.format!s:.20} is newer than this version of s2s "
            f"supports ({FORMATS[kind]}); upgrade s2scli"
        )
    if recorded != manifest.digest:
        raise CheckpointError(f"{path}: damaged, its content does not match its digest")
    for name in manifest.files:
        if not SAFE_NAME.fullmatch(name):
            raise CheckpointError(f"{path}: unsafe file name {name[:80]!r}")
    return manifest


def _parse(tree: dict[str, Any], path: Path) -> Manifest:
    """Parse a manifest from its JSON object, from which the recorded digest was removed.

    The digest is computed from the object as it was written. Format 1 stored the facts under the
    key `settings`.
    """
    try:
        fields = {**tree, "digest": _digest(tree)}
        if tree.get("format") == 1 and "facts" not in tree:
            fields["facts"] = fields.pop("settings", {})
        return _manifest_type().validate_python(fields)
    except ValidationError as error:
        raise CheckpointError(f"{path}: not a manifest of s2s ({first_fault(error)})") from error
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: not a manifest of s2s ({error!s:.80})") from error


def verify_folder(folder: Path, kind: str) -> Manifest:
    """Read the manifest and check the size and the hash of every file it lists.

    Raises:
        MissingInputError: the folder does not exist or has no manifest.
        CheckpointError: the manifest is invalid, or a file is missing, changed or not a regular
            file.
    """

    def read() -> Manifest:
        manifest = _read_manifest(folder, kind)
        verify_files(folder, manifest)
        return manifest

    return in_one_generation(folder, read)


def in_one_generation(folder: Path, read: Callable[[], T]) -> T:
    """Return the result of `read`, which reads files of a folder, from one version of the folder.

    If a run replaces the folder during the call, `read` is called again.

    Raises:
        CheckpointError: the folder is replaced faster than it can be read.
        S2SError: `read` failed although the folder did not change.
    """
    for _ in range(ATTEMPTS):
        before = _generation(folder)
        try:
            found = read()
        except S2SError:
            if _generation(folder) == before:
                raise
        else:
            if _generation(folder) == before:
                return found
    raise CheckpointError(f"{folder}: was replaced repeatedly while it was read; try again")


def is_published(folder: Path) -> bool:
    """Whether `folder` is a folder that s2s wrote; also true while a run is replacing it."""
    return _generation(folder) is not None


def kind_of(folder: Path) -> str:
    """Return the kind of folder that its manifest records, without checking it; "" if none does.

    Raises:
        CheckpointError: the folder has no manifest, or it is damaged.
    """
    tree = in_one_generation(folder, lambda: read_json(folder / MANIFEST))
    return str(tree.get("kind", ""))


def _generation(folder: Path) -> tuple[int, ...] | None:
    """Return a value that changes whenever a folder is replaced; None if there is no folder."""
    manifest, replaced = folder / MANIFEST, folder.parent / f"{DELETED}{folder.name}"
    for _ in range(LOOKS):
        if (found := _identity(manifest)) or not _identity(replaced):
            return found or _identity(manifest)  # it may have appeared since the first check
        time.sleep(0.001)  # `publish_folder` is between its two renames
    return None


def _identity(path: Path) -> tuple[int, ...] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check the size and the hash of every file that the manifest of `folder` lists.

    Raises:
        CheckpointError: a file is missing, changed or not a regular file.
    """
    _check_sizes(folder, manifest)
    _check_hashes(folder, manifest)


class Verification:
    """A check of the files that the manifest of `folder` lists, in a background thread.

    The sizes are checked at once, and the hashes in the background.

    Raises:
        CheckpointError: a file is missing, not a regular file or of another size.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        _check_sizes(folder, manifest)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._check, args=(folder, manifest), daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of the check.

        Args:
            seconds: the maximum time to wait; None waits until the end.

        Raises:
            CheckpointError: the check has found a file that is missing or has changed.
        """
        self._thread.join(seconds)
        if self._error:
            raise self._error

    def _check(self, folder: Path, manifest: Manifest) -> None:
        try:
            _check_hashes(folder, manifest)
        except BaseException as error:  # noqa: BLE001 - raised again by `wait`
            self._error = error


def _check_sizes(folder: Path, manifest: Manifest) -> None:
    for name, record in manifest.files.items():
        size = plain_file_size(folder / name)
        if size != record.bytes:
            raise CheckpointError(
                f"{folder / name}: damaged, expected {record.bytes} bytes, found {size}"
            )


def _check_hashes(folder: Path, manifest: Manifest) -> None:
    for name, record in manifest.files.items():
        if sha256_of(folder / name) != record.sha256:
            raise CheckpointError(
                f"{folder / name}: damaged, its content does not match its SHA-256"
            )


def _digest(tree: Mapping[str, Any]) -> str:
    return hashlib.sha256(encode_json(tree)).hexdigest()


@functools.cache
def _manifest_type() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)


def _records(folder: Path) -> dict[str, FileRecord]:
    return {
        path.name: FileRecord(path.stat().st_size, sha256_of(path))
        for path in sorted(folder.iterdir())
    }
