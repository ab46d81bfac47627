"""Nothing trained is lost without consent."""

import io
import sys
from pathlib import Path

import pytest

from s2scli.errors import LockedError
from s2scli.manifest import new_folder
from s2scli.pipeline.overwriting import require_replaceable, require_restartable
from s2scli.report.console import Talk, make_console
from s2scli.workspace import Workspace


class Terminal(io.StringIO):
    """A terminal on which the user has typed an answer."""

    def isatty(self) -> bool:
        return True


def trained(workspace: Workspace, step: int = 5) -> Workspace:
    (workspace.training / f"checkpoint-{step:08d}").mkdir(parents=True)
    with new_folder(workspace.model, "model") as draft:
        draft.facts = {"step": step, "minutes": 2.5}
    return workspace


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: str) -> tuple[Talk, Terminal]:
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    talk = Talk()
    talk.stderr = make_console(file=shown, force_terminal=True)
    return talk, shown


def test_what_is_not_trained_may_be_replaced(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (workspace.training / ".tmp-checkpoint-00000000").mkdir(parents=True)
    (workspace.training / "metrics.jsonl").touch()
    require_replaceable(workspace, "corpus", Talk())
    require_restartable([workspace], Talk())


def test_a_model_is_named_with_what_would_be_lost_and_the_flag(tmp_path: Path) -> None:
    workspace = trained(Workspace(tmp_path))
    with pytest.raises(LockedError) as refusal:
        require_replaceable(workspace, "corpus", Talk())
    assert str(refusal.value) == (
        f"{tmp_path}/corpus would be replaced, and the runs trained with it could not be "
        f"resumed: {tmp_path}/model (step 5, 2.5 minutes); use another workspace (-w DIR), or add "
        "--overwrite"
    )


def test_compared_runs_count_and_a_few_are_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    runs = [trained(workspace.of_run(name)) for name in "abcde"]
    with pytest.raises(LockedError, match=r"compare/a/model \(step 5, .*c/model .* and 2 more;"):
        require_replaceable(workspace, "tokenizer", Talk())
    with pytest.raises(LockedError, match=r"trained runs: \S*/b/model \([^,]*,[^,]*;"):
        require_restartable([runs[1], workspace], Talk())


def test_a_study_counts_with_and_without_a_run(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.tuning.mkdir()
    with pytest.raises(LockedError, match=r"could not be resumed: the study in \S*/tune; use"):
        require_replaceable(workspace, "corpus", Talk())
    trained(workspace)
    with pytest.raises(LockedError, match=r"/model \(step 5, .*\), the study in \S*/tune; use"):
        require_replaceable(workspace, "tokenizer", Talk())


def test_a_run_without_a_model_is_named_by_its_folder(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    (workspace.training / "checkpoint-00000000").mkdir(parents=True)
    with pytest.raises(LockedError, match=r"trained runs: \S*/training; use another"):
        require_restartable([workspace], Talk())


@pytest.mark.parametrize("answer", ["y\n", "YES\n", " yes \n"])
def test_yes_on_a_terminal_is_consent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    talk, shown = on_a_terminal(monkeypatch, answer)
    require_restartable([trained(Workspace(tmp_path))], talk)
    assert shown.getvalue().endswith("(step 5, 2.5 minutes). Continue? [y/N] ")


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "restart\n"])
def test_any_other_answer_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    talk, _ = on_a_terminal(monkeypatch, answer)
    with pytest.raises(LockedError):
        require_restartable([trained(Workspace(tmp_path))], talk)
