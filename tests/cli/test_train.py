"""`s2s train`: what it prints, how it ends, and what it says when it cannot."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.config import Recipe
from s2scli.data.settings import PrepareSettings
from s2scli.model.kernels.machine import this_machine
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.validation import Validator
from s2scli.report.console import Talk
from s2scli.settings import load_settings
from s2scli.training.checkpoint import list_checkpoints, load_checkpoint
from s2scli.workspace import Workspace
from tests.machines import machine_that_prefers
from tests.toy import prepare_toy, write_corpus

pytestmark = pytest.mark.usefixtures("quick_fsync")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = prepare_toy(tmp_path_factory.mktemp("train") / "workspace", 80)
    result = run(workspace, "-r", "tiny", "--set", "training.log_every=2", "--max-steps", "4")
    assert result.exit_code == 0, result.stderr
    return workspace


@pytest.fixture
def workspace(trained: Workspace, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(trained.root, tmp_path / "workspace"))


def run(workspace: Workspace, *arguments: str) -> Result:
    words = ["train", "--device", "cpu", "-w", str(workspace.root), *arguments]
    return CliRunner().invoke(app, words)


def refused(result: Result, status: int) -> str:
    """Return the one line of a refusal."""
    assert (result.exit_code, result.stdout) == (status, ""), result.stderr
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_it_tells_its_story_on_stderr(tmp_path: Path) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    result = run(workspace, "-r", "tiny", "--set", "training.log_every=2", "--max-steps", "4", "-v")
    assert (result.exit_code, result.stdout) == (0, "")
    story = result.stderr
    told = [
        "there is no tokenizer yet: learning a tokenizer",
        "recipe tiny: ",
        "padding: ",
        "validation     step   epoch      time    chrf    loss    bleu  exact_match",
        "validation        0    0.00 ",
        "step 2  epoch ",
        "step 4  epoch ",
        "validation        4  ",
        "max_steps 4 reached: step 4, ",
        f"the best model is of step 4, in {workspace.model}",
        "more training ",
        "next: s2s evaluate",
    ]
    positions = [story.find(part) for part in told]
    assert -1 not in positions and positions == sorted(positions), story


def test_a_model_that_is_a_mean_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def validate(self: Validator) -> dict[str, float]:
        progress = self.run.progress
        return {"chrf": 9.0 if progress.validated == progress.step else float(progress.step)}

    monkeypatch.setattr(Validator, "__call__", validate)
    workspace = prepare_toy(tmp_path / "workspace", 80)
    mean_of_2 = ("--set", "training.average_checkpoints=2", "--set", "training.validate_every=2")
    result = run(workspace, "-r", "tiny", *mean_of_2, "--max-steps", "4", "--json")
    assert json.loads(result.stdout)["averaged"] == [2, 4]
    assert (
        "steps 2, 4) has chrf 9, the best checkpoint 4: the mean becomes the model" in result.stderr
    )
    assert f"the best model is the mean of steps 2, 4, in {workspace.model}" in result.stderr


def test_validation_lines_that_fail_are_warned_of(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Validator, "__call__", lambda self: {"chrf": 1.0, "failed_lines": 3})
    told = run(workspace, "--max-steps", "5").stderr
    assert "warning: 3 validation lines failed at step 5\n" in told
    assert "failed_lines" not in told


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("ema_decay=1", "training.ema_decay: input should be less than 1, found 1"),
        ("r_drop=-1", "training.r_drop: input should be greater than or equal to 0, found -1"),
        ("average_checkpoints=few", "training.average_checkpoints: input should be a valid int"),
        (
            "scheduled_sampling.kind=sigmoid",
            "training.scheduled_sampling.kind: expected one of none, linear, exponential, inverse_",
        ),
        (
            "scheduled_sampling.k=5",
            "training.scheduled_sampling.kind: missing; the section's other settings",
        ),
    ],
)
def test_wrong_ways_to_train_are_refused(tmp_path: Path, assignment: str, message: str) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    line = refused(run(workspace, "-r", "tiny", "--set", f"training.{assignment}"), 78)
    assert message in line


def test_quiet_says_nothing(workspace: Workspace) -> None:
    result = run(workspace, "--max-steps", "5", "-q")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_json_is_one_document(workspace: Workspace) -> None:
    result = run(workspace, "--max-steps", "5", "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert (report["recipe"], report["step"], report["signal"]) == ("tiny", 5, 0)
    assert report["reason"] == "max_steps 5 reached"
    assert {"loss", "perplexity", "token_accuracy", "bleu", "chrf"} <= report["best"].keys()
    assert report["outlook"]["trend"] == "unknown"
    assert report["parameters"] > 1000 and report["skipped_updates"] == 0


def test_it_goes_on_and_says_so(workspace: Workspace) -> None:
    result = run(workspace, "--max-steps", "6")
    assert result.exit_code == 0
    assert "resuming from step 4" in result.stderr


def test_a_limit_given_by_a_flag_is_not_kept(workspace: Workspace) -> None:
    at_8 = ("--set", "training.limits.max_steps=8")
    first = run(workspace, *at_8, "--max-steps", "6").stderr
    assert "max_steps 6 reached" in first
    assert "to continue training, rerun with a higher --max-steps\n" in first
    again = run(workspace).stderr
    assert "max_steps 8 reached" in again, "the recipe's own"
    assert "to continue training, rerun with a higher --max-steps\n" in again


def test_assignments_change_the_run_s_own_recipe(workspace: Workspace) -> None:
    result = run(workspace, "--set", "training.limits.patience=20", "--max-steps", "5")
    assert result.exit_code == 0, result.stderr
    assert load_checkpoint(list_checkpoints(workspace.training)[0]).settings["training"][
        "limits"
    ] == {"max_minutes": None, "max_steps": None, "max_epochs": None, "patience": 20}
    line = refused(run(workspace, "--set", "training.seed=7", "--max-steps", "6"), 78)
    assert line.startswith("error: resume without --set, use another workspace (-w), ")
    assert "has other settings: training.seed: 1 -> 7" in line


def settings_of(workspace: Workspace) -> Recipe:
    settings = load_checkpoint(list_checkpoints(workspace.training)[0]).settings
    return load_settings(Recipe, settings, "checkpoint")


def test_everyday_settings_have_flags_and_a_run_resumes_with_them(tmp_path: Path) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    flags = ("--lr", "0.01", "--seed", "3", "--dropout", "0.25", "--layers", "2", "--width", "24")
    first = run(workspace, "-r", "tiny", *flags, "--max-steps", "2")
    assert first.exit_code == 0, first.stderr
    recipe = settings_of(workspace)
    assert (recipe.training.optimizer.learning_rate, recipe.training.seed) == (0.01, 3)
    for side in (recipe.model.encoder, recipe.model.decoder):
        assert (side.dropout, side.num_layers, side.model_dim) == (0.25, 2, 24)
    again = run(workspace, "-r", "tiny", *flags, "--max-steps", "3")
    assert "resuming from step 2" in again.stderr
    line = refused(run(workspace, "--seed", "4", "--lr", "0.02", "--max-steps", "4"), 78)
    assert line.startswith("error: resume without --learning-rate and --seed, use another worksp")
    assert "has other settings: training.optimizer.learning_rate: 0.01 -> 0.02; training.s" in line


def test_override_changes_what_is_safe_and_the_run_keeps_it(workspace: Workspace) -> None:
    change = ("--lr", "0.5", "--set", "training.save_every=7", "--max-steps", "6")
    before = list_checkpoints(workspace.training)
    line = refused(run(workspace, *change), 78)
    assert line.startswith("error: add --override to change them now, or resume without ")
    assert list_checkpoints(workspace.training) == before
    line = refused(run(workspace, *change, "--seed", "4", "--override"), 78)
    assert "--override cannot change these settings: training.seed: 1 -> 4" in line
    result = run(workspace, *change, "--override")
    assert result.exit_code == 0, result.stderr
    assert "changed on resume: training.optimizer.learning_rate: " in result.stderr
    assert "resuming from step 4" in result.stderr
    training = settings_of(workspace).training
    assert (training.optimizer.learning_rate, training.save_every) == (0.5, 7)
    again = run(workspace, "--lr", "0.5", "--max-steps", "7", "--override")
    assert again.exit_code == 0 and "changed on resume" not in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (("--seed", "-1"), "--seed: training.seed: input should be greater than or equal to 0", 2),
        (("--layers", "0"), "model.encoder.num_layers: input should be greater than or equal", 2),
        (("--precision", "fp16"), "training.precision: input should be 'auto', 'float32' or ", 2),
        (("--metric", "chrff"), "unknown validation score 'chrff'; did you mean chrf?", 2),
        (
            ("--size", "tiny", "--set", "model.size=base"),
            "--size and --set model.size=base change the same setting; leave one",
            2,
        ),
        (
            ("--dropout", "0.1", "--set", "model.decoder.dropout=0.2"),
            "--dropout and --set model.decoder.dropout=0.2 change the same setting; leave one",
            2,
        ),
    ],
)
def test_a_wrong_everyday_setting_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], message: str, status: int
) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    assert message in refused(run(workspace, "-r", "tiny", *arguments), status)


def test_epochs_are_a_limit_by_either_name(workspace: Workspace) -> None:
    assert "max_epochs 1 reached" in run(workspace, "--epochs", "1").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-r", "elman"), "resume without -r elman, use another workspace (-w), or start again"),
        (
            ("--set", "training.sede=1"),
            "unknown setting training.sede; did you mean seed?",
        ),
        (("-r", "bahdanau"), "unknown recipe 'bahdanau'; did you mean bahdanau2015?"),
        (("--device", "tpu"), "--device tpu: unknown; choose auto, cpu, cuda or cuda:N"),
    ],
)
def test_wrong_settings_are_refused(
    workspace: Workspace, arguments: tuple[str, ...], message: str
) -> None:
    before = list_checkpoints(workspace.training)
    assert message in refused(run(workspace, *arguments), 78)
    assert list_checkpoints(workspace.training) == before


def test_a_wrong_limit_is_named_as_a_flag(workspace: Workspace) -> None:
    line = refused(run(workspace, "--max-steps", "0"), 2)
    assert "--max-steps: input should be greater than or equal to 1, found 0" in line


def test_a_missing_recipe_is_missing_input(workspace: Workspace) -> None:
    assert "mine.toml: no such file" in refused(run(workspace, "-r", "mine.toml"), 66)


def test_a_missing_corpus_is_missing_input(tmp_path: Path) -> None:
    line = refused(run(Workspace(tmp_path / "nothing")), 66)
    assert "no corpus here; make one: s2s prepare" in line
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("-r", "bahdanau"),
        ("--set", "training.sede=1"),
        ("--set", "training.limits.max_steps=0"),
        ("--device", "cudax"),
    ],
)
def test_a_run_that_cannot_begin_leaves_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    before = sorted(workspace.root.rglob("*"))
    refused(run(workspace, *arguments), 78)
    assert sorted(workspace.root.rglob("*")) == before


def test_no_validation_split_is_told_before_a_tokenizer_is_learned(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus.tsv", 50)
    settings = PrepareSettings(valid_size=0, test_size=0)
    prepare(Workspace(tmp_path / "w"), Inputs((corpus,)), settings, Talk(quiet=True))
    result = run(Workspace(tmp_path / "w"), "-r", "tiny")
    assert result.exit_code in (65, 66)
    assert "valid" in refused(result, result.exit_code)
    assert not Workspace(tmp_path / "w").tokenizer.exists()


def test_a_workspace_in_use_is_refused(workspace: Workspace) -> None:
    with workspace.locked("train"):
        line = refused(run(workspace), 73)
    assert f"is in use by `s2s train` (process {os.getpid()} on " in line


def test_nothing_but_damaged_checkpoints_is_65(workspace: Workspace) -> None:
    for folder in list_checkpoints(workspace.training):
        (folder / "state.json").unlink()
    line = refused(run(workspace), 65)
    assert "every checkpoint is damaged: " in line and "start again with --restart" in line


def test_long_pairs_are_told(tmp_path: Path) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    limits = ("--set", "training.max_length=4", "--max-steps", "1")
    result = run(workspace, "-r", "tiny", *limits)
    assert result.exit_code == 0
    assert "pairs are longer than training.max_length (4 tokens) and are left out" in result.stderr


def test_a_run_of_another_machine_goes_on_with_a_warning(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "abacus")
    result = run(workspace, "--max-steps", "5")
    assert result.exit_code == 0
    assert "now it is abacus: training continues, but the results may differ from" in result.stderr


def test_a_run_goes_on_with_its_library(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever this machine would choose by itself."""
    other = machine_that_prefers(not this_machine().prefers_one_dnn)
    monkeypatch.setattr("s2scli.training.machine.this_machine", lambda: other)
    result = run(workspace, "--max-steps", "5")
    assert result.exit_code == 0
    assert "products by" not in result.stderr


