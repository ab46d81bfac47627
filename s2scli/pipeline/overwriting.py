"""Nothing trained is lost without consent: the flag `--overwrite`, or yes on a terminal."""

from collections.abc import Sequence

from s2scli.errors import CheckpointError, LockedError, MissingInputError
from s2scli.manifest import read_manifest
from s2scli.report.console import Talk
from s2scli.workspace import Workspace

MAX_NAMED = 3


def require_replaceable(workspace: Workspace, artifact: str, talk: Talk) -> None:
    """Ask whether an artifact may be replaced that the runs of a workspace were trained with.

    Raises:
        LockedError: there is such a run, and the answer is no or there is nobody to ask.
    """
    runs = list(workspace.runs())
    if runs:
        _require_consent(
            f"{workspace.root / artifact} would be replaced, and training that used it could no "
            f"longer be resumed: {_named(runs)}",
            talk,
        )


def require_restartable(runs: Sequence[Workspace], talk: Talk) -> None:
    """Ask whether runs may be removed, those of them that there are.

    Raises:
        LockedError: there is one, and the answer is no or there is nobody to ask.
    """
    trained = [run for run in runs if run.is_trained]
    if trained:
        _require_consent(f"--restart would remove what is trained: {_named(trained)}", talk)


def _require_consent(loss: str, talk: Talk) -> None:
    if not talk.confirm(f"{loss}. Continue?"):
        raise LockedError(f"{loss}; use another workspace (-w DIR), or give --overwrite")


def _named(runs: Sequence[Workspace]) -> str:
    """Return the models of runs, with how long they were trained."""
    names = ", ".join(map(_described, runs[:MAX_NAMED]))
    return names + f" and {len(runs) - MAX_NAMED} more" * (len(runs) > MAX_NAMED)


def _described(run: Workspace) -> str:
    try:
        facts = read_manifest(run.model, "model").facts
    except (MissingInputError, CheckpointError):
        return str(run.training)
    return f"{run.model} (step {facts.get('step')}, {facts.get('minutes')} minutes)"
