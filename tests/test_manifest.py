"""Manifests say what a folder holds, and refuse what is not theirs."""

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s2scli import manifest
from s2scli.artifacts import sha256_of
from s2scli.errors import CheckpointError, LockedError, MissingInputError, StorageError
from s2scli.manifest import (
    FORMATS,
    Verification,
    encode_json,
    in_one_generation,
    is_published,
    new_folder,
    read_manifest,
    verify_folder,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with new_folder(tmp_path / "model", "model", made_from={"tokenizer": "t"}) as draft:
        draft.facts = {"step": 3}
        (draft.path / "one").write_bytes(b"1")
        (draft.path / "two").write_bytes(b"22")
    return tmp_path / "model"


def change(folder: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Edit the manifest; its digest agrees with what is in it."""
    path = folder / "manifest.json"
    tree = json.loads(path.read_bytes())
    del tree["digest"]
    edit(tree)
    path.write_text(json.dumps({**tree, "digest": hashlib.sha256(encode_json(tree)).hexdigest()}))


def test_a_manifest_says_what_the_folder_holds(folder: Path) -> None:
    manifest = verify_folder(folder, "model")
    assert (manifest.kind, manifest.format) == ("model", FORMATS["model"])
    assert (manifest.facts, manifest.made_from) == ({"step": 3}, {"tokenizer": "t"})
    assert {name: record.bytes for name, record in manifest.files.items()} == {"one": 1, "two": 2}
    assert manifest.files["two"].sha256 == hashlib.sha256(b"22").hexdigest()
    assert manifest == read_manifest(folder, "model")
    assert manifest.digest == json.loads((folder / "manifest.json").read_bytes())["digest"]


def test_the_same_content_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    with new_folder(tmp_path / "other", "model", made_from={"tokenizer": "t"}) as draft:
        (draft.path / "two").write_bytes(b"22")
        (draft.path / "one").write_bytes(b"1")
        draft.facts = {"step": 3}
    contents = [(path / "manifest.json").read_bytes() for path in (folder, tmp_path / "other")]
    assert contents[0] == contents[1]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_manifest_of_format_1_is_read_with_the_digest_it_has(kind: str, tmp_path: Path) -> None:
    content = b"some bytes"
    tree = {
        "kind": kind,
        "format": 1,
        "files": {"file": {"bytes": 10, "sha256": hashlib.sha256(content).hexdigest()}},
        "settings": {"step": 3, "scores": {"loss": 0.1, "é": None}, "splits": ["valid", "test"]},
        "made_from": {"corpus": "c"},
    }
    text = json.dumps(tree, ensure_ascii=False, sort_keys=True, indent=1) + "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    (tmp_path / "file").write_bytes(content)
    (tmp_path / "manifest.json").write_text(json.dumps({**tree, "digest": digest}))
    manifest = verify_folder(tmp_path, kind)
    assert (manifest.kind, manifest.format, manifest.digest) == (kind, 1, digest)
    assert (manifest.facts, manifest.made_from) == (tree["settings"], tree["made_from"])


@pytest.mark.parametrize(
    ("changes", "key"),
    [({"format": 2}, "facts"), ({"facts": {}}, "settings"), ({"format": "one"}, "format")],
)
def test_only_format_1_calls_its_facts_settings(
    changes: dict[str, Any], key: str, tmp_path: Path
) -> None:
    old = {"kind": "model", "format": 1, "files": {}, "settings": {}, "made_from": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(old | changes))
    with pytest.raises(CheckpointError, match=rf"not a manifest of s2s \({key}: "):
        read_manifest(tmp_path, "model")


def test_json_bytes_depend_on_the_value_alone() -> None:
    assert encode_json({"b": 1, "a": "é"}) == encode_json({"a": "é", "b": 1})
    assert encode_json({"a": "é"}) == '{\n "a": "é"\n}\n'.encode()
    with pytest.raises(ValueError, match="Out of range float"):
        encode_json(float("nan"))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda tree: tree.update(kind="corpus"), "expected the kind model, found 'corpus'"),
        (lambda tree: tree.update(format=99), "model format 99 is newer .* upgrade s2scli"),
        (lambda tree: tree.pop("files"), r"not a manifest of s2s \(files: field required\)"),
        (lambda tree: tree.update(odd=1), r"not a manifest of s2s \(odd: unexpected"),
        (
            lambda tree: tree["files"].update({"../x": tree["files"]["one"]}),
            "unsafe file name '../x'",
        ),
        (
            lambda tree: tree["files"].update({".hidden": tree["files"]["one"]}),
            "unsafe file name .*hidden",
        ),
        (lambda tree: tree["files"]["one"].update(sha256="0" * 64), "one: damaged, its content"),
        (
            lambda tree: tree["files"]["one"].update(bytes=9),
            "one: damaged, expected 9 bytes, found 1",
        ),
        (lambda tree: tree["files"].update(new=tree["files"]["one"]), "new: missing or unread"),
    ],
)
def test_what_is_wrong_is_named(
    folder: Path, edit: Callable[[dict[str, Any]], object], message: str
) -> None:
    change(folder, edit)
    with pytest.raises(CheckpointError, match=message):
        verify_folder(folder, "model")


def test_a_manifest_without_its_digest_is_damaged(folder: Path) -> None:
    path = folder / "manifest.json"
    tree = json.loads(path.read_bytes())
    del tree["digest"]
    path.write_text(json.dumps(tree))
    with pytest.raises(CheckpointError, match="does not match its digest"):
        verify_folder(folder, "model")


def test_a_changed_setting_does_not_match_the_digest(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"step": 3', '"step": 4'))
    with pytest.raises(CheckpointError, match="does not match its digest"):
        read_manifest(folder, "model")


@pytest.mark.parametrize("number", [0, -1, -(10**30), True, 1.0, "2", None])
def test_a_format_is_a_number_from_1(folder: Path, number: object) -> None:
    change(folder, lambda tree: tree.update(format=number))
    with pytest.raises(CheckpointError, match=r"not a manifest of s2s \(format: "):
        read_manifest(folder, "model")


@pytest.mark.parametrize("size", [-1, True, 1.0, "1"])
def test_a_size_is_a_number_from_0(folder: Path, size: object) -> None:
    change(folder, lambda tree: tree["files"]["one"].update(bytes=size))
    with pytest.raises(CheckpointError, match=r"not a manifest of s2s \(files.one.bytes: "):
        read_manifest(folder, "model")


def publish(folder: Path, word: str) -> None:
    """Publish a folder whose two files and facts hold the same word."""
    with new_folder(folder, "model") as draft:
        draft.facts = {"word": word}
        for name in ("one", "two"):
            (draft.path / name).write_text(word)


def words_of(folder: Path, between: Callable[[], object]) -> set[str]:
    """Read a folder's words; call `between` after the first file."""

    def read() -> set[str]:
        manifest = verify_folder(folder, "model")
        one = (folder / "one").read_text()
        between()
        return {manifest.facts["word"], one, (folder / "two").read_text()}

    return in_one_generation(folder, read)


def test_a_reader_sees_one_generation(tmp_path: Path) -> None:
    publish(tmp_path / "model", "old")
    several = iter(["new", "newer", "newest"])

    def replace_thrice() -> None:
        with contextlib.suppress(StopIteration):
            publish(tmp_path / "model", next(several))

    assert words_of(tmp_path / "model", replace_thrice) == {"newest"}


def fail(reason: str) -> None:
    raise CheckpointError(reason)


def test_what_fails_because_the_folder_was_replaced_is_read_again(tmp_path: Path) -> None:
    publish(tmp_path / "model", "old")
    calls = []

    def read() -> str:
        calls.append(1)
        if len(calls) == 1:
            publish(tmp_path / "model", "new")
            fail("one: damaged, its content does not match")
        return (tmp_path / "model" / "one").read_text()

    assert in_one_generation(tmp_path / "model", read) == "new"
    with pytest.raises(CheckpointError, match="truly damaged"):
        in_one_generation(tmp_path / "model", lambda: fail("truly damaged"))
    assert len(calls) == 2


def test_a_folder_that_changes_without_end_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("s2scli.manifest.ATTEMPTS", 5)
    with pytest.raises(CheckpointError, match="was replaced repeatedly while it was read"):
        in_one_generation(tmp_path / "model", lambda: publish(tmp_path / "model", "x"))


def test_a_reader_waits_while_a_folder_is_exchanged(tmp_path: Path) -> None:
    folder, old = tmp_path / "model", tmp_path / ".del-model"
    publish(folder, "old")
    folder.rename(old)  # where `publish_folder` is between its two renames
    timer = threading.Timer(0.03, old.rename, [folder])
    timer.start()
    assert is_published(folder)
    timer.join()
    assert words_of(folder, lambda: None) == {"old"}
    folder.rename(old)  # where a crash left it
    assert not is_published(folder)
    with pytest.raises(MissingInputError, match="no model here"):
        read_manifest(folder, "model")


def test_a_verification_goes_on_in_the_background(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = threading.Event()

    def wait_and_hash(path: Path) -> str:
        assert allowed.wait(60)
        return sha256_of(path)

    monkeypatch.setattr(manifest, "sha256_of", wait_and_hash)
    (folder / "two").write_bytes(b"23")
    verification = Verification(folder, read_manifest(folder, "model"))
    verification.wait(0)
    allowed.set()
    for _ in range(2):
        with pytest.raises(CheckpointError, match=r"two: damaged, .* does not match its SHA-256"):
            verification.wait()
    (folder / "two").write_bytes(b"22")
    Verification(folder, read_manifest(folder, "model")).wait()


def test_a_verification_checks_the_sizes_at_once(folder: Path) -> None:
    (folder / "two").write_bytes(b"2")
    with pytest.raises(CheckpointError, match="two: damaged, expected 2 bytes, found 1"):
        Verification(folder, read_manifest(folder, "model"))


def test_an_unexpected_fault_of_a_verification_is_not_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> str:
        raise MemoryError

    monkeypatch.setattr(manifest, "sha256_of", fail)
    with pytest.raises(MemoryError):
        Verification(folder, read_manifest(folder, "model")).wait()


def test_nothing_here_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no tokenizer here \(it has no manifest\.json\)"):
        read_manifest(tmp_path, "tokenizer")


@pytest.mark.parametrize("path", [".", "..", "inner/.."])
def test_a_folder_without_a_name_is_not_replaced(
    path: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with (
        pytest.raises(StorageError, match="run the command in another folder"),
        new_folder(Path(path), "model"),
    ):
        pass
    verify_folder(folder, "model")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no locks of folders")
def test_two_writers_of_a_folder_are_one_too_many(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with new_folder(path, "model") as draft:
        (draft.path / "a").write_text("first")
        with (
            pytest.raises(LockedError, match="model is being written by another run of s2s"),
            new_folder(path, "model"),
        ):
            pass
        assert (draft.path / "a").read_text() == "first"
    assert (path / "a").read_text() == "first"
    (tmp_path / ".tmp-model").mkdir()  # of a crash
    with new_folder(path, "model") as draft:
        (draft.path / "a").write_text("second")
    assert (path / "a").read_text() == "second"
    assert [each.name for each in tmp_path.iterdir()] == ["model"]
