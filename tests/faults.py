"""What goes wrong: files that fail at one operation or from one on, and sealed forgeries."""

import contextlib
import errno
import hashlib
import json
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from s2scli.errors import StorageError
from s2scli.files import Files
from s2scli.manifest import encode_json

ERRORS = {"full": errno.ENOSPC, "broken": errno.EIO, "forbidden": errno.EACCES}
KINDS = (*ERRORS, "half", "interrupt", "exit after")


def seal(folder: Path) -> None:
    """Make the manifest of a folder agree with the files, as an attacker would."""
    path = folder / "manifest.json"
    manifest: dict[str, Any] = json.loads(path.read_bytes())
    manifest.pop("digest", None)
    for name, record in manifest["files"].items():
        content = (folder / name).read_bytes()
        record |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    path.write_bytes(encode_json(signed(manifest)))


def signed(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest with the digest of what is in it."""
    return {**manifest, "digest": hashlib.sha256(encode_json(manifest)).hexdigest()}


@contextlib.contextmanager
def full_disk(file: Path, free: int) -> Iterator[None]:
    """Let a file, and any other, grow by no more than so many bytes of this one."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.stat().st_size + free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


class FaultFiles(Files):
    """The real operations, of which number `at` (the first is 1) fails.

    Args:
        at: the operation that fails.
        kind: an error before it; "half" is a full disk amid it; "interrupt" and "exit after"
            are signals, before it and after it.
        lasting: whether all later operations fail too.
    """

    def __init__(self, at: int, kind: str, *, lasting: bool = False) -> None:
        self.at, self.kind, self.lasting = at, kind, lasting
        self.made, self.struck = 0, False

    def write(self, path: Path, data: bytes) -> None:
        def half() -> None:
            path.write_bytes(data[: len(data) // 2])

        self._do(lambda: Files.write(self, path, data), half)

    def sync(self, path: Path) -> None:
        self._do(lambda: Files.sync(self, path))

    def sync_folder(self, path: Path) -> None:
        self._do(lambda: Files.sync_folder(self, path))

    def rename(self, old: Path, new: Path) -> None:
        self._do(lambda: Files.rename(self, old, new))

    def make_folder(self, path: Path) -> None:
        self._do(lambda: Files.make_folder(self, path))

    def remove(self, path: Path) -> None:
        def half() -> None:
            for inner in sorted(path.iterdir() if path.is_dir() else ())[:1]:
                inner.unlink()

        self._do(lambda: Files.remove(self, path), half)

    def _do(self, whole: Callable[[], None], half: Callable[[], None] = lambda: None) -> None:
        self.made += 1
        if self.made != self.at and not (self.lasting and self.made > self.at):
            whole()
            return
        self.struck = True
        if self.kind == "interrupt":
            raise KeyboardInterrupt
        if self.kind == "exit after":
            whole()
            raise SystemExit(143)
        if self.kind == "half":
            half()
        number = ERRORS.get(self.kind, errno.ENOSPC)
        raise OSError(number, os.strerror(number))


def each_fault(
    begin: Callable[[], None], act: Callable[[Files], object], kind: str, *, lasting: bool = False
) -> Iterator[bool]:
    """Run `act` once for each operation it makes, with a fault there; yield after each.

    Yields whether `act` came to its end all the same. A run that no fault strikes ends it.

    Args:
        begin: makes the state before each run.
        act: what is tried.
        kind: the fault.
        lasting: whether it stays.
    """
    for at in range(1, 1000):
        begin()
        files = FaultFiles(at, kind, lasting=lasting)
        finished = True
        try:
            act(files)
        except (StorageError, KeyboardInterrupt, SystemExit):
            finished = False
        if not files.struck:
            assert finished and at > 1
            return
        yield finished
    raise AssertionError("there is no end of operations")
