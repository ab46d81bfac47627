"""`s2s verify`: check artifacts completely: their files, hashes and contents."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch

from s2scli.data.accounting import read_report
from s2scli.data.encoded import check_encoded
from s2scli.data.store import SPLITS, Corpus, Side, split_path
from s2scli.errors import MissingInputError, S2SError
from s2scli.export.targets import TARGETS
from s2scli.manifest import FORMATS, in_one_generation, is_published, kind_of, read_manifest
from s2scli.pipeline.doctor import Health, check_artifact, check_workspace
from s2scli.training.checkpoint import list_checkpoints, load_checkpoint
from s2scli.training.metrics_log import MetricsLog
from s2scli.translation.export_engine import read_export
from s2scli.translation.loading import RUNNABLE
from s2scli.translation.model_folder import load_model_folder
from s2scli.workspace import Workspace

LOG = "metrics.jsonl"


def verify(paths: Sequence[Path]) -> Iterator[Health]:
    """Yield the state of every artifact in some folders; nothing is changed.

    Args:
        paths: folders of artifacts, runs (folders of checkpoints) or workspaces.
    """
    for path in paths:
        states = [_check_hashes(path)] if is_published(path) else _inside(path)
        found = [one for one in map(_check_contents, states) if one.state != "absent"]
        yield from found or [Health("", path, "absent", f"{path}: {_why_absent(path)}")]


def _why_absent(path: Path) -> str:
    if path.is_dir():
        return "nothing of s2s here; expected the folder of an artifact, a run or a workspace"
    return "is a file, expected a folder" if path.exists() else "no such folder"


def _check_hashes(folder: Path) -> Health:
    """Check the manifest of an artifact of any kind, and the hashes of its files."""
    try:
        kind = kind_of(folder)
    except S2SError as error:
        return Health("unknown", folder, "damaged", str(error))
    if kind not in FORMATS:
        why = f"{folder}: unknown kind of folder {kind[:80]!r}; expected {', '.join(FORMATS)}"
        return Health("unknown", folder, "damaged", why)
    return check_artifact(folder, kind, {})


def _inside(folder: Path) -> Iterator[Health]:
    """Yield the state of each artifact of a run or a workspace."""
    workspace = Workspace(folder)
    checkpoints = list_checkpoints(folder)
    logs = [folder] if checkpoints else [run.training for run in workspace.runs()]
    for checkpoint in reversed(checkpoints):
        yield check_artifact(checkpoint, "checkpoint", {})
    if not checkpoints:
        yield from check_workspace(workspace)
    for training in logs:
        yield _check_log(training / LOG)


def _check_log(path: Path) -> Health:
    try:
        line = MetricsLog(path).damaged_line()
    except S2SError as error:
        return Health("log", path, "damaged", str(error))
    if line:
        return Health("log", path, "damaged", f"{path}: line {line} is damaged")
    return Health("log", path, "sound" if path.exists() else "absent")


def _check_contents(found: Health) -> Health:
    """Read the contents of an artifact whose hashes are right: they may still be wrong."""
    if found.state not in ("sound", "stale") or found.kind not in CONTENTS:
        return found
    try:
        in_one_generation(found.path, lambda: CONTENTS[found.kind](found.path))
    except S2SError as error:
        is_gone = isinstance(error, MissingInputError) and not found.path.exists()
        return Health(found.kind, found.path, "absent" if is_gone else "damaged", str(error))
    return found


def _read_corpus(folder: Path) -> None:
    corpus = Corpus.load(folder)
    read_report(folder)
    names: tuple[Side, ...] = ("source", "target")
    sides = [name for name in names if getattr(corpus.sides, name)]
    for name in corpus.splits:
        split = corpus.open_split(name)
        for _ in split.batches():
            pass
        for side in sides:
            split.values(side)


def _read_encoded(folder: Path) -> None:
    files = read_manifest(folder, "encoded").files
    check_encoded(folder, [name for name in SPLITS if split_path(folder, name).name in files])


CONTENTS: Mapping[str, Callable[[Path], object]] = {
    "corpus": _read_corpus,
    "encoded": _read_encoded,
    "checkpoint": load_checkpoint,
    "model": lambda folder: load_model_folder(folder, torch.device("cpu")),
    **{name: partial(read_export, target=TARGETS[name]) for name in RUNNABLE},
}
