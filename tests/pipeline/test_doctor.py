"""What s2s runs on, and which artifacts of a workspace are sound."""

from dataclasses import fields
from importlib import metadata
from pathlib import Path

import pytest
import torch

from s2scli.manifest import MANIFEST, new_folder, read_manifest
from s2scli.model.kernels.machine import Machine
from s2scli.pipeline import doctor
from s2scli.pipeline.doctor import check_workspace, diagnose, list_devices, list_extras
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace
from tests.folders import letters_of, write_model

LETTERS, OTHERS = letters_of(["abcdefgh ij"]), letters_of(["klmnop"])


def write(folder: Path, kind: str, text: str = "x", **made_from: str) -> str:
    """Write an artifact of one file; return its digest."""
    with new_folder(folder, kind, made_from=made_from) as draft:
        (draft.path / "file").write_text(text)
    return read_manifest(folder, kind).digest


def write_tokenizer(workspace: Workspace, tokenizers: Tokenizers, **made_from: str) -> None:
    with new_folder(workspace.tokenizer, "tokenizer", made_from=made_from) as draft:
        tokenizers.write(draft.path)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a workspace that holds one of each kind."""
    made = Workspace(tmp_path)
    for run in (made, made.of_run("other")):
        model = write_model(run.model, LETTERS)
        digest = read_manifest(model, "model").digest
        corpus = write(made.corpus, "corpus")
        write_tokenizer(made, LETTERS, corpus=corpus)
        write(made.encoded, "encoded", corpus=corpus, tokenizer=LETTERS.digest)
        origins = {"corpus": corpus, "tokenizer": LETTERS.digest, "model": "another"}
        for step in (1, 2):
            write(run.training / f"checkpoint-0000000{step}", "checkpoint", **origins)
        write(run.outputs, "outputs", corpus=corpus, model=digest)
        for kind in ("ctranslate2", "huggingface", "onnx"):
            export = run.home / f"model-{kind}"
            write(export, kind, model=digest, tokenizer=LETTERS.digest)
    return made


def states(workspace: Workspace) -> dict[str, str]:
    found = check_workspace(workspace)
    return {one.path.relative_to(workspace.root).as_posix(): one.state for one in found}


def test_what_belongs_together_is_sound(workspace: Workspace) -> None:
    run = ["training/checkpoint-00000001", "training/checkpoint-00000002"]
    run += ["model", "outputs", "model-ctranslate2", "model-huggingface", "model-onnx"]
    shared = ["corpus", "tokenizer", "encoded"]
    expected = [*shared, *run, *(f"compare/other/{name}" for name in run)]
    assert states(workspace) == dict.fromkeys(expected, "sound")


def test_nothing_is_absent_and_nothing_is_written(tmp_path: Path) -> None:
    names = ("corpus", "tokenizer", "encoded", "model")
    found = diagnose(Workspace(tmp_path / "none"))
    assert states(Workspace(tmp_path / "none")) == dict.fromkeys(names, "absent")
    assert found.damaged == ()
    assert list(tmp_path.iterdir()) == []


def test_what_was_made_from_another_corpus_is_stale(workspace: Workspace) -> None:
    write(workspace.corpus, "corpus", "another")
    found = states(workspace)
    assert {name for name, state in found.items() if state == "stale"} == {
        "tokenizer",
        "encoded",
        *(
            f"{home}{name}"
            for home in ("", "compare/other/")
            for name in ("training/checkpoint-00000001", "training/checkpoint-00000002", "outputs")
        ),
    }
    assert "damaged" not in found.values()
    (why,) = {one.why for one in check_workspace(workspace) if one.state == "stale"}
    assert why == "made from a different corpus than the current one"


def test_what_was_made_with_another_tokenizer_is_stale(workspace: Workspace) -> None:
    write_tokenizer(workspace, OTHERS, corpus=read_manifest(workspace.corpus, "corpus").digest)
    found = states(workspace)
    assert {found[name] for name in ("corpus", "tokenizer", "outputs")} == {"sound"}
    assert {found[name] for name in ("encoded", "model", "model-ctranslate2", "model-onnx")} == {
        "stale"
    }


def test_a_copied_tokenizer_goes_with_every_corpus(workspace: Workspace) -> None:
    write_tokenizer(workspace, LETTERS, corpus="another", model="copied")
    assert set(states(workspace).values()) == {"sound"}


@pytest.mark.parametrize(
    "name",
    ["corpus", "tokenizer", "encoded", "training/checkpoint-00000001", "model", "outputs"],
)
@pytest.mark.parametrize("fault", ["changed", "missing", "no manifest"])
def test_a_damaged_artifact_is_found_and_the_others_are_sound(
    workspace: Workspace, name: str, fault: str
) -> None:
    folder = workspace.root / name
    file = next(path for path in sorted(folder.iterdir()) if path.name != MANIFEST)
    if fault == "changed":
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    else:
        (file if fault == "missing" else folder / MANIFEST).unlink()
    found = diagnose(workspace)
    (damaged,) = found.damaged
    assert damaged.path == folder
    assert str(folder) in damaged.why
    assert {one.state for one in found.artifacts} == {"sound", "damaged"}
    assert found.as_json()["sound"] is False


def test_a_link_to_nowhere_is_damaged(tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(tmp_path / "gone")
    assert states(Workspace(tmp_path))["model"] == "damaged"


def test_the_processor_and_pytorch_are_described(tmp_path: Path) -> None:
    found = diagnose(Workspace(tmp_path))
    assert found.versions["torch"] == torch.__version__
    assert found.threads == torch.get_num_threads()
    assert found.processor.keys() == {
        *(one.name for one in fields(Machine)),
        "prefers_one_dnn",
    }


@pytest.mark.parametrize(("gpus", "default"), [(0, "cpu"), (2, "cuda:0")])
def test_devices_are_those_that_can_be_named(
    gpus: int, default: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: f"GPU {number}")
    found = list_devices()
    assert [one.name for one in found] == ["cpu", *(f"cuda:{n}" for n in range(gpus))]
    assert [one.name for one in found if one.is_default] == [default]


class Declared:
    """The metadata of a package with two extras, of which one is installed."""

    def __init__(self, name: str) -> None:
        if name.startswith("no-such"):
            raise metadata.PackageNotFoundError(name)
        self.version = "4.57.0rc1" if name == "old" else "8.2+cpu"

    requires = (
        "torch>=2.10",
        "no-such-a>=1; extra == 'second'",
        'no-such.b; python_version > "3" and extra == "second"',
        "old>=4.58; extra == 'second'",
        "old>=4.57; extra == 'first'",
        "pytest>=8.2.0; extra == 'first'",
    )

    @property
    def metadata(self) -> "Declared":
        return self

    def get_all(self, key: str) -> list[str]:
        assert key == "Provides-Extra"
        return ["first", "second"]


def test_extras_are_those_of_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distribution", Declared)
    first, second = list_extras()
    assert (first.name, first.missing) == ("first", ())
    old = "old>=4.58 (found 4.57.0rc1)"
    assert (second.name, second.missing) == ("second", ("no-such-a", "no-such.b", old))
    assert second.install == "pip install 's2scli[second]'"


def test_a_package_that_is_not_installed_has_no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGE", "no-such-package-as-this")
    assert list_extras() == ()
