"""A model folder may come from anywhere: what is wrong in it is refused, in a line, and quickly.

Every file is made here, none is stored. Each folder is loaded, inspected and translated with.
"""

import contextlib
import json
import os
import pickle
import random
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner

from s2scli import load
from s2scli.cli.app import app
from s2scli.errors import CheckpointError, ConfigError, MissingInputError, TokenizerError
from s2scli.manifest import encode_json, is_published
from s2scli.pipeline.verify import verify
from tests.faults import seal, signed

SECONDS = 5
Spoil = Callable[[Path], object]


@pytest.fixture
def model(trained_workspace: Path, tmp_path: Path) -> Path:
    """A copy of a good model folder."""
    return shutil.copytree(trained_workspace / "model", tmp_path / "model")


def tokenizer_of(folder: Path) -> Path:
    """Return the source's tokenizer, or the joint one."""
    return next(path for path in sorted(folder.glob("*.model")) if path.name != "target.model")


def change_manifest(change: Callable[[dict[str, Any]], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "manifest.json"
        manifest: dict[str, Any] = json.loads(path.read_bytes())
        manifest.pop("digest", None)
        change(manifest)
        path.write_bytes(encode_json(signed(manifest)))

    return spoil


def replace_text(name: str, old: str, new: str) -> Spoil:
    """Change the raw text of a file; the manifest agrees unless it is the one."""

    def spoil(folder: Path) -> None:
        text = (folder / name).read_text(encoding="utf-8")
        assert old in text
        (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        if name != "manifest.json":
            seal(folder)

    return spoil


def replace_file(name: str, content: bytes) -> Spoil:
    def spoil(folder: Path) -> None:
        path = tokenizer_of(folder) if name == "tokenizer" else folder / name
        path.write_bytes(content)
        if name != "manifest.json":
            seal(folder)

    return spoil


def name_file(name: str) -> Spoil:
    return change_manifest(lambda tree: tree["files"].update({name: tree["files"]["recipe.toml"]}))


def replace_by(make: Callable[[Path], object], name: str = "recipe.toml") -> Spoil:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


class Trap:
    """What a pickle would run."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.marker,)


def trap_in(name: str) -> Spoil:
    def spoil(folder: Path) -> None:
        replace_file(name, pickle.dumps(Trap(folder.parent / "executed")))(folder)

    return spoil


def torch_archive(folder: Path) -> None:
    torch.save({"weights": Trap(folder.parent / "executed")}, folder / "model.safetensors")
    seal(folder)


def change_weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        weights = safetensors.torch.load(path.read_bytes())
        change(weights)
        path.write_bytes(safetensors.torch.save(weights))
        seal(folder)

    return spoil


def first(weights: dict[str, torch.Tensor]) -> str:
    return min(weights)


def change_header(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Change the header of the weights, and keep the rest."""

    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = path.read_bytes()
        (size,) = struct.unpack("<Q", content[:8])
        header = json.loads(content[8 : 8 + size])
        change(header)
        written = json.dumps(header).encode()
        path.write_bytes(struct.pack("<Q", len(written)) + written + content[8 + size :])
        seal(folder)

    return spoil


def claim_header_size(size: int) -> Spoil:
    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(struct.pack("<Q", size) + path.read_bytes()[8:])
        seal(folder)

    return spoil


def many_tiny_tensors(weights: dict[str, torch.Tensor]) -> None:
    weights |= {f"tiny.{number}": torch.zeros(0) for number in range(20_000)}


def offsets(header: dict[str, Any], place: int) -> list[int]:
    names = sorted(name for name in header if name != "__metadata__")
    found: list[int] = header[names[place]]["data_offsets"]
    return found


def huge_file(folder: Path) -> None:
    with tokenizer_of(folder).open("wb") as file:
        file.truncate(65_000_000)
    seal(folder)


def many_keys(folder: Path) -> None:
    keys = (b"k%d = 1\n" % number for number in range(10**6))
    replace_file("recipe.toml", b"".join(keys))(folder)


NESTED = "[" * 100_000
RANDOM = random.Random(4).randbytes(5000)
FOLDERS: dict[str, Spoil] = {
    **{
        f"pickle as {name}": trap_in(name)
        for name in (
            "manifest.json",
            "model.safetensors",
            "recipe.toml",
            "tokenizer.json",
            "tokenizer",
        )
    },
    "torch archive": torch_archive,
    "header of no length": claim_header_size(0),
    "header beyond the end": claim_header_size(10**6),
    "header of 100 MB and a byte": claim_header_size(100_000_001),
    "header of 2^63": claim_header_size(2**63),
    "overlapping offsets": change_header(
        lambda header: offsets(header, 1).__setitem__(0, offsets(header, 1)[0] - 4)
    ),
    "reversed offsets": change_header(lambda header: offsets(header, 0).reverse()),
    "offsets beyond the end": change_header(
        lambda header: offsets(header, 0).__setitem__(1, 2**62)
    ),
    "unknown type": change_header(
        lambda header: header[min(set(header) - {"__metadata__"})].update(dtype="OS_SYSTEM")
    ),
    "type without torch's": change_header(
        lambda header: header[min(set(header) - {"__metadata__"})].update(dtype="F8_E8M0")
    ),
    "missing tensor": change_weights(lambda weights: weights.pop(first(weights))),
    "extra tensor": change_weights(lambda weights: weights.update(extra=torch.zeros(1))),
    "many tiny tensors": change_weights(many_tiny_tensors),
    "misshaped tensor": change_weights(
        lambda weights: weights.update({first(weights): torch.zeros(3, 1_000)})
    ),
    "double tensors": change_weights(
        lambda weights: weights.update({first(weights): weights[first(weights)].double()})
    ),
    "whole numbers": change_weights(
        lambda weights: weights.update({first(weights): weights[first(weights)].int()})
    ),
    "NaN": change_weights(lambda weights: weights[first(weights)].fill_(float("nan"))),
    "infinity": change_weights(lambda weights: weights[first(weights)].fill_(float("inf"))),
    "file ../x": name_file("../x"),
    "file /etc/passwd": name_file("/etc/passwd"),
    "file a/../../x": name_file("a/../../x"),
    "file NUL": name_file("a\0b"),
    "file with a long name": name_file("x" * 5000),
    "file that is not there": name_file("nothing"),
    "file of no name": name_file(""),
    "file with an escape": name_file("\x1b[31m"),
    "link to outside": replace_by(lambda path: path.symlink_to("/etc/passwd")),
    "link as manifest": replace_by(lambda path: path.symlink_to("/etc/passwd"), "manifest.json"),
    "pipe": replace_by(os.mkfifo),
    "pipe as weights": replace_by(os.mkfifo, "model.safetensors"),
    "pipe as manifest": replace_by(os.mkfifo, "manifest.json"),
    "device": replace_by(lambda path: path.symlink_to("/dev/zero")),
    "folder": replace_by(lambda path: path.mkdir()),
    "unlisted tokenizer is a pipe": lambda folder: (
        replace_by(os.mkfifo, tokenizer_of(folder).name)(folder),
        change_manifest(
            lambda tree: [
                tree["files"].pop(name) for name in list(tree["files"]) if name.endswith(".model")
            ]
        )(folder),
    ),
    "wrong hash": lambda folder: (folder / "recipe.toml").write_bytes(
        (folder / "recipe.toml").read_bytes().replace(b"32", b"64", 1)
    ),
    "wrong size": lambda folder: (folder / "recipe.toml").write_bytes(b""),
    "no weights listed": change_manifest(lambda tree: tree["files"].pop("model.safetensors")),
    "other tokenizer": change_manifest(lambda tree: tree["made_from"].update(tokenizer="0" * 64)),
    "newer format": change_manifest(lambda tree: tree.update(format=99)),
    "other kind": change_manifest(lambda tree: tree.update(kind="checkpoint")),
    "unknown key": change_manifest(lambda tree: tree.update(command="rm")),
    "settings are a list": change_manifest(lambda tree: tree.update(settings=[1])),
    "files are a list": change_manifest(lambda tree: tree.update(files=["recipe.toml"])),
    "record is null": change_manifest(lambda tree: tree["files"].update({"recipe.toml": None})),
    "origin is a number": change_manifest(lambda tree: tree.update(made_from=7)),
    "manifest of 1e999": replace_text("manifest.json", '"format": 2', '"format": 1e999'),
    "manifest of a huge number": replace_text(
        "manifest.json", '"format": 2', f'"format": {"9" * 5000}'
    ),
    "manifest of a large number": replace_text(
        "manifest.json", '"format": 2', f'"format": {"9" * 4000}'
    ),
    "infinity in the facts": replace_text("manifest.json", '"facts": {', '"facts": {"a": 1e999, '),
    "surrogate in the facts": replace_text(
        "manifest.json", '"facts": {', '"facts": {"a": "\\ud800", '
    ),
    "surrogate in a name": replace_text("manifest.json", '"kind": "', '"kind": "\\ud800'),
    "manifest nested deeply": replace_file("manifest.json", NESTED.encode()),
    "manifest is a list": replace_file("manifest.json", b"[]"),
    "manifest is empty": replace_file("manifest.json", b""),
    "manifest of 11 MB": replace_file("manifest.json", b" " * 11_000_000),
    "tokenizer.json nested deeply": replace_file("tokenizer.json", NESTED.encode()),
    "tokenizer.json of wrong types": replace_text(
        "tokenizer.json", '"joint": ', '"joint": 1e999, "x": '
    ),
    "tokenizer.json with an odd key": replace_text("tokenizer.json", "{", '{"odd": 1, '),
    "tokenizer empty": replace_file("tokenizer", b""),
    "tokenizer random": replace_file("tokenizer", RANDOM),
    "tokenizer huge": huge_file,
    "recipe nested deeply": replace_text("recipe.toml", "name =", f"deep = {NESTED}\nname ="),
    "recipe not UTF-8": replace_file("recipe.toml", b"\xff\xfe"),
    "recipe of 10^6 keys": many_keys,
    "recipe with a long key": replace_text("recipe.toml", "name =", f"{'k' * 10**5} = 1\nname ="),
    "recipe of 10^9 units": replace_text("recipe.toml", "model_dim = 32", "model_dim = 1000000000"),
    "recipe of huge numbers": replace_text(
        "recipe.toml", "model_dim = 32", f"model_dim = 0x{'f' * 10_000}"
    ),
    "recipe of the widest layers": replace_text(
        "recipe.toml", "model_dim = 32\nnum_layers = 1", "model_dim = 16384\nnum_layers = 64"
    ),
    "recipe of minus a layer": replace_text("recipe.toml", "num_layers = 1", "num_layers = -1"),
    "recipe of nan": replace_text("recipe.toml", "dropout = 0.0", "dropout = nan"),
    "recipe of an unknown part": replace_text("recipe.toml", 'kind = "gru"', 'kind = "os.system"'),
    "recipe of an unknown attention": replace_text(
        "recipe.toml", 'kind = "general"', 'kind = "os.system"'
    ),
    "recipe of another width": replace_text(
        "recipe.toml", "embedding_dim = 32", "embedding_dim = 33"
    ),
}
# what describes a model does not read these
VALUES = [FOLDERS[name] for name in ("double tensors", "whole numbers", "NaN", "infinity")]
REFUSALS = (CheckpointError, ConfigError, MissingInputError, TokenizerError)


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Fail if the block takes long."""
    begin = time.monotonic()
    yield
    assert time.monotonic() - begin < SECONDS


@pytest.mark.timeout(60)
@pytest.mark.parametrize("spoil", FOLDERS.values(), ids=FOLDERS.keys())
def test_a_bad_model_folder_is_refused_in_a_line(model: Path, spoil: Spoil) -> None:
    spoil(model)
    with quickly(), pytest.raises(REFUSALS) as refusal:
        load(model, device="cpu")
    for command in (["translate"], ["inspect", "model"]):
        with quickly():
            result = CliRunner().invoke(app, [*command, "-m", str(model)], input="one two three\n")
        if spoil in VALUES and command[0] == "inspect":
            assert result.exit_code == 0 and "error" not in result.stderr
            continue
        assert result.exit_code in (65, 78), (command, result.stderr, result.exception)
        assert result.stdout == ""
        assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
        assert len(result.stderr) < 1000 + 2 * len(str(model)), "a reason, not a document"
        assert "\x1b" not in result.stderr and "\0" not in result.stderr
    with quickly():
        (found,) = verify([model])
    assert found.state == ("absent" if not is_published(model) else "damaged"), found
    assert len(found.why) < 1000 + 2 * len(str(model))
    assert refusal.value.exit_status in (65, 78)
    assert not (model.parent / "executed").exists()


def test_the_good_model_is_none_of_these(model: Path) -> None:
    seal(model)
    assert len(load(model, device="cpu").translate(["one two three"])) == 1
    result = CliRunner().invoke(app, ["translate", "-m", str(model)], input="one two three\n")
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)


def test_the_trap_works(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Trap(tmp_path / "executed")))
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "deleted"])
def test_every_damaged_file_of_a_model_is_named(model: Path, damage: str) -> None:
    names = [path.name for path in sorted(model.iterdir())]
    assert len(names) >= 6
    for name in names:
        path, whole = model / name, (model / name).read_bytes()
        middle = len(whole) // 2
        changed = {
            "flipped": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
            "cut": whole[:middle],
            "empty": b"",
        }
        if damage == "deleted":
            path.unlink()
        else:
            path.write_bytes(changed[damage])
        result = CliRunner().invoke(app, ["translate", "-m", str(model)], input="one\n")
        lost_manifest = (name, damage) == ("manifest.json", "deleted")
        assert result.exit_code == (66 if lost_manifest else 65), result.stderr
        assert name in result.stderr and result.stdout == ""
        path.write_bytes(whole)
