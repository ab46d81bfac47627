"""Ask before anything trained is lost; `--overwrite` skips the question."""

from collections.abc import Sequence

from s2scli.errors import CheckpointError, LockedError, MissingInputError
from s2scli.manifest import read_manifest
from s2scli.report.console import Talk
from s2scli.workspace import Workspace

MAX_NAMED = 3


def require_replaceable(workspace: Workspace, artifact: str, talk: Talk) -> None:
    """Ask before replacing an artifact that the runs and the study of a workspace depend on.

    Raises:
        LockedError: there is a run or a study, and the user answers no or cannot be asked.
    """
    runs = list(workspace.runs())
    lost = [_named(runs)] if runs else []
    lost += [f"the study in {workspace.tuning}"] * workspace.tuning.exists()
    if lost:
        _require_consent(
            f"{workspace.root / artifact} would be replaced, and the runs trained with it could "
            f"not be resumed: {', '.join(lost)}",
            talk,
        )


def require_restartable(runs: Sequence[Workspace], talk: Talk) -> None:
    """Ask before removing those of `runs` that exist.

    Raises:
        LockedError: at least one exists, and the user answers no or cannot be asked.
    """
    trained = [run for run in runs if run.is_trained]
    if trained:
        _require_consent(f"--restart would remove trained runs: {_named(trained)}", talk)


def require_new_study(workspace: Workspace, talk: Talk) -> None:
    """Ask before removing the study of a workspace, if there is one.

    Raises:
        LockedError: there is one, and the user answers no or cannot be asked.
    """
    if workspace.tuning.exists():
        _require_consent(f"--restart would remove the study in {workspace.tuning}", talk)


def _require_consent(loss: str, talk: Talk) -> None:
    if not talk.confirm(f"{loss}. Continue?"):
        raise LockedError(f"{loss}; use another workspace (-w DIR), or add --overwrite")


def _named(runs: Sequence[Workspace]) -> str:
    """Describe the first few runs, with the number of the others."""
    names = ", ".join(map(_described, runs[:MAX_NAMED]))
    return names + f" and {len(runs) - MAX_NAMED} more" * (len(runs) > MAX_NAMED)


def _described(run: Workspace) -> str:
    try:
        facts = read_manifest(run.model, "model").facts
    except (MissingInputError, CheckpointError):
        return str(run.training)
    return f"{run.model} (step {facts.get('step')}, {facts.get('minutes')} minutes)"
