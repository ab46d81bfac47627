"""A workspace may come from anywhere, and be read while a run writes it.

Whatever is in place of a file, or behind a right checksum, is refused in a line, and quickly.
"""

import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from tests.faults import seal

SECONDS = 10
READINGS = 1_000
Spoil = Callable[[Path], object]

COMMANDS: dict[str, tuple[str, ...]] = {
    "inspect corpus": ("inspect", "corpus", "--split", "test"),
    "inspect tokenizer": ("inspect", "tokenizer", "one two"),
    "inspect training": ("inspect", "training"),
    "inspect model": ("inspect", "model"),
    "doctor": ("doctor",),
    "verify": ("verify",),
    "evaluate": ("evaluate",),
    "translate": ("translate",),
    "train-tokenizer": ("train-tokenizer", "--overwrite"),
    "train": ("train", "--max-steps", "21", "--device", "cpu"),
    "compare": ("compare", "tiny", "--max-steps", "1", "--device", "cpu"),
}
# Each artifact, by the command that cannot do without it.
READERS = {
    "corpus/manifest.json": "train",
    "corpus/report.json": "inspect corpus",
    "corpus/train.arrow": "train",
    "corpus/valid.arrow": "compare",
    "corpus/test.arrow": "evaluate",
    "tokenizer/manifest.json": "train",
    "tokenizer/tokenizer.json": "inspect tokenizer",
    "tokenizer/joint.model": "inspect tokenizer",
    "training/metrics.jsonl": "train",
    "training/checkpoint-00000020/manifest.json": "train",
    "training/checkpoint-00000020/state.json": "train",
    "training/checkpoint-00000020/model.safetensors": "train",
    "training/checkpoint-00000020/optimizer.safetensors": "train",
    "training/checkpoint-00000020/random.safetensors": "train",
    "model/manifest.json": "translate",
    "model/model.safetensors": "translate",
    "model/recipe.toml": "inspect model",
    "model/joint.model": "evaluate",
}


def link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to(path.with_name("pipe"))


def set_format(tree: dict[str, Any], number: int) -> None:
    tree["format"] = number


def add_keys(tree: dict[str, Any]) -> None:
    tree |= dict.fromkeys(map(str, range(110_000)), 1)


ODD: dict[str, Spoil] = {
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to a pipe": link_to_pipe,
    "folder": Path.mkdir,
}
each_artifact = pytest.mark.parametrize("artifact", READERS)
each_oddity = pytest.mark.parametrize("oddity", ODD)


@pytest.fixture
def workspace(trained_workspace: Path, tmp_path: Path) -> Path:
    """A copy of a workspace with one checkpoint."""
    root = shutil.copytree(trained_workspace, tmp_path / "w")
    newest, *older = sorted((root / "training").glob("checkpoint-*"), reverse=True)
    assert newest.name == "checkpoint-00000020"
    for folder in older:
        shutil.rmtree(folder)
    return root


def run(workspace: Path, command: str) -> Result:
    """Run a command on the workspace, in time and without a trace of a bug."""
    begin = time.monotonic()
    arguments = [*COMMANDS[command], "-w", str(workspace)]
    result = CliRunner().invoke(app, arguments, input="one two three\n")
    assert time.monotonic() - begin < SECONDS, command
    assert "bug in s2s" not in result.stderr, (command, result.stderr)
    return result


def refused(result: Result) -> str:
    """Return the one line of an error of status 65."""
    *_, line = result.stderr.splitlines()
    assert result.exit_code == 65, result.stderr
    assert line.startswith("error: ") and len(line) < 1000
    return line


@pytest.mark.timeout(60)
@each_artifact
def test_a_pipe_in_place_of_an_artifact_is_refused(workspace: Path, artifact: str) -> None:
    (workspace / artifact).unlink()
    os.mkfifo(workspace / artifact)
    assert "not a regular file" in refused(run(workspace, READERS[artifact]))


@pytest.mark.slow
@pytest.mark.timeout(120)
@each_artifact
@each_oddity
def test_nothing_in_place_of_an_artifact_stops_a_command(
    workspace: Path, artifact: str, oddity: str
) -> None:
    """Every command ends: done without the artifact, or refused (3: a recipe of `compare`)."""
    whole = shutil.copytree(workspace, workspace.with_name("whole"))
    for command in COMMANDS:
        (workspace / artifact).unlink()
        ODD[oddity](workspace / artifact)
        result = run(workspace, command)
        assert result.exit_code in (0, 3, 65), (command, result.stderr)
        if READERS[artifact] == command:
            refused(result)
        assert (result.exit_code == 3) <= (command == "compare")
        shutil.rmtree(workspace)
        shutil.copytree(whole, workspace)


