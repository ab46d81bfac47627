"""Every artifact is checked by what reads it: damage is found even where the hashes are right."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from s2scli.manifest import FORMATS, MANIFEST, new_folder
from s2scli.pipeline.export import export
from s2scli.pipeline.verify import verify
from s2scli.report.console import Talk
from s2scli.translation.loading import folder_beside
from tests.faults import seal
from tests.folders import write_transformer

ARTIFACTS = ("corpus", "tokenizer", "encoded", "training/checkpoint-00000020", "model")


@pytest.fixture
def workspace(trained_workspace: Path, tmp_path: Path) -> Path:
    """A copy of a workspace with one of each kind, but for an export."""
    return shutil.copytree(trained_workspace, tmp_path / "workspace")


def states(*paths: Path) -> dict[str, str]:
    return {one.path.name: one.state for one in verify(paths)}


def test_a_workspace_a_run_and_an_artifact_are_told_apart(workspace: Path) -> None:
    run = {name: "sound" for name in sorted(p.name for p in workspace.glob("training/c*"))}
    log = {"metrics.jsonl": "sound"}
    shared = dict.fromkeys(("corpus", "tokenizer", "encoded", "model"), "sound")
    assert states(workspace) == {**shared, **run, **log}
    assert states(workspace / "training") == {**run, **log}
    for name in ARTIFACTS:
        (found,) = verify([workspace / name])
        manifest = json.loads((workspace / name / MANIFEST).read_bytes())
        assert (found.kind, found.state) == (manifest["kind"], "sound")
        assert found.digest == manifest["digest"]


def test_nothing_is_changed(workspace: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in workspace.rglob("*")}
    list(verify([workspace]))
    assert {path: path.stat().st_mtime_ns for path in workspace.rglob("*")} == before


def change_json(name: str, change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        tree = json.loads((folder / name).read_bytes())
        change(tree)
        (folder / name).write_text(json.dumps(tree))

    return spoil


def other_columns(folder: Path) -> None:
    table = pa.table({"odd": [1, 2]})
    path = str(folder / "train.arrow")
    with pa.OSFile(path, "w") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def flip_in_the_middle(name: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 0x80
        (folder / name).write_bytes(content)

    return spoil


SPOILT: dict[str, tuple[str, Callable[[Path], object]]] = {
    "columns of a corpus": ("corpus", other_columns),
    "report of a corpus": ("corpus", change_json("report.json", lambda tree: tree.clear())),
    "columns of an encoded corpus": ("encoded", other_columns),
    "counters of a checkpoint": (
        "training/checkpoint-00000020",
        change_json("state.json", lambda tree: tree.update(progress={"step": -1})),
    ),
    "random state of a checkpoint": (
        "training/checkpoint-00000020",
        lambda folder: (folder / "random.safetensors").write_bytes(b""),
    ),
    "description of a tokenizer": (
        "tokenizer",
        change_json("tokenizer.json", lambda tree: tree.update(joint=7)),
    ),
    "recipe of a model": (
        "model",
        lambda folder: (folder / "recipe.toml").write_text("model.encoder.kind = 'odd'"),
    ),
}


@pytest.mark.parametrize(("name", "spoil"), SPOILT.values(), ids=SPOILT.keys())
def test_wrong_contents_with_the_right_hashes_are_damage(
    workspace: Path, name: str, spoil: Callable[[Path], object]
) -> None:
    spoil(workspace / name)
    seal(workspace / name)
    (found,) = verify([workspace / name])
    assert (found.state, found.digest) == ("damaged", "")
    assert str(workspace / name) in found.why
    assert states(workspace)[Path(name).name] == "damaged"


@pytest.mark.parametrize("name", ARTIFACTS)
def test_every_flipped_bit_is_found(workspace: Path, name: str) -> None:
    for file in sorted(path.name for path in (workspace / name).iterdir()):
        whole = (workspace / name / file).read_bytes()
        flip_in_the_middle(file)(workspace / name)
        (found,) = verify([workspace / name])
        assert found.state == "damaged" and file in found.why, file
        (workspace / name / file).write_bytes(whole)


def test_every_kind_of_folder_is_known(tmp_path: Path) -> None:
    for kind in (*FORMATS, "odd"):
        with new_folder(tmp_path / kind, "model") as draft:
            (draft.path / "file").write_text("x")
        path = tmp_path / kind / MANIFEST
        path.write_text(path.read_text().replace('"model"', f'"{kind}"'))
        (found,) = verify([tmp_path / kind])
        assert found.state == "damaged"
        assert found.kind == ("unknown" if kind == "odd" else kind)


def test_a_damaged_line_of_the_log_is_named(workspace: Path) -> None:
    log = workspace / "training" / "metrics.jsonl"
    log.write_text("{}\n" + log.read_text())
    (found,) = [one for one in verify([workspace]) if one.state != "sound"]
    assert (found.kind, found.state) == ("log", "damaged")
    assert found.why == f"{log}: line 1 is damaged"


def test_what_is_not_there_is_absent(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for name, why in (
        ("none", "no such folder"),
        ("file", "is a file, expected a folder"),
        (".", "nothing of s2s here; expected the folder of an artifact, a run or a workspace"),
    ):
        (found,) = verify([tmp_path / name])
        assert (found.state, found.why) == ("absent", f"{tmp_path / name}: {why}")


def test_an_export_is_checked_with_its_weights(tmp_path: Path) -> None:
    pytest.importorskip("ctranslate2")
    from s2scli.export.settings import ExportSettings

    model = write_transformer(tmp_path / "model")
    export(model, None, ExportSettings(), None, Talk(quiet=True))
    folder = folder_beside(model)
    (found,) = verify([folder])
    assert (found.kind, found.state) == ("ctranslate2", "sound")
    (folder / "model.bin").write_bytes((folder / "model.bin").read_bytes()[:-4])
    seal(folder)
    (found,) = verify([folder])
    assert found.state == "damaged"
