"""Hostile checkpoints are refused in one line, and no code in them is ever run."""

import argparse
import io
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2scli.errors import CheckpointError, MissingInputError
from s2scli.export import unpack as module
from s2scli.export.foreign import read_checkpoint
from s2scli.export.unpack import FACTS, TENSORS, main, unpack
from s2scli.model.weights import encode_tensors, read_tensors


class Code:
    """An object whose unpickling would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def npz(path: Path, **arrays: Any) -> None:
    np.savez(path, **arrays)


def claiming(path: Path) -> None:
    """Write an archive of one array whose header claims far more than follows."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 100000), }"
    header += b" " * (118 - len(header) - 1) + b"\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)


def bomb(path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.zeros(10_000_000, np.float32))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", content.getvalue())


def test_tensors_and_facts_of_every_kind_of_file(tmp_path: Path) -> None:
    weight = torch.arange(6.0).view(2, 3)
    npz(
        tmp_path / "a.npz",
        **{"w": weight.numpy(), "special:model.yml": np.frombuffer(b"x: 1\0", np.int8)},
    )
    (tmp_path / "a.safetensors").write_bytes(encode_tensors({"w": weight}))
    options = argparse.Namespace(heads=2, dropout=[0.1])
    tree = {"m": {"w": weight}, "opt": options, "ids": {1: weight}, "step": torch.tensor(3)}
    torch.save(tree, tmp_path / "a.pt")
    torch.save({"w": weight.half()}, tmp_path / "a.bin")
    for name, key in (("a.npz", "w"), ("a.safetensors", "w"), ("a.pt", "m.w"), ("a.bin", "w")):
        found = unpack(tmp_path / name)
        assert list(found.tensors) == [key]
        assert torch.equal(found.tensors[key].float(), weight)
    assert unpack(tmp_path / "a.npz").facts == {"special:model.yml": "x: 1"}
    assert unpack(tmp_path / "a.pt").facts == {"opt.heads": 2, "opt.dropout": [0.1]}


def test_a_tied_table_is_stored_once_and_has_several_names(tmp_path: Path) -> None:
    table = torch.arange(1_000_000.0).view(1000, 1000)
    names = ("shared", "encoder.embed", "decoder.embed", "lm_head")
    torch.save({**dict.fromkeys(names, table), "bias": torch.ones(3)}, tmp_path / "a.bin")
    found = unpack(tmp_path / "a.bin").tensors
    assert list(found) == [*names, "bias"]
    assert all(torch.equal(found[name], table) for name in names)


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("a.pt", lambda p: torch.save({"a": Code(p.with_name("ran"))}, p), "nothing of it was run"),
        (
            "a.bin",
            lambda p: p.write_bytes(pickle.dumps(Code(p.with_name("ran")))),
            "nothing of it was run",
        ),
        (
            "a.npz",
            lambda p: npz(p, a=np.array([Code(p.with_name("ran"))], dtype=object)),
            "not a NumPy archive of numbers",
        ),
        ("a.npz", bomb, "claims to hold"),
        ("a.npz", claiming, "claims to hold more than its|not a NumPy archive"),
        ("a.npz", lambda p: p.write_bytes(b"PK nothing"), "not a NumPy archive"),
        (
            "a.pt",
            lambda p: torch.save({"a": torch.zeros(1).expand(10_000_000)}, p),
            "claims to hold 40,000,000 bytes",
        ),
        (
            "a.pt",
            lambda p: torch.save(dict.fromkeys(map(str, range(99)), torch.zeros(10_000)), p),
            "claims to hold 3,840,000 bytes",
        ),
        ("a.pt", lambda p: p.write_bytes(b"\x80\x02"), "not a checkpoint of tensors"),
        ("a.safetensors", lambda p: p.write_bytes(b"\xff" * 20), "not a safetensors file"),
        ("a.onnx", lambda p: p.write_bytes(b""), "unknown kind of checkpoint"),
        ("a.pt", lambda p: p.mkdir(), "not a regular file|cannot be read"),
    ],
)
def test_hostile_files_are_refused(
    tmp_path: Path, name: str, write: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / name
    write(path)
    with pytest.raises(CheckpointError, match=message) as raised:
        unpack(path)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "ran").exists()


def test_the_process_writes_safetensors_and_returns_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_limit", lambda size: None)  # this process is not its own
    torch.save({"w": torch.ones(2), "step": 3}, tmp_path / "a.pt")
    assert main(tmp_path / "a.pt", tmp_path) is None
    assert read_tensors(tmp_path / TENSORS)["w"].tolist() == [1.0, 1.0]
    assert (tmp_path / FACTS).read_text() == '{"step": 3}'
    assert "none.pt: missing" in (main(tmp_path / "none.pt", tmp_path) or "")


@pytest.mark.slow
def test_code_is_not_run_in_the_process_either(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"a": Code(tmp_path / "ran")}, path)
    with pytest.raises(CheckpointError, match="nothing of it was run") as raised:
        read_checkpoint(path)
    assert str(raised.value).startswith(str(path))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(MissingInputError, match="no such file"):
        read_checkpoint(tmp_path / "b.pt")


@pytest.mark.slow
def test_a_checkpoint_is_read_in_the_process(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2), "opt": argparse.Namespace(heads=2)}, tmp_path / "a.pt")
    found = read_checkpoint(tmp_path / "a.pt")
    assert found.tensors["w"].tolist() == [1.0, 1.0]
    assert found.facts == {"opt.heads": 2}