@pytest.mark.gate
@pytest.mark.timeout(60)
def test_a_process_that_meets_a_pipe_ends_by_itself(workspace: Path) -> None:
    for artifact in ("corpus/test.arrow", "training/metrics.jsonl"):
        (workspace / artifact).unlink()
        os.mkfifo(workspace / artifact)
    for command in ("evaluate", "inspect training"):
        arguments = [sys.executable, "-m", "s2scli", *COMMANDS[command], "-w", str(workspace)]
        done = subprocess.run(arguments, capture_output=True, timeout=30, check=False)
        assert done.returncode == 65, done.stderr


def in_json(name: str, change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Change a JSON file; the manifest agrees."""

    def spoil(workspace: Path) -> None:
        path = workspace / name
        tree = json.loads(path.read_bytes())
        change(tree)
        path.write_text(json.dumps(tree))
        seal(path.parent)

    return spoil


def in_state(part: str, **values: object) -> Spoil:
    return in_json(
        "training/checkpoint-00000020/state.json", lambda state: state[part].update(values)
    )


def in_tensors(name: str, change: Callable[[dict[str, torch.Tensor]], object]) -> Spoil:
    """Change the tensors of the checkpoint; the manifest agrees."""

    def spoil(workspace: Path) -> None:
        path = workspace / "training" / "checkpoint-00000020" / f"{name}.safetensors"
        tensors = safetensors.torch.load(path.read_bytes())
        change(tensors)
        path.write_bytes(safetensors.torch.save(tensors))
        seal(path.parent)

    return spoil


def of_facts(name: str, change: Callable[[dict[str, Any]], object]) -> Spoil:
    return in_json(f"{name}/manifest.json", lambda tree: change(tree["facts"]))


def moment(tensors: dict[str, torch.Tensor]) -> str:
    return next(name for name in sorted(tensors) if name.endswith(".exp_avg"))


def random_bytes(tensors: dict[str, torch.Tensor]) -> None:
    tensors["cpu"] = torch.full_like(tensors["cpu"], 7)


FORGED: dict[str, tuple[str, Spoil]] = {
    **{
        f"threads {count}": ("train", in_state("machine", threads=count))
        for count in ("x", -5, 10**30)
    },
    "epoch -1": ("train", in_state("progress", epoch=-1)),
    "epoch 10^30": ("train", in_state("progress", epoch=10**30)),
    "batch -1": ("train", in_state("progress", batch=-1)),
    "score NaN": ("train", in_state("progress", best_score=float("nan"))),
    "ranking NaN": ("train", in_state("progress", ranking=[[3, float("nan")]])),
    "plateau": ("train", in_state("progress", plateau={"scale": "x"})),
    "random state cut": (
        "train",
        in_tensors("random", lambda tensors: tensors.update(cpu=tensors["cpu"][:9].clone())),
    ),
    "random state of floats": (
        "train",
        in_tensors("random", lambda tensors: tensors.update(cpu=tensors["cpu"].float())),
    ),
    "random state of sevens": ("train", in_tensors("random", random_bytes)),
    "no random state": (
        "train",
        in_tensors("random", lambda tensors: tensors.update(x=tensors.pop("cpu"))),
    ),
    "optimizer of other shapes": (
        "train",
        in_tensors("optimizer", lambda tensors: tensors.update({moment(tensors): torch.ones(3)})),
    ),
    "optimizer without a tensor": (
        "train",
        in_tensors("optimizer", lambda tensors: tensors.pop(moment(tensors))),
    ),
    "empty optimizer": ("train", in_tensors("optimizer", lambda tensors: tensors.clear())),
    "optimizer of NaN": (
        "train",
        in_tensors("optimizer", lambda tensors: tensors[moment(tensors)].fill_(float("nan"))),
    ),
    "weights of infinity": (
        "train",
        in_tensors("model", lambda tensors: tensors[min(tensors)].fill_(float("inf"))),
    ),
    "corpus without normalization": (
        "train-tokenizer",
        of_facts("corpus", lambda facts: facts.pop("normalization")),
    ),
    "odd normalization": (
        "train-tokenizer",
        of_facts("corpus", lambda facts: facts.update(normalization=["nfc"])),
    ),
    "odd report": (
        "inspect corpus",
        in_json("corpus/report.json", lambda tree: tree["splits"]["test"].update(rows="many")),
    ),
    "report of lists": (
        "inspect corpus",
        in_json("corpus/report.json", lambda tree: tree.update(files=[[]])),
    ),
    **{
        f"{folder} format {number}": (
            command,
            in_json(f"{folder}/manifest.json", partial(set_format, number=number)),
        )
        for folder, command in (
            ("corpus", "evaluate"),
            ("tokenizer", "inspect tokenizer"),
            ("model", "translate"),
            ("training/checkpoint-00000020", "train"),
        )
        for number in (0, -1)
    },
    "110,000 keys in a model": ("inspect model", in_json("model/manifest.json", add_keys)),
    "110,000 keys in a corpus": ("inspect corpus", of_facts("corpus", add_keys)),
    "a log that is no log": (
        "inspect training",
        lambda workspace: (workspace / "training/metrics.jsonl").write_bytes(b"\0" * 1000 + b"\n"),
    ),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("command", "spoil"), FORGED.values(), ids=FORGED.keys())
def test_values_behind_a_right_checksum_are_checked(
    workspace: Path, command: str, spoil: Spoil
) -> None:
    spoil(workspace)
    model = (workspace / "model" / "model.safetensors").read_bytes()
    refused(run(workspace, command))
    assert (workspace / "model" / "model.safetensors").read_bytes() == model


def test_the_good_workspace_is_none_of_these(workspace: Path) -> None:
    for folder in ("corpus", "tokenizer", "encoded", "model", "training/checkpoint-00000020"):
        seal(workspace / folder)
    for command in COMMANDS:
        assert run(workspace, command).exit_code == 0, command


def test_ids_outside_the_vocabulary_are_refused(workspace: Path) -> None:
    import pyarrow as pa

    path = workspace / "encoded" / "train.arrow"
    with pa.OSFile(str(path)) as file:
        table = pa.ipc.open_file(file).read_all()
    spoiled = pa.array([[10_000]] * len(table), table.schema.field("source").type)
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(
            pa.Table.from_arrays([spoiled, table.column("target")], schema=table.schema)
        )
    seal(path.parent)
    assert "token ids outside the vocabulary" in refused(run(workspace, "train"))


def test_a_damaged_log_is_kept_and_said(workspace: Path) -> None:
    log = workspace / "training" / "metrics.jsonl"
    damaged = log.read_bytes().replace(b"{", b"#")
    log.write_bytes(damaged)
    result = run(workspace, "train")
    assert result.exit_code == 0
    assert "dropped damaged lines; the old file is kept as metrics.damaged-1" in result.stderr
    assert log.with_name("metrics.damaged-1").read_bytes() == damaged


def models_of(workspace: Path) -> tuple[Path, Path]:
    """Return two models that differ in weights: the trained one, and one trained further."""
    first = shutil.copytree(workspace / "model", workspace.parent / "first")
    arguments = ["train", "--max-steps", "60", "--device", "cpu", "-q", "-w", str(workspace)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    second = shutil.copytree(workspace / "model", workspace.parent / "second")
    digests = {(path / "manifest.json").read_bytes() for path in (first, second)}
    assert len(digests) == 2
    return first, second


PUBLISH = """
import itertools, shutil, sys, time
from pathlib import Path
from s2scli.files import publish_folder, temporary_name

first, second, model = map(Path, sys.argv[1:])
for source in itertools.cycle((first, second)):
    shutil.copytree(source, temporary_name(model))
    publish_folder(temporary_name(model), model)
    print("published", flush=True)
    time.sleep(0.02)
"""


@contextlib.contextmanager
def publishing(first: Path, second: Path, model: Path) -> Iterator[Callable[[], int]]:
    """Publish two models in turn, far more often than any run; yield how often so far.

    The pause is for a disk in memory, where a folder is replaced faster than it can be read.
    """
    log = model.parent / "published"
    with log.open("wb") as out:
        command = [sys.executable, "-c", PUBLISH, *map(str, (first, second, model))]
        process = subprocess.Popen(command, stdout=out)
    try:
        yield lambda: log.read_bytes().count(b"\n")
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("readings", [30, pytest.param(READINGS, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_a_reader_beside_a_run_sees_one_generation(workspace: Path, readings: int) -> None:
    first, second = models_of(workspace)
    commands = (
        ["translate"],
        ["inspect", "model", "--json"],
        ["inspect", "tokenizer", "a", "--json"],
    )

    def read(command: list[str], model: Path) -> Result:
        return CliRunner().invoke(app, [*command, "-m", str(model)], input="one two three\n")

    right = {read(command, model).stdout for command in commands for model in (first, second)}
    assert "" not in right
    found: list[object] = []
    with publishing(first, second, workspace / "model") as count:
        for command in itertools.cycle(commands):
            if len(found) >= readings and count() > readings / 10:
                break
            result = read(command, workspace / "model")
            found.append(result.stdout in right or (command, result.stdout, result.stderr))
    assert not [one for one in found if one is not True]
