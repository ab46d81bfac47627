"""Tuning: trials have runs of their own, the best recipe is kept, and a stopped study goes on."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from s2scli.config import load_recipe
from s2scli.data.store import Corpus
from s2scli.errors import ConfigError, DivergedError, LockedError, StorageError, UsageError
from s2scli.pipeline import tune as pipeline
from s2scli.pipeline.study import Study
from s2scli.pipeline.train import TrainReport, TrainRequest
from s2scli.pipeline.tune import BEST, TuneRequest, Tuning, plan, tune
from s2scli.report.console import Talk
from s2scli.training.events import Validation
from s2scli.training.outlook import Outlook
from s2scli.workspace import Workspace
from tests.toy import prepare_toy, train_toy

pytestmark = pytest.mark.usefixtures("quick_fsync", "quick_commits")
QUIET = Talk(quiet=True)
SPACE = """
[smoothing]
settings = ["training.label_smoothing"]
low = 0.0
high = 0.5

[width]
settings = ["model.encoder.model_dim", "model.decoder.model_dim"]
choices = [16, 32]
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("tune") / "workspace"
    workspace = prepare_toy(root, 80)
    root.with_suffix(".toml").write_text(SPACE)
    train_toy(workspace, "training.validate_every=2", max_steps=2)
    return workspace


def order(workspace: Workspace, trials: int, **changes: object) -> TuneRequest:
    space = workspace.root.with_suffix(".toml")
    options = {"recipe": "tiny", "space": space, "device": "cpu", **changes}
    return TuneRequest(trials, {"max_steps": 4}, **options)  # type: ignore[arg-type]


