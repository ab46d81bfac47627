"""One run at a time writes a workspace, and the next one mends what a crash left."""

import json
import os
import threading
from pathlib import Path

import filelock
import pytest

from s2scli.errors import LockedError, StorageError
from s2scli.manifest import new_folder, verify_folder
from s2scli.workspace import Workspace


def test_where_everything_is(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    folders = (space.corpus, space.tokenizer, space.encoded, space.training, space.model)
    names = ["corpus", "tokenizer", "encoded", "training", "model"]
    assert folders == tuple(tmp_path / name for name in names)


def test_runs_share_a_corpus_and_have_all_else_of_their_own(tmp_path: Path) -> None:
    space, run = Workspace(tmp_path), Workspace(tmp_path).of_run("elman")
    shared = (run.corpus, run.tokenizer, run.encoded)
    assert shared == (space.corpus, space.tokenizer, space.encoded)
    home = tmp_path / "compare" / "elman"
    assert (run.home, run.training, run.model, run.outputs) == (
        home,
        home / "training",
        home / "model",
        home / "outputs",
    )


def test_runs_are_those_with_a_checkpoint_or_a_model(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    assert list(space.runs()) == []
    (space.of_run("b").training / "checkpoint-00000000").mkdir(parents=True)
    (space.of_run("c").training / ".del-checkpoint-00000000").mkdir(parents=True)
    with new_folder(space.of_run("a").model, "model"):
        pass
    (tmp_path / "compare" / ".hidden").mkdir()
    assert [run.run for run in space.runs()] == ["a", "b"]
    with new_folder(space.model, "model"):
        pass
    assert [run.run for run in space.runs()] == ["", "a", "b"]


def test_a_run_is_held_by_itself(tmp_path: Path) -> None:
    space, run = Workspace(tmp_path), Workspace(tmp_path).of_run("elman")
    with space.locked("compare"), run.locked("train"), space.of_run("default").locked("train"):
        with pytest.raises(LockedError, match=r"elman is in use by `s2s train`"), run.locked("x"):
            pass
        (tmp_path / ".tmp-corpus").mkdir()  # the holder of the workspace may be writing it
        with space.of_run("cho2014").locked("train"):
            assert (tmp_path / ".tmp-corpus").exists()


def test_the_second_is_told_who_the_first_is(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "deep" / "workspace")
    with space.locked("prepare"):
        assert json.loads((space.root / ".owner.json").read_bytes())["pid"] == os.getpid()
        refusal = pytest.raises(
            LockedError, match=rf"in use by `s2s prepare` \(process {os.getpid()} on .*, started 2"
        )
        with refusal, Workspace(space.root).locked("train"):
            pass
    assert [path.name for path in space.root.iterdir()] == [".lock"]
    with space.locked("train"):
        pass


def test_the_second_waits_until_the_first_has_said_who_it_is(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    with space.locked("prepare"):
        said = (tmp_path / ".owner.json").read_bytes()
        for owner in (b"", b"{", b"[]", b"{}"):  # not written yet
            (tmp_path / ".owner.json").write_bytes(owner)
            timer = threading.Timer(0.1, (tmp_path / ".owner.json").write_bytes, [said])
            timer.start()
            refusal = pytest.raises(LockedError, match=r"in use by `s2s prepare` \(process")
            with refusal, space.locked("train"):
                pass
            timer.join()


def test_the_second_goes_on_when_the_first_ends_meanwhile(tmp_path: Path) -> None:
    lock = filelock.FileLock(tmp_path / ".lock", thread_local=False)
    lock.acquire()
    timer = threading.Timer(0.1, lock.release)
    timer.start()
    with Workspace(tmp_path).locked("train"):
        timer.join()


def test_who_never_says_who_it_is_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2scli.workspace.LOOKS", 3)
    space = Workspace(tmp_path)
    with space.locked("prepare"):
        (tmp_path / ".owner.json").unlink()
        with pytest.raises(LockedError, match="in use by another run of s2s"), space.locked("x"):
            pass


def test_a_failure_frees_the_workspace(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    with pytest.raises(KeyError), space.locked("train"):
        raise KeyError
    with space.locked("train"):
        pass


def test_what_a_crash_left_is_mended(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    with new_folder(space.model, "model") as draft:
        (draft.path / "file").write_bytes(b"whole")
    space.model.rename(tmp_path / ".del-model")  # a crash between the two renames
    (tmp_path / ".tmp-model").mkdir()
    (tmp_path / ".tmp-corpus").mkdir()
    (tmp_path / ".tmp-training").mkdir()
    with space.locked("train"):
        verify_folder(space.model, "model")
        names = sorted(path.name for path in tmp_path.iterdir())
        assert names == [".lock", ".owner.json", "model"]


@pytest.mark.parametrize(
    ("run", "name"),
    [
        *(("", name) for name in ("corpus", "tokenizer", "encoded", "training", "model")),
        *(("tiny", name) for name in ("training", "model", "outputs")),
    ],
)
def test_a_folder_of_the_user_is_kept(run: str, name: str, tmp_path: Path) -> None:
    space = Workspace(tmp_path, run)
    (space.home / name).mkdir(parents=True)
    (space.home / name / "mine.tsv").write_bytes(b"a\tb\n")
    for _ in range(2):
        refusal = pytest.raises(LockedError, match=rf"{name}: exists and was not made by s2s, ")
        with refusal, space.locked("prepare"):
            pass
    assert [path.name for path in space.home.rglob("*")] == [name, "mine.tsv"]


def test_a_folder_that_s2s_does_not_replace_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "outputs").mkdir()  # only runs of `s2s compare` have outputs
    (tmp_path / "outputs" / "mine.txt").write_bytes(b"a\n")
    with Workspace(tmp_path).locked("prepare"):
        assert (tmp_path / "outputs" / "mine.txt").exists()


def test_a_copy_of_a_workspace_without_its_hidden_files_is_used(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    with new_folder(space.corpus, "corpus") as draft:
        (draft.path / "train.arrow").write_bytes(b"")
    (space.training / "checkpoint-00000003").mkdir(parents=True)
    space.encoded.mkdir()  # empty
    with space.locked("train"):
        assert (tmp_path / ".lock").exists()


def test_a_file_in_the_way_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(StorageError, match=r"cannot write .*file: File exists"),
        Workspace(tmp_path / "file").locked("train"),
    ):
        pass


def test_a_command_names_a_workspace_that_is_not_the_default() -> None:
    assert Workspace(Path("workspace")).command("train --restart") == "s2s train --restart"
    assert Workspace(Path("a b")).command("train --restart") == "s2s train -w 'a b' --restart"
