"""Write files durably: a file appears whole or not at all, and survives a power failure.

Each file is written under a temporary name in the same folder, flushed, fsynced and renamed; then
the folder is fsynced. The operations are methods of `Files`, so that a test can replace it with a
version that fails at any step.
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

from s2scli.errors import LockedError, StorageError

TEMPORARY = ".tmp-"
DELETED = ".del-"


class Files:
    """The file operations, on the real file system."""

    def write(self, path: Path, data: bytes) -> None:
        """Create `path` with `data` and fsync it."""
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def sync(self, path: Path) -> None:
        """Fsync a file that a library wrote."""
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def sync_folder(self, path: Path) -> None:
        """Fsync the entries of a folder; does nothing on Windows, which does not support it."""
        if os.name == "nt":
            return
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Rename `old` to `new`; replace an existing file."""
        old.replace(new)

    def make_folder(self, path: Path) -> None:
        """Create a folder and its parents durably; an existing folder is not changed."""
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

    def free_bytes(self, path: Path) -> int:
        """Return how many bytes this user may still write to the disk of `path`.

        `path` need not exist yet.
        """
        while not path.exists() and path != path.parent:
            path = path.parent
        return shutil.disk_usage(path).free


FILES = Files()


def write_file(path: Path, data: bytes, files: Files = FILES) -> None:
    """Write `data` to `path` completely or not at all.

    Raises:
        StorageError: the disk is full or the write failed; an existing file is not changed.
    """
    temporary = temporary_name(path)
    with storage_errors(path), removed_on_failure(temporary, files):
        files.make_folder(path.parent)
        files.write(temporary, data)
        files.rename(temporary, path)
        files.sync_folder(path.parent)


def append_to_file(path: Path, data: bytes) -> None:
    """Append `data` to `path` completely or not at all; it may be lost in a power failure.

    Raises:
        StorageError: the disk is full or the write failed; the file is as before.
    """
    with storage_errors(path), path.open("ab", buffering=0) as file:
        end = file.tell()
        try:
            while data:  # one call may write only part of it
                data = data[file.write(data) or 0 :]
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(end)
            raise


def end_of_links(path: Path) -> Path:
    """Return the file that a link of the user leads to, which need not exist yet.

    Devices, pipes and other paths are returned as they are: a pipe has no name besides its link.
    """
    if not path.is_symlink() or (path.exists() and not path.is_file()):
        return path
    return Path(os.path.realpath(path))


@contextlib.contextmanager
def new_file(path: Path, files: Files = FILES) -> Iterator[BinaryIO]:
    """Yield a temporary file to write to; rename it to `path` when the block ends.

    If the block fails, the temporary file is removed and an existing file at `path` is kept. If
    the process is killed, the next writer of `path` removes the temporary file. If two processes
    write `path` at the same time, the last one wins. A device or a pipe is written to directly,
    and a link leads to the file.

    Raises:
        StorageError: the folder does not exist, the disk is full or a write failed.
    """
    path = end_of_links(path)
    if path.exists() and not path.is_file():
        with storage_errors(path), path.open("wb") as file:
            yield file
        return
    scraps = f"{TEMPORARY}{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}-"
    temporary = path.with_name(f"{scraps}{uuid.uuid4().hex}")
    _remove_unused(path.parent, scraps)
    with storage_errors(path), removed_on_failure(temporary, files), temporary.open("wb") as file:
        with contextlib.suppress(OSError):  # a file system may lack locks
            lock_file(file)
        yield file
        file.flush()
        files.sync(temporary)
        if os.name == "nt":
            file.close()  # Windows cannot rename an open file
        files.rename(temporary, path)
        files.sync_folder(path.parent)


def require_writable(path: Path) -> None:
    """Check that the user's `path` can be written to; nothing is changed.

    Raises:
        StorageError: `path` is a folder, or its folder does not exist or is read-only.
    """
    path = end_of_links(path)
    with storage_errors(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if path.is_file() or not path.exists():  # no device and no pipe
            tempfile.TemporaryFile(dir=path.parent).close()


def require_space(path: Path, needed: int, files: Files = FILES) -> None:
    """Check that the disk of `path` has room for `needed` bytes.

    Raises:
        StorageError: it does not; nothing was written.
    """
    with storage_errors(path):
        free = files.free_bytes(path)
    if free < needed:
        raise StorageError(
            f"cannot write {path}: {free / 1e6:,.1f} MB are free on the disk, and "
            f"{needed / 1e6:,.1f} MB are needed; free some space"
        )


def _remove_unused(folder: Path, prefix: str) -> None:
    """Remove temporary files that killed processes left; files still in use are locked."""
    with contextlib.suppress(OSError):
        for scrap in folder.glob(f"{prefix}*"):
            with contextlib.suppress(OSError):
                with scrap.open("rb+") as file:
                    lock_file(file)
                scrap.unlink()


def lock_file(file: BinaryIO | int) -> None:
    """Lock a file or folder until it is closed.

    Not needed on Windows, where open files cannot be removed.

    Raises:
        BlockingIOError: another process has locked the file.
        OSError: the file system does not support locks.
    """
    if sys.platform != "win32":
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def publish_folder(temporary: Path, path: Path, files: Files = FILES) -> None:
    """Fsync the finished folder `temporary` and rename it to `path`.

    An existing folder at `path` is renamed first and removed last, so that one complete folder, old
    or new, is always on the disk.
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
    """Remove a folder.

    After a crash, the folder is either still complete or has a temporary name, under which
    `recover_folder` removes it.

    Raises:
        StorageError: the folder cannot be removed.
    """
    scrap = temporary_name(path)
    with storage_errors(path):
        files.remove(scrap)
        files.rename(path, scrap)
        files.sync_folder(path.parent)
        files.remove(scrap)


def temporary_name(path: Path) -> Path:
    """Return the temporary path that `path` is written to before it is published."""
    return path.with_name(f"{TEMPORARY}{path.name}")


def recover_folder(path: Path, files: Files = FILES) -> None:
    """Clean up after a crash in `publish_folder`: restore the old folder, remove leftovers."""
    old, temporary = path.with_name(f"{DELETED}{path.name}"), temporary_name(path)
    with storage_errors(path):
        if old.exists() and not path.exists():
            files.rename(old, path)
        for scrap in (old, temporary):
            if scrap.exists():
                files.remove(scrap)


@contextlib.contextmanager
def recovered_on_failure(path: Path, files: Files = FILES) -> Iterator[None]:
    """Call `recover_folder` if the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(StorageError):
            recover_folder(path, files)
        raise


@contextlib.contextmanager
def held_folder(folder: Path, path: Path) -> Iterator[None]:
    """Hold a folder by a lock of the system, where it has locks of folders.

    Args:
        folder: the folder.
        path: what it becomes, for messages.

    Raises:
        LockedError: another process, or another part of this one, holds it.
    """
    if os.name == "nt":
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            lock_file(descriptor)
        except BlockingIOError as error:
            raise LockedError(f"{path} is being written by another run of s2s") from error
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def removed_on_failure(path: Path, files: Files = FILES) -> Iterator[None]:
    """Remove the unfinished file at `path` if the block fails or is interrupted."""
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
