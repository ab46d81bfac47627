"""Whatever a command publishes is the old or the new, whole, at any fault and any power cut."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s2scli.data.settings import PrepareSettings
from s2scli.files import FILES, Files
from s2scli.manifest import read_manifest
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.pipeline.verify import verify
from s2scli.report.console import Talk
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.workspace import Workspace
from tests.faults import KINDS, each_fault
from tests.folders import letters_of, write_model
from tests.power_loss import RecordingFiles, Sync, Tree, crash_states, write_tree
from tests.toy import prepare_toy, write_corpus

pytestmark = pytest.mark.usefixtures("quick_fsync")
QUIET = Talk(quiet=True)
OPERATIONS = ("write", "sync", "sync_folder", "rename", "make_folder", "remove")
LETTERS = letters_of(["abcdefgh"])
ARTIFACTS = ("corpus", "tokenizer", "encoded", "model")


def new_corpus(root: Path) -> None:
    settings = PrepareSettings(valid_size=2, test_size=2)
    corpus = root.parent / "other.tsv"
    prepare(Workspace(root), Inputs((corpus,)), settings, QUIET, overwrite=True)


def new_tokenizer(root: Path) -> None:
    train_tokenizer(Workspace(root), TokenizerSettings(kind="char"), QUIET, overwrite=True)


def new_model(root: Path) -> None:
    write_model(Workspace(root).model, LETTERS, seed=2)


PUBLISH = {"corpus": new_corpus, "tokenizer": new_tokenizer, "model": new_model}
each_path = pytest.mark.parametrize("name", PUBLISH)


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus file and a workspace that has one of each artifact."""
    disk = tmp_path_factory.mktemp("old")
    workspace = prepare_toy(disk / "workspace", 60)
    train_tokenizer(workspace, TokenizerSettings(vocab_size=40), QUIET)
    write_model(workspace.model, LETTERS, seed=1)
    write_corpus(disk / "other.tsv", 30, seed=2)
    return disk


@pytest.fixture(scope="module")
def new(old: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """The digests of all artifacts after each publication, by its name."""
    found = {}
    for name, publish in PUBLISH.items():
        disk = shutil.copytree(old, tmp_path_factory.mktemp("new") / name)
        publish(disk / "workspace")
        found[name] = digests(disk)
    return found


def digests(disk: Path) -> dict[str, str]:
    """Return the digest of each artifact, as the next command finds them; all must be whole."""
    workspace = Workspace(disk / "workspace")
    with workspace.locked("test"):
        pass
    found = {one.kind: one.state for one in verify([workspace.root])}
    assert set(found) == set(ARTIFACTS), found
    assert not {"damaged", "absent"} & set(found.values()), found
    assert not [path.name for path in workspace.root.glob(".[td]*")], "a scrap is left"
    return {kind: read_manifest(workspace.root / kind, kind).digest for kind in ARTIFACTS}


def assert_old_or_new(
    disk: Path, before: dict[str, str], after: dict[str, str], *, finished: bool
) -> None:
    found = digests(disk)
    if finished:
        assert found == after
    assert all(found[kind] in (before[kind], after[kind]) for kind in ARTIFACTS), found


def through(files: Files, act: Callable[[], None]) -> None:
    """Run `act` with all operations of the program on these files."""
    with pytest.MonkeyPatch.context() as patch:
        for name in OPERATIONS:
            patch.setattr(FILES, name, getattr(files, name))
        act()


def survive_faults(
    disk: Path, old: Path, new: dict[str, dict[str, str]], name: str, kind: str
) -> None:
    before = digests(old)

    def begin() -> None:
        shutil.rmtree(disk, ignore_errors=True)
        shutil.copytree(old, disk)

    def act(files: Files) -> None:
        through(files, lambda: PUBLISH[name](disk / "workspace"))

    for finished in each_fault(begin, act, kind):
        assert_old_or_new(disk, before, new[name], finished=finished)


@each_path
def test_a_full_disk_at_any_operation_leaves_what_is_whole(
    tmp_path: Path, old: Path, new: dict[str, dict[str, str]], name: str
) -> None:
    survive_faults(tmp_path / "disk", old, new, name, "full")


@pytest.mark.slow
@each_path
@pytest.mark.parametrize("kind", KINDS)
def test_any_fault_at_any_operation_leaves_what_is_whole(
    tmp_path: Path, old: Path, new: dict[str, dict[str, str]], name: str, kind: str
) -> None:
    survive_faults(tmp_path / "disk", old, new, name, kind)


def cut_states(files: RecordingFiles, begun: int) -> Iterator[tuple[int, Tree, str]]:
    """Yield the number of events before each power cut, and each tree it may leave, once."""
    seen: set[str] = set()
    for end in range(begun, len(files.history) + 1):
        for tree in crash_states(files, files.history[:end]):
            key = repr(tree) + str(end == len(files.history))
            if key not in seen:
                seen.add(key)
                yield end, tree, key


@pytest.mark.slow
@each_path
def test_a_power_cut_leaves_what_is_whole(
    tmp_path: Path, old: Path, new: dict[str, dict[str, str]], name: str
) -> None:
    before = digests(old)
    disk = shutil.copytree(old, tmp_path / "disk")
    files = RecordingFiles(disk)
    files.history += [Sync(number) for number in files.numbers.values()]
    begun = len(files.history)
    through(files, lambda: PUBLISH[name](disk / "workspace"))
    states = 0
    for end, tree, _ in cut_states(files, begun):
        write_tree(tree, copy := tmp_path / "copy")
        finished = end == len(files.history)
        assert_old_or_new(copy, before, new[name], finished=finished)
        shutil.rmtree(copy)
        states += 1
    assert states > 20