def digest(*folders: Path) -> str:
    files = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
    assert files
    content = b"".join(str(path).encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()


class Stub:
    """Stands in for training: the score is the smoothing, reported at half the budget too.

    Attributes:
        errors: what the training of a trial raises instead.
        signals: of trials that are stopped.
        trained: the names of the runs, in order.
    """

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.signals: dict[str, int] = {}
        self.trained: list[str] = []

    def __call__(self, run: Workspace, request: TrainRequest, talk: Talk) -> TrainReport:
        self.trained.append(run.run)
        (run.home / "model").mkdir(parents=True, exist_ok=True)
        if run.run in self.errors:
            raise self.errors[run.run]
        score = 100 * load_recipe("tiny", request.changes).training.label_smoothing
        request.watch(Validation(2, 0.5, 60.0, {"chrf": score}, True))
        given, best, outlook = self.signals.pop(run.run, 0), {"chrf": score}, Outlook("unknown", "")
        return TrainReport("", "", given, "", 4, 1.0, 2.0, 9, 0, 4, best, (), 0, None, outlook)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    stub = Stub()
    monkeypatch.setattr(pipeline, "train", stub)
    return stub


def restarted(workspace: Workspace, trials: int, **changes: object) -> Tuning:
    again = {"restart": True, "overwrite": True}
    return tune(workspace, order(workspace, trials, **again, **changes), QUIET)


def test_trials_leave_the_run_of_the_workspace_alone(prepared: Workspace) -> None:
    before = digest(prepared.training, prepared.model)
    found = restarted(prepared, 2)
    assert digest(prepared.training, prepared.model) == before
    assert [trial.state for trial in found.trials] == ["complete"] * 2
    assert all(trial.step == 4 and trial.minutes for trial in found.trials)
    assert [run.run for run in prepared.runs()] == [""]
    best = load_recipe(found.recipe)
    values = found.trials[0].values
    assert best.name == "best"
    assert best.training.label_smoothing == values["smoothing"]
    assert best.model.encoder.model_dim == best.model.decoder.model_dim == values["width"]
    assert load_recipe(str(Path(found.model) / "recipe.toml")).model == best.model
    assert best.training.limits == load_recipe("tiny").training.limits


def test_only_the_run_of_the_best_trial_is_kept(prepared: Workspace, stub: Stub) -> None:
    found = restarted(prepared, 6)
    scores = [trial.score for trial in found.trials if trial.state == "complete"]
    assert scores == sorted(map(float, filter(None, scores)), reverse=True)
    kept = [path.name for path in prepared.tuning.glob("trial-*")]
    assert kept == [Path(found.model).parent.name] == [f"trial-{found.trials[0].number:04d}"]


def test_a_study_goes_on_to_more_trials(prepared: Workspace, stub: Stub) -> None:
    first = restarted(prepared, 2)
    more = tune(prepared, order(prepared, 4), QUIET)
    assert stub.trained == [f"trial-{number:04d}" for number in range(4)]
    assert {str(trial) for trial in first.trials} < {str(trial) for trial in more.trials}
    assert tune(prepared, order(prepared, 4), QUIET) == more


def test_the_worst_are_pruned(prepared: Workspace, stub: Stub) -> None:
    found = restarted(prepared, 12)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    complete = [trial for trial in found.trials if trial.state == "complete"]
    assert pruned and len(pruned) + len(complete) == 12
    assert all((trial.minutes, trial.step) == (1.0, 2) for trial in pruned)
    assert max(trial.number for trial in pruned) > 4


def test_a_trial_that_fails_does_not_end_the_study(prepared: Workspace, stub: Stub) -> None:
    stub.errors["trial-0000"] = DivergedError("diverged")
    found = restarted(prepared, 2)
    assert [(trial.number, trial.state) for trial in found.trials] == [
        (1, "complete"),
        (0, "failed"),
    ]
    assert found.trials[1].error == "diverged"
    assert not (prepared.tuning / "trial-0000").exists()


def test_a_full_disk_ends_the_study_and_the_trial_is_resumed(
    prepared: Workspace, stub: Stub
) -> None:
    stub.errors["trial-0001"] = StorageError("full")
    with pytest.raises(StorageError, match="full"):
        restarted(prepared, 2)
    stub.errors.clear()
    found = tune(prepared, order(prepared, 2), QUIET)
    assert stub.trained == ["trial-0000", "trial-0001", "trial-0001"]
    assert [trial.state for trial in found.trials] == ["complete"] * 2


def test_a_stopped_trial_is_resumed_first(prepared: Workspace, stub: Stub) -> None:
    stub.signals["trial-0001"] = signal.SIGTERM
    found = restarted(prepared, 3)
    assert found.signal == signal.SIGTERM
    assert {trial.number: trial.state for trial in found.trials} == {0: "complete", 1: "running"}
    assert tune(prepared, order(prepared, 3), QUIET).signal == 0
    assert stub.trained == ["trial-0000", "trial-0001", "trial-0001", "trial-0002"]


def test_a_stop_is_no_kill(prepared: Workspace, stub: Stub) -> None:
    for restart in (True, False, False, False):
        stub.signals["trial-0001"] = signal.SIGTERM
        request = order(prepared, 2, restart=restart, overwrite=restart)
        assert tune(prepared, request, QUIET).signal == signal.SIGTERM
    assert [each.state for each in tune(prepared, order(prepared, 2), QUIET).trials] == (
        ["complete"] * 2
    )


def test_the_best_recipe_holds_the_values_of_its_trial(prepared: Workspace, stub: Stub) -> None:
    found = restarted(prepared, 3, assignments=["training.label_smoothing=0.5"])
    best = load_recipe(found.recipe)
    assert best.training.label_smoothing == found.trials[0].values["smoothing"] != 0.5


def test_without_a_complete_trial_there_is_no_recipe(prepared: Workspace, stub: Stub) -> None:
    stub.errors["trial-0000"] = DivergedError("diverged")
    found = restarted(prepared, 1)
    assert (found.recipe, found.model) == ("", "")
    assert not (prepared.tuning / BEST).exists()


def test_other_terms_and_unasked_restarts_are_refused(prepared: Workspace, stub: Stub) -> None:
    restarted(prepared, 1)
    for changes, name in (
        ({"assignments": ["training.seed=2"]}, "recipe"),
        ({"space": None}, "space"),
    ):
        with pytest.raises(ConfigError, match=f"another {name}"):
            tune(prepared, order(prepared, 1, **changes), QUIET)
    with pytest.raises(LockedError, match="would remove the study"):
        tune(prepared, order(prepared, 1, restart=True), QUIET)
    with pytest.raises(UsageError, match="--max-minutes, --max-steps, --max-epochs"):
        tune(prepared, TuneRequest(1, {"patience": 3}), QUIET)


def test_the_space_follows_from_the_size_of_the_corpus(prepared: Workspace) -> None:
    assert len(Corpus.load(prepared.corpus).open_split("train")) < 100
    space: Mapping[str, object] = plan(prepared, TuneRequest(1, {}, "tiny"), QUIET)
    assert "min_batches" in space
    few = TuneRequest(1, {}, "tiny", ["training.batch_tokens=1"])
    assert "batch_tokens" in plan(prepared, few, QUIET)


def s2s(workspace: Workspace, *words: str) -> subprocess.Popen[str]:
    """Start a study of two processes; each validation takes a while."""
    space = str(workspace.root.with_suffix(".toml"))
    command = [sys.executable, "-m", "s2scli", "tune", "-w", str(workspace.root), "-r", "tiny"]
    changes = ["validate_every=20", "save_every=5"]
    sets = [word for change in changes for word in ("--set", f"training.{change}")]
    options = ["--space", space, "--max-steps", "80", "--processes", "2", "--trials", "5"]
    return subprocess.Popen([*command, *sets, *options, *words], stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def status_of(pid: int) -> Mapping[str, str]:
    """Return the status of a process; empty if it has ended."""
    try:
        lines = (Path("/proc") / str(pid) / "status").read_text().splitlines()
    except OSError:
        return {}
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {} if status["State"].startswith("Z") else status


def workers_of(process: "subprocess.Popen[str]") -> list[int]:
    """Return the processes that run trials, found by their command line."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    children = [pid for pid in pids if status_of(pid).get("PPid") == str(process.pid)]
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="finds processes in /proc")
def test_killed_processes_and_a_killed_study_lose_no_trial(prepared: Workspace) -> None:
    study = prepared.tuning

    def resumable() -> int:
        return len({path.parts[-3] for path in study.glob("trial-*/training/checkpoint-*")})

    process = s2s(prepared, "--restart", "--overwrite")
    wait_until(lambda: resumable() == 2)
    killed = workers_of(process)[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len({*workers_of(process)} - {killed}) == 2)  # it is replaced
    workers = workers_of(process)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(status_of, workers)))  # none outlives the study
    process = s2s(prepared)
    wait_until(lambda: len(workers_of(process)) == 2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, said
    process = s2s(prepared)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    outcomes = Study(study, {}, load_recipe("tiny").criterion).outcomes()
    assert [outcome.state in ("complete", "pruned") for outcome in outcomes] == [True] * 5
    assert sorted(outcome.number for outcome in outcomes) == [*range(5)]
