"""What may be on the disk after a power cut: the model of files that the fsyncs are proved on.

A file's data and a folder's entries reach the disk in their own time, unless they are fsynced.
`RecordingFiles` writes down every effect and every fsync; `crash_states` gives the trees that a
power cut after some of them may leave.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from s2scli.files import Files

ROOT = 0
Tree: TypeAlias = "dict[str, Tree | bytes]"


@dataclass(frozen=True)
class Data:
    """The content of a file, by the file's number; of an appended file, `kept` bytes are older."""

    owner: int
    content: bytes
    kept: int = 0


@dataclass(frozen=True)
class Entries:
    """Names set or removed (None) in a folder at once, as a rename does."""

    owner: int
    names: Mapping[str, int | None]


@dataclass(frozen=True)
class Sync:
    """An fsync of a file or a folder."""

    owner: int


Event: TypeAlias = "Data | Entries | Sync"


class RecordingFiles(Files):
    """The real operations inside one folder, written down as effects and fsyncs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.numbers: dict[Path, int] = {root: ROOT}
        self.folders = {ROOT}
        self.contents: dict[int, bytes] = {}
        self.history: list[Event] = []
        self._notice()

    def write(self, path: Path, data: bytes) -> None:
        super().write(path, data)
        self._notice()
        self.history.append(Sync(self.numbers[path]))

    def sync(self, path: Path) -> None:
        super().sync(path)
        self._notice()
        self.history.append(Sync(self.numbers[path]))

    def sync_folder(self, path: Path) -> None:
        super().sync_folder(path)
        self._notice()
        self.history.append(Sync(self.numbers[path]))

    def rename(self, old: Path, new: Path) -> None:
        self._notice()
        super().rename(old, new)
        moved = {path: path for path in self.numbers if path == old or old in path.parents}
        numbers = {new / path.relative_to(old): self.numbers.pop(path) for path in moved}
        self.numbers |= numbers
        assert old.parent == new.parent
        self._enter(old.parent, {old.name: None, new.name: numbers[new]})

    def remove(self, path: Path) -> None:
        self._notice()
        inside = sorted(known for known in self.numbers if path in known.parents)
        doomed = [*inside, path] if path in self.numbers else []
        for each in doomed:
            self._enter(each.parent, {each.name: None})
        for each in doomed:
            del self.numbers[each]
        super().remove(path)

    def _notice(self) -> None:
        """Write down what was made or written since the last operation, by whatever means."""
        for path in sorted(self.root.rglob("*")):
            if path not in self.numbers:
                self.numbers[path] = 1 + max(self.numbers.values(), default=0) + len(self.history)
                self._enter(path.parent, {path.name: self.numbers[path]})
                if path.is_dir():
                    self.folders.add(self.numbers[path])
            number = self.numbers[path]
            if path.is_file() and self.contents.get(number) != path.read_bytes():
                before, now = self.contents.get(number, b""), path.read_bytes()
                self.contents[number] = now
                kept = len(before) if now.startswith(before) else 0
                self.history.append(Data(number, now, kept))

    def _enter(self, folder: Path, names: Mapping[str, int | None]) -> None:
        self.history.append(Entries(self.numbers[folder], dict(names)))


def crash_states(files: RecordingFiles, history: Sequence[Event]) -> Iterator[Tree]:
    """Yield the trees that a power cut after `history` may leave, each once.

    Of the effects that no fsync covers, none survives, or all, or any one, or all but one; or
    all do, but of new data only the first half.
    """
    effects = [event for event in history if not isinstance(event, Sync)]
    loose = [number for number, each in enumerate(effects) if not _is_durable(each, history)]
    choices = [set(loose), set[int](), *({n} for n in loose), *(set(loose) - {n} for n in loose)]
    seen: list[Tree] = []
    for lost in choices:
        kept = [each for number, each in enumerate(effects) if number not in lost]
        tree = _replay(files, kept)
        if tree not in seen:
            seen.append(tree)
            yield tree
    yield _replay(files, [_cut(e) if n in loose else e for n, e in enumerate(effects)])


def write_tree(tree: Tree, folder: Path) -> None:
    """Put a tree into an empty folder."""
    folder.mkdir()
    for name, content in tree.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            write_tree(content, folder / name)


def _is_durable(effect: Data | Entries, history: Sequence[Event]) -> bool:
    place = next(number for number, event in enumerate(history) if event is effect)
    return Sync(effect.owner) in history[place:]


def _cut(effect: Data | Entries) -> Data | Entries:
    if isinstance(effect, Data):
        return Data(effect.owner, effect.content[: (effect.kept + len(effect.content)) // 2])
    return effect


def _replay(files: RecordingFiles, effects: Sequence[Data | Entries]) -> Tree:
    names: dict[int, dict[str, int]] = {number: {} for number in files.folders}
    contents: dict[int, bytes] = {}
    for effect in effects:
        if isinstance(effect, Data):
            contents[effect.owner] = effect.content
            continue
        for name, number in effect.names.items():
            if number is None:
                names[effect.owner].pop(name, None)
            else:
                names[effect.owner][name] = number

    def tree_of(number: int) -> Tree:
        return {
            name: tree_of(inner) if inner in files.folders else contents.get(inner, b"")
            for name, inner in names[number].items()
        }

    return tree_of(ROOT)
