"""ONNX as a target: its files, and what is said of those that are not its own."""

import sys
from pathlib import Path

import numpy as np
import pytest

from s2scli.errors import CheckpointError, ConfigError, MissingExtraError
from s2scli.export import onnx as target_module
from s2scli.export.onnx import DECODER, ENCODER, Onnx
from s2scli.settings import Tree
from tests.export.varieties import POSITIONS, RECOMMENDED, VARIETIES, letters, variety
from tests.models import transformer_tree

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def write(folder: Path, tree: Tree = VARIETIES["pre-norm"]) -> Path:
    settings, model = variety(tree, letters())
    Onnx().write(folder, settings, model.state_dict(), letters(), POSITIONS, "none", RECOMMENDED)
    return folder


def test_what_is_written_passes_the_checks_of_onnx_and_its_own(tmp_path: Path) -> None:
    write(tmp_path)
    tokenizer_files = {"joint.model", "tokenizer.json"}
    assert {path.name for path in tmp_path.iterdir()} == {ENCODER, DECODER, *tokenizer_files}
    Onnx().check(tmp_path, letters(), POSITIONS)
    for name in (ENCODER, DECODER):
        onnx.checker.check_model(tmp_path / name, full_check=True)


def test_a_missing_graph_is_named(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / DECODER).unlink()
    with pytest.raises(CheckpointError, match=DECODER):
        Onnx().check(tmp_path, letters(), POSITIONS)


def test_weights_that_one_file_cannot_hold_are_beside_the_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = transformer_tree(ffn_dim=2000)
    whole = tmp_path / "whole"
    whole.mkdir()
    write(whole, wide)
    assert not list(whole.glob("*.data"))
    monkeypatch.setattr(target_module, "LIMIT", 100)
    write(tmp_path, wide)
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes[f"{DECODER}.data"] > sizes[DECODER]
    apart, together = (Onnx().open(folder, "cpu") for folder in (tmp_path, whole))
    source = {"source": np.array([[5, 3]]), "memory_mask": np.array([[True, True]])}
    assert np.array_equal(*(one.encoder.run(["memory"], source)[0] for one in (apart, together)))


@pytest.mark.parametrize("content", [b"", b"nothing", b"\x08\x08" * 9])
def test_a_graph_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    (tmp_path / ENCODER).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"encoder\.onnx: ONNX Runtime cannot read it"):
        Onnx().open(tmp_path, "cpu")


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tpu"])
def test_other_devices_than_the_cpu_are_refused(tmp_path: Path, device: str) -> None:
    with pytest.raises(ConfigError, match=f"--device {device}: s2s runs ONNX Runtime on the CPU"):
        Onnx().open(write(tmp_path), device)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_without_a_package_one_line_says_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"is not installed: pip install 's2scli\[onnx\]'"):
        Onnx().require()