def test_a_run_whose_library_is_missing_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    with monkeypatch.context() as earlier:
        one_dnn = machine_that_prefers(True)
        earlier.setattr("s2scli.training.machine.this_machine", lambda: one_dnn)
        assert run(workspace, "-r", "tiny", "--max-steps", "2").exit_code == 0
    without = replace(one_dnn, has_one_dnn=False)
    monkeypatch.setattr("s2scli.training.machine.this_machine", lambda: without)
    monkeypatch.setattr("s2scli.training.products.this_machine", lambda: without)
    result = run(workspace, "--max-steps", "3")
    assert result.exit_code == 0
    assert (
        "the run so far used products by oneDNN, now it is torch: training continues"
        in result.stderr
    )


def test_a_run_whose_batches_were_planned_otherwise_goes_on_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    with monkeypatch.context() as earlier:  # which wrote no number of its plan
        earlier.setattr("s2scli.pipeline.session.describe_machine", lambda *run: {"threads": 1})
        assert run(workspace, "-r", "tiny", "--max-steps", "2").exit_code == 0
    result = run(workspace, "--max-steps", "3")
    assert result.exit_code == 0
    assert (
        "the run so far used batch plan 1, now it is 2: training continues, but " in result.stderr
    )
    assert "products by" not in result.stderr
    assert "batch plan" not in run(workspace, "--max-steps", "4").stderr


