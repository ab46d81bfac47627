"""`s2s doctor`: describe the machine and the installation, and check a workspace."""

import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch

from s2scli import __version__
from s2scli.devices import choose_device
from s2scli.errors import CheckpointError, MissingInputError, TokenizerError
from s2scli.export.targets import TARGETS
from s2scli.manifest import Manifest, verify_folder
from s2scli.model.kernels.machine import this_machine
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.checkpoint import list_checkpoints
from s2scli.translation.loading import folder_beside
from s2scli.workspace import Workspace

PACKAGE = "s2scli"
REQUIREMENT = re.compile(r"""([\w.-]+)(?:>=([\d.]+))?.*;.*\bextra == ['"]([\w-]+)['"]""")
RELEASE = re.compile(r"\d+(?:\.\d+)*")
State = Literal["sound", "stale", "damaged", "absent"]


@dataclass(frozen=True)
class Device:
    """A device to compute on.

    Attributes:
        name: its name for --device.
        model: the model of the processor or GPU.
        is_default: whether --device auto chooses it.
    """

    name: str
    model: str
    is_default: bool


@dataclass(frozen=True)
class Extra:
    """An optional extra of the package.

    Attributes:
        name: the name of the extra.
        missing: its packages that are not installed, or too old.
        install: the command that installs it.
    """

    name: str
    missing: tuple[str, ...]
    install: str


@dataclass(frozen=True)
class Health:
    """The state of one artifact of a workspace.

    Attributes:
        kind: the kind of folder, such as corpus.
        path: the path of its folder.
        state: "stale" means undamaged, but made from an artifact that has been replaced since.
        why: why it is damaged or stale; "" otherwise.
        digest: the SHA-256 that identifies its content; "" if it is damaged or absent.
    """

    kind: str
    path: Path
    state: State
    why: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """The machine, the installation and the state of a workspace.

    Attributes:
        versions: the versions of Python, s2s and torch, by name.
        devices: the available devices.
        processor: the properties of the processor that s2s uses, by name.
        threads: the number of threads that PyTorch uses.
        extras: the optional extras; empty if the package is not installed.
        workspace: the folder of the workspace.
        artifacts: the state of each artifact of the workspace.
    """

    versions: Mapping[str, str]
    devices: tuple[Device, ...]
    processor: Mapping[str, Any]
    threads: int
    extras: tuple[Extra, ...]
    workspace: Path
    artifacts: tuple[Health, ...]

    @property
    def damaged(self) -> tuple[Health, ...]:
        """The damaged artifacts."""
        return tuple(one for one in self.artifacts if one.state == "damaged")

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document."""
        artifacts = [asdict(one) | {"path": str(one.path)} for one in self.artifacts]
        whole = {"workspace": str(self.workspace), "artifacts": artifacts}
        return asdict(self) | whole | {"sound": not self.damaged}


def diagnose(workspace: Workspace) -> Diagnosis:
    """Inspect the machine and verify every artifact of a workspace; nothing is changed."""
    machine = this_machine()
    return Diagnosis(
        {"Python": platform.python_version(), "s2s": __version__, "torch": torch.__version__},
        list_devices(),
        asdict(machine) | {"prefers_one_dnn": machine.prefers_one_dnn},
        torch.get_num_threads(),
        list_extras(),
        workspace.root,
        tuple(check_workspace(workspace)),
    )


def list_devices() -> tuple[Device, ...]:
    """Return the processor and the GPUs that PyTorch finds."""
    gpus = torch.cuda.device_count()
    names = {f"cuda:{n}": torch.cuda.get_device_name(n) for n in range(gpus)}
    default = choose_device("auto", gpus, "PyTorch").replace("cuda", "cuda:0")
    found = {"cpu": platform.machine(), **names}
    return tuple(Device(name, model, name == default) for name, model in found.items())


def list_extras() -> tuple[Extra, ...]:
    """Return the optional extras that the package's metadata declares."""
    try:
        declared = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return ()
    missing: dict[str, list[str]] = {
        name: [] for name in declared.metadata.get_all("Provides-Extra") or ()
    }
    for requirement in declared.requires or ():
        found = REQUIREMENT.match(requirement)
        if found and found[3] in missing and (lacking := _lacking(found[1], found[2] or "")):
            missing[found[3]].append(lacking)
    return tuple(
        Extra(name, tuple(packages), f"pip install '{PACKAGE}[{name}]'")
        for name, packages in missing.items()
    )


def _lacking(package: str, least: str) -> str:
    """Return what is missing of a package: "" if a release from `least` on is installed."""
    try:
        version = metadata.distribution(package).version
    except metadata.PackageNotFoundError:
        return package
    too_old = _numbers(version) < _numbers(least)
    return f"{package}>={least} (found {version})" if too_old else ""


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release such as 2.10.0+cpu, without zeros at the end."""
    found = RELEASE.match(version)
    numbers = [int(number) for number in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)


def check_workspace(workspace: Workspace) -> Iterator[Health]:
    """Yield the state of every artifact of a workspace, including the runs of `s2s compare`.

    An artifact is stale if an artifact it was made from has been replaced since.
    """
    made: dict[str, str] = {}
    yield check_artifact(workspace.corpus, "corpus", made)
    yield check_artifact(workspace.tokenizer, "tokenizer", made)
    yield check_artifact(workspace.encoded, "encoded", made)
    others = [run for run in workspace.runs() if run.run]
    for run in (workspace, *others):
        of_run = dict(made)
        for folder in reversed(list_checkpoints(run.training)):
            yield check_artifact(folder, "checkpoint", of_run)
        yield check_artifact(run.model, "model", of_run)
        exports = {kind: folder_beside(run.model, kind) for kind in TARGETS}
        optional = {"outputs": run.outputs, **exports}
        for kind, folder in optional.items():
            if folder.exists():
                yield check_artifact(folder, kind, of_run)


def check_artifact(folder: Path, kind: str, made: dict[str, str]) -> Health:
    """Verify an artifact and add its digest to `made` if it is sound.

    Args:
        folder: the folder of the artifact.
        kind: the kind of folder.
        made: the digests of the sound artifacts checked so far, by kind.
    """
    try:
        manifest, digest = _verify(folder, kind)
    except (MissingInputError, CheckpointError, TokenizerError) as error:
        if folder.exists() or folder.is_symlink():
            return Health(kind, folder, "damaged", str(error))
        return Health(kind, folder, "absent")
    made[kind] = digest
    replaced = _replaced(manifest, made)
    why = f"made from a different {' and '.join(replaced)} than the current one" if replaced else ""
    return Health(kind, folder, "stale" if replaced else "sound", why, manifest.digest)


def _verify(folder: Path, kind: str) -> tuple[Manifest, str]:
    """Verify an artifact; return its manifest and the digest that other artifacts record."""
    if kind == "tokenizer":
        manifest, tokenizers = Tokenizers.verified(folder, kind)
        return manifest, tokenizers.digest
    manifest = verify_folder(folder, kind)
    return manifest, manifest.digest


def _replaced(manifest: Manifest, made: Mapping[str, str]) -> list[str]:
    """Return the kinds of artifacts that an artifact was made from and that have changed since.

    A tokenizer that was copied from a model fits every corpus. The model that a checkpoint records
    is the one its run started from, not the workspace's.
    """
    origins = dict(manifest.made_from)
    copied = manifest.kind == "tokenizer" and "model" in origins
    if copied or manifest.kind == "checkpoint":
        origins.pop("model", None)
    if copied:
        origins.pop("corpus", None)
    return [kind for kind, digest in sorted(origins.items()) if made.get(kind, digest) != digest]
