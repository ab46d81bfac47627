"""The paths of the artifacts in a workspace, and the lock that allows one run at a time."""

import contextlib
import datetime
import os
import platform
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from s2scli.artifacts import read_json
from s2scli.errors import CheckpointError, LockedError, MissingInputError
from s2scli.files import FILES, recover_folder, storage_errors, write_file
from s2scli.manifest import MANIFEST, encode_json, is_published

DEFAULT_WORKSPACE = Path("workspace")
COMPARED = "compare"
LOOKS = 200
OWN = (MANIFEST, "checkpoint-*", "metrics.jsonl")  # every folder of s2s has one of these


@dataclass(frozen=True)
class Workspace:
    """A folder that holds one corpus, its tokenizer, one training run and its model.

    Attributes:
        root: the path of the folder.
        run: the name of another run, which has its own folder in `group`; "" is the workspace's
            own run.
        group: the folder of the other runs: `compare`, or `tune` for the trials of `s2s tune`.
    """

    root: Path
    run: str = ""
    group: str = COMPARED

    def of_run(self, name: str, group: str = COMPARED) -> "Workspace":
        """Return the same workspace with another run."""
        return replace(self, run=name, group=group)

    def runs(self) -> Iterator["Workspace"]:
        """Yield the trained runs: the workspace's own run, then those of `s2s compare`."""
        compared = sorted(path.name for path in (self.root / COMPARED).glob("[!.]*"))
        yield from (run for name in ("", *compared) if (run := self.of_run(name)).is_trained)

    @property
    def is_trained(self) -> bool:
        """Whether there is a checkpoint or a model."""
        checkpoints = (path for path in self.training.glob("[!.]*") if path.is_dir())
        return (self.model / MANIFEST).exists() or any(checkpoints)

    @property
    def home(self) -> Path:
        """The folder that holds the run, its model and its lock."""
        return self.root / self.group / self.run if self.run else self.root

    @property
    def tuning(self) -> Path:
        """The study, its trials and the best recipe (`s2s tune`)."""
        return self.root / "tune"

    @property
    def corpus(self) -> Path:
        """The cleaned and split text (`s2s prepare`)."""
        return self.root / "corpus"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer (`s2s train-tokenizer`)."""
        return self.root / "tokenizer"

    @property
    def encoded(self) -> Path:
        """The corpus as token ids (`s2s train-tokenizer`)."""
        return self.root / "encoded"

    @property
    def shards(self) -> Path:
        """The finished shards of a command that was stopped, which goes on with them."""
        return self.root / ".shards"

    @property
    def training(self) -> Path:
        """The checkpoints and `metrics.jsonl` (`s2s train`)."""
        return self.home / "training"

    @property
    def model(self) -> Path:
        """The best model so far (`s2s train`); the folder can be copied anywhere."""
        return self.home / "model"

    @property
    def outputs(self) -> Path:
        """The model's translations of a split, saved so they can be rescored (`s2s compare`)."""
        return self.home / "outputs"

    def command(self, words: str) -> str:
        """Return the command line for this workspace and arguments such as `train --restart`."""
        name, _, rest = words.partition(" ")
        flag = [] if self.root == DEFAULT_WORKSPACE else ["-w", shlex.quote(str(self.root))]
        return " ".join(["s2s", name, *flag, *([rest] if rest else [])])

    def find_corpus(self) -> Path:
        """Return the folder of the corpus.

        Raises:
            MissingInputError: there is no corpus; the message says how to make one.
        """
        if not (self.corpus.is_dir() or is_published(self.corpus)):
            way = self.command("prepare corpus.tsv")
            raise MissingInputError(f"{self.root}: no corpus here; make one: {way}")
        return self.corpus

    def find_model(self, given: Path | None = None) -> Path:
        """Return the model folder `given`, or the workspace's model folder if it is None.

        Raises:
            MissingInputError: there is no model; the message says how to get one.
        """
        folder = given or self.model
        if is_published(folder):
            return folder
        if is_published(inside := folder / self.model.name):
            way = f"did you mean {inside}?"
        elif given:
            way = "expected a model folder, as `s2s train` or `s2s import` writes it"
        else:
            way = f"make one: {self.command('train')}"
        why = f" (it has no {MANIFEST})" if folder.is_dir() else ""
        raise MissingInputError(f"{folder}: no model here{why}; {way}")

    @contextlib.contextmanager
    def locked(self, command: str) -> Iterator[None]:
        """Lock the workspace for a command that writes to it, and clean up after a crash.

        Each run of `s2s compare` and each trial of `s2s tune` has its own lock; the two commands
        lock the workspace. The
        lock is an operating system lock (flock), so it is released when the process ends.

        Raises:
            LockedError: another process holds the lock; the message names it. Or a folder that s2s
                did not make is where it would write.
            StorageError: the workspace cannot be written to.
        """
        import filelock  # slow to import, and `--help` does not need it

        with storage_errors(self.home):
            if not (self.home / ".lock").exists():
                self._require_own()
            FILES.make_folder(self.home)
            lock = filelock.FileLock(self.home / ".lock")
            for _ in range(LOOKS):  # the owner may not have written .owner.json yet
                with contextlib.suppress(filelock.Timeout):
                    lock.acquire(blocking=False)
                if lock.is_locked or (owner := self._owner()):
                    break
                time.sleep(0.01)
            if not lock.is_locked:
                raise LockedError(f"{self.home} is in use by {owner or 'another run of s2s'}")
        try:
            write_file(self.home / ".owner.json", encode_json(_this_process(command)))
            for folder in self._folders:
                recover_folder(folder)
            yield
        finally:
            with contextlib.suppress(OSError):
                (self.home / ".owner.json").unlink(missing_ok=True)
            lock.release()

    def _require_own(self) -> None:
        """Check in a new workspace that s2s made the folders that it would replace.

        Raises:
            LockedError: the user has another folder of this name.
        """
        for folder in self._folders:
            others = folder.is_dir() and any(folder.iterdir())
            if others and not any(path for name in OWN for path in folder.glob(name)):
                raise LockedError(
                    f"{folder}: exists and was not made by s2s, which would replace it; use "
                    "another workspace (-w DIR), or rename this folder"
                )

    @property
    def _folders(self) -> tuple[Path, ...]:
        made = (self.training, self.model)
        own = (self.outputs,) if self.run else (self.corpus, self.tokenizer, self.encoded)
        return (*own, *made)

    def _owner(self) -> str:
        """Describe the process that holds the lock; "" if its file is missing or damaged."""
        try:
            owner = read_json(self.home / ".owner.json")
            return "`s2s {command}` (process {pid} on {host}, started {started})".format(**owner)
        except (CheckpointError, LookupError, ValueError, TypeError):
            return ""


def _this_process(command: str) -> dict[str, str | int]:
    started = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    return {"command": command, "pid": os.getpid(), "host": platform.node(), "started": started}
