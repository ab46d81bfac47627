"""Durable files: a file appears whole or not at all, and survives a power cut.

Everything is written to a temporary name in the same folder, flushed, fsynced and renamed, and
then the folder is fsynced. `Files` holds the few operations this takes, so that a test can
replace it by one that fails at any moment.
"""

import contextlib
import errno
import hashlib
import os
import shutil
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from s2scli.errors import StorageError

TEMPORARY = ".tmp-"
DELETED = ".del-"


class Files:
    """The durable operations of the real file system."""

    def write(self, path: Path, data: bytes) -> None:
        """Create `path` with `data` and fsync it."""
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def sync(self, path: Path) -> None:
        """Fsync a file that a library has written."""
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def sync_folder(self, path: Path) -> None:
        """Fsync the entries of a folder, if the system can (Windows cannot)."""
        if os.name == "nt":
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Rename `old` to `new`; a file already there is replaced."""
        old.replace(new)

    def make_folder(self, path: Path) -> None:
        """Make a folder and its parents durably; one that exists is left as it is."""
        if path.is_dir():
            return
        self.make_folder(path.parent)
        path.mkdir(exist_ok=True)
        self.sync_folder(path.parent)

    def remove(self, path: Path) -> None:
        """Remove a file or a whole folder."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


FILES = Files()


def write_file(path: Path, data: bytes, files: Files = FILES) -> None:
    """Write `data` to `path`, whole or not at all.

    Raises:
        StorageError: the disk is full or the write failed; what was there before is untouched.
    """
    temporary = temporary_name(path)
    with storage_errors(path), removed_on_failure(temporary, files):
        files.make_folder(path.parent)
        files.write(temporary, data)
        files.rename(temporary, path)
        files.sync_folder(path.parent)


@contextlib.contextmanager
def new_file(path: Path, files: Files = FILES) -> Iterator[BinaryIO]:
    """Yield a temporary file to fill; publish it as the user's `path` at the end.

    If the block fails, nothing is left and a file that was at `path` stays. If the process is
    killed, the next writer of `path` removes the temporary file. Two writers at once do not
    disturb each other: the last one wins. A device or a pipe is written to directly.

    Raises:
        StorageError: there is no such folder, the disk is full or a write failed.
    """
    if path.exists() and not path.is_file():
        with storage_errors(path), path.open("wb") as file:
            yield file
        return
    scraps = f"{TEMPORARY}{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"
    temporary = path.with_name(f"{scraps}{uuid.uuid4().hex}")
    _remove_unused(path.parent, scraps)
    with storage_errors(path), removed_on_failure(temporary, files), temporary.open("wb") as file:
        with contextlib.suppress(OSError):  # a file system without locks: no scrap is removed
            _lock(file)
        yield file
        file.flush()
        files.sync(temporary)
        if os.name == "nt":
            file.close()  # Windows renames no open file
        files.rename(temporary, path)
        files.sync_folder(path.parent)


def require_writable(path: Path) -> None:
    """Check that the user's `path` can be written to; nothing is changed.

    Raises:
        StorageError: `path` is a folder, or its folder does not exist or is read-only.
    """
    with storage_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.is_file() or not path.exists():  # no device and no pipe
            tempfile.TemporaryFile(dir=path.parent).close()


def _remove_unused(folder: Path, prefix: str) -> None:
    """Remove the temporary files of writers that were killed; what is in use is locked."""
    with contextlib.suppress(OSError):
        for scrap in folder.glob(f"{prefix}*"):
            with contextlib.suppress(OSError):
                with scrap.open("rb+") as file:
                    _lock(file)
                scrap.unlink()


def _lock(file: BinaryIO) -> None:
    """Lock the file until it is closed; on Windows an open file cannot be removed anyway.

    Raises:
        OSError: another process has locked it, or there are no locks here.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def publish_folder(temporary: Path, path: Path, files: Files = FILES) -> None:
    """Fsync the finished folder `temporary` and rename it to `path`.

    A folder that was at `path` is renamed first and removed last, so that at every moment one
    whole folder, old or new, is on the disk.
    """
    for file in sorted(temporary.iterdir()):
        files.sync(file)
    files.sync_folder(temporary)
    old = path.with_name(f"{DELETED}{path.name}")
    if path.exists():
        files.remove(old)
        files.rename(path, old)
    files.rename(temporary, path)
    files.sync_folder(path.parent)
    files.remove(old)


def remove_folder(path: Path, files: Files = FILES) -> None:
    """Remove a folder; a crash leaves it whole, or leaves scraps that `recover_folder` removes.

    Raises:
        StorageError: it cannot be removed.
    """
    scrap = temporary_name(path)
    with storage_errors(path):
        files.remove(scrap)
        files.rename(path, scrap)
        files.sync_folder(path.parent)
        files.remove(scrap)


def temporary_name(path: Path) -> Path:
    """Return the name under which `path` is written before it is published."""
    return path.with_name(f"{TEMPORARY}{path.name}")


def recover_folder(path: Path, files: Files = FILES) -> None:
    """Repair what a crash in `publish_folder` left: restore the old folder, remove scraps."""
    old, temporary = path.with_name(f"{DELETED}{path.name}"), temporary_name(path)
    with storage_errors(path):
        if old.exists() and not path.exists():
            files.rename(old, path)
        for scrap in (old, temporary):
            if scrap.exists():
                files.remove(scrap)


@contextlib.contextmanager
def recovered_on_failure(path: Path, files: Files = FILES) -> Iterator[None]:
    """Restore the folder `path` if the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(StorageError):
            recover_folder(path, files)
        raise


@contextlib.contextmanager
def removed_on_failure(path: Path, files: Files = FILES) -> Iterator[None]:
    """Remove the half-written `path` if the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            files.remove(path)
        raise


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `StorageError` that names `path`."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"cannot write {path}: {reason}") from error