def test_a_rehearsal_is_a_table(trained_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from s2scli.pipeline import rehearse

    def found(*others: object) -> rehearse.Rehearsal:
        return rehearse.Rehearsal(
            "tiny", 1000, 512.0, 1.25, 2.5, 100, 3.0, 10.0, 50.0, 60.0, 0.01, (6.0, 2.0), 42.0
        )

    monkeypatch.setattr(rehearse, "rehearse", found)
    words = ["train", "--rehearse", "-w", str(trained_workspace)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    rows = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert "peak memory 512 MB" in rows
    assert "an epoch 1.2 minutes (2.5 of processor time), 100 updates" in rows
    assert "disk 50.0 MB, at most 60.0 MB" in rows
    assert "in 42 seconds" in result.stderr
    document = json.loads(CliRunner().invoke(app, [*words, "--json", "-q"]).stdout)
    assert document["peak_memory_mb"] == 512 and document["overfit"] == [6, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--budget", "20"), "--budget 20: expected a time such as 20m"),
        (("--budget", ""), "--budget : expected a time such as 20m"),
        (
            ("--budget", "20m", "--max-steps", "5"),
            "--budget sets the limits; leave out --max-steps",
        ),
        (("--budget", "20m", "--rehearse"), "leave out --budget"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(
    words: tuple[str, ...], message: str, trained_workspace: Path
) -> None:
    result = CliRunner().invoke(app, ["train", "-w", str(trained_workspace), *words])
    assert result.exit_code == 2
    assert message in result.stderr


def test_restarts_need_several_processes(workspace: Workspace) -> None:
    result = run(workspace, "--max-restarts", "1")
    assert result.exit_code == 2
    assert "error: --max-restarts is for several processes; add --processes N" in result.stderr


def test_processes_are_launched_with_the_same_arguments(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are asked nothing, as the launcher has checked the request and asked."""
    found: list[object] = []

    def launch(arguments: list[str], *more: object) -> int:
        found.extend([arguments, *more[:2]])
        return 75

    monkeypatch.setattr("s2scli.pipeline.processes.launch", launch)
    arguments = ("--processes", "3", "--max-restarts", "2", "--max-steps", "9")
    result = run(workspace, *arguments)
    assert result.exit_code == 75
    command, *numbers = found
    assert isinstance(command, list)
    assert command[0] == "train" and command[-1] == "--overwrite"
    assert [each for each in arguments if each not in command] == []
    assert numbers == [3, 2]
    found.clear()
    result = run(workspace, *arguments, "--device", "tpu")
    assert (result.exit_code, found) == (78, []), "a mistake is found before"
