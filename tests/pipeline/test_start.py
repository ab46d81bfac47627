"""What a run starts from, and what it refuses to be resumed with."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from s2scli.config import Recipe, load_recipe
from s2scli.errors import CheckpointError, ConfigError, MissingInputError
from s2scli.manifest import read_manifest
from s2scli.pipeline.start import Start, find_start
from s2scli.report.console import Talk
from s2scli.sides import Sides, Sound
from s2scli.sizes import SIZES
from s2scli.training.checkpoint import Checkpoint, save_checkpoint
from s2scli.training.machine import describe_machine
from s2scli.training.progress import Progress
from s2scli.training.world import ALONE, World
from s2scli.translation.model_folder import LoadedModel, load_model_folder
from s2scli.workspace import Workspace
from tests.training.processes import connected

TINY = load_recipe("tiny")
ORIGIN = {"corpus": "c1", "tokenizer": "t1"}
MACHINE = describe_machine(TINY.training, torch.device("cpu"), ALONE, 2)


def checkpoint(step: int = 3, recipe: Recipe = TINY, **made_from: str) -> Checkpoint:
    """Return a checkpoint that holds a weight of its own."""
    states = {"cpu": torch.get_rng_state()}
    weights, settings = {"w": torch.tensor([1.0 * step])}, recipe.model_dump(mode="json")
    return Checkpoint(settings, ORIGIN | made_from, Progress(step), MACHINE, weights, {}, states)


@pytest.fixture(scope="module")
def trained(trained_workspace: Path) -> LoadedModel:
    return load_model_folder(trained_workspace / "model", torch.device("cpu"))


def test_from_nothing_the_recipe_is_the_one_asked_for_or_the_default_of_the_size() -> None:
    start = Start()
    assert start.recipe is None
    assert start.choose_recipe("tiny", ["training.seed=7"], SIZES[0]).training.seed == 7
    assert start.choose_recipe(None, (), SIZES[2]) == load_recipe("default", (), SIZES[2])


def test_a_run_brings_its_recipe_of_which_only_the_limits_may_change() -> None:
    start = Start(checkpoint())
    assert start.recipe == TINY
    assert start.choose_recipe(None, (), SIZES[0]) == TINY
    changed = start.choose_recipe(None, ["training.limits.max_steps=9"], SIZES[0])
    assert changed.training.limits.max_steps == 9
    with pytest.raises(ConfigError) as refusal:
        start.choose_recipe("tiny", ["training.seed=7", "model.encoder.dropout=0.5"], SIZES[0])
    dropout = TINY.model.encoder.dropout
    assert str(refusal.value) == (
        "resume without -r tiny and --set, use another workspace (-w), or start again (--restart): "
        "the run in this workspace has other settings: "
        f"model.encoder.dropout: {dropout} -> 0.5; training.seed: 1 -> 7"
    )


def test_the_options_that_ask_for_another_recipe_are_named() -> None:
    start = Start(checkpoint())
    with pytest.raises(ConfigError, match=r"^resume without --seed, use another workspace"):
        start.choose_recipe(None, ["training.seed=7"], SIZES[0], options=["--seed"])


def test_five_of_many_differences_are_listed_and_all_of_them_with_v() -> None:
    start = Start(checkpoint())
    with pytest.raises(ConfigError) as refusal:
        start.choose_recipe("elman", (), SIZES[0])
    with pytest.raises(ConfigError) as verbose:
        start.choose_recipe("elman", (), SIZES[0], verbose=True)
    brief, whole = str(refusal.value), str(verbose.value)
    assert brief.startswith("resume without -r elman, use another workspace (-w), or start again")
    count = whole.count(" -> ")
    assert brief.count(" -> ") == 5 < count
    assert brief.endswith(f"; and {count - 5} more (-v lists them)")
    assert whole.startswith(brief.removesuffix(f"; and {count - 5} more (-v lists them)"))


SAFE = ["model.encoder.dropout=0.5", "training.schedule={kind='cosine', total_steps=9}"]


def test_what_is_safe_to_change_needs_override() -> None:
    start = Start(checkpoint())
    with pytest.raises(ConfigError, match=r"^add --override to change them now, or resume withou"):
        start.choose_recipe(None, SAFE, SIZES[0])
    changed = start.choose_recipe(None, SAFE, SIZES[0], override=True)
    assert changed.model.encoder.dropout == 0.5 and changed.training.schedule.kind == "cosine"
    first, *others = start.changes(changed)
    assert first == f"model.encoder.dropout: {TINY.model.encoder.dropout} -> 0.5"
    assert others and all(line.startswith("training.schedule.") for line in others)
    assert start.changes(TINY) == Start().changes(changed) == []


@pytest.mark.parametrize("change", ["training.source_token_dropout=0.1", "training.noise.mask=0.1"])
def test_a_models_own_recipe_is_checked_against_the_sides(
    trained: LoadedModel, change: str
) -> None:
    sides = Sides(Sound(8000))
    for start in (Start(checkpoint()), Start(trained=trained)):
        with pytest.raises(ConfigError, match="for text, and the source is audio; leave them out"):
            start.choose_recipe(None, [change], SIZES[0], sides=sides, override=True)


def test_override_refuses_and_lists_all_that_is_not_safe() -> None:
    start, unsafe = Start(checkpoint()), ["training.seed=7", "training.batch_tokens=9"]
    with pytest.raises(ConfigError) as refusal:
        start.choose_recipe(None, [*SAFE, *unsafe], SIZES[0], override=True)
    assert str(refusal.value).startswith("resume without --set, use another workspace")
    before = TINY.training.batch_tokens
    assert str(refusal.value).endswith(
        "--override cannot change these settings: "
        f"training.batch_tokens: {before} -> 9; training.seed: 1 -> 7"
    )


def test_a_model_brings_its_recipe_of_which_everything_may_change(trained: LoadedModel) -> None:
    start = Start(trained=trained)
    assert start.choose_recipe(None, ["training.seed=7"], SIZES[0]).training.seed == 7
    assert start.choose_recipe("elman", (), SIZES[0]).name == "elman"


def test_a_run_is_of_one_corpus_and_one_tokenizer() -> None:
    start = Start(checkpoint(model="m1"))
    assert start.made_from("c1", "t1") == {**ORIGIN, "model": "m1"}
    for corpus, tokenizer, kind in (("c2", "t1", "corpus"), ("c1", "t2", "tokenizer")):
        with pytest.raises(ConfigError, match=f"was trained with a different {kind}; start again"):
            start.made_from(corpus, tokenizer)
    assert Start().made_from("c2", "t2") == {"corpus": "c2", "tokenizer": "t2"}


def test_a_new_run_is_made_from_the_model_it_starts_with(trained: LoadedModel) -> None:
    made_from = Start(trained=trained).made_from("c1", "t1")
    assert made_from == {**ORIGIN, "model": trained.manifest.digest}


def test_a_run_is_not_resumed_from_another_model(trained_workspace: Path) -> None:
    workspace = Workspace(trained_workspace)
    digest = read_manifest(workspace.model, "model").digest
    Start(checkpoint(model=digest)).check_model(workspace, workspace.model)
    Start().check_model(workspace, workspace.model)
    Start(checkpoint()).check_model(workspace, None)
    with pytest.raises(ConfigError, match=r"did not start from the model in .*; resume without"):
        Start(checkpoint(model="another")).check_model(workspace, workspace.model)


def test_the_newest_whole_checkpoint_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path)
    assert find_start(workspace, None, Talk(), restart=False) == Start()
    save_checkpoint(workspace.training, checkpoint(2))
    newest = save_checkpoint(workspace.training, checkpoint(4))
    found = find_start(workspace, None, Talk(), restart=False).checkpoint
    assert found is not None and found.progress.step == 4
    (newest / "state.json").write_text("damage")
    found = find_start(workspace, None, Talk(), restart=False).checkpoint
    assert found is not None and found.progress.step == 2
    assert "falling back to an older checkpoint" in capsys.readouterr().err
    assert find_start(workspace, None, Talk(), restart=True) == Start()


def test_processes_start_from_the_checkpoint_of_the_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first one has a damaged checkpoint, and finds the one before."""
    shared, own, empty = (Workspace(tmp_path / name) for name in ("shared", "own", "empty"))
    for workspace in (shared, own):
        save_checkpoint(workspace.training, checkpoint(2))
        newest = save_checkpoint(workspace.training, checkpoint(4))
    (shared.training / newest.name / "state.json").write_text("damage")

    def steps_of(*workspaces: Workspace) -> Sequence[int]:
        def work(world: World) -> int:
            workspace, talk = workspaces[world.rank], Talk(quiet=bool(world.rank))
            found = find_start(workspace, None, talk, world, restart=False).checkpoint
            return found.progress.step if found else -1

        return connected(2, work)

    assert steps_of(shared, own) == [2, 2]
    assert capsys.readouterr().err.count("falling back to an older checkpoint") == 1
    assert steps_of(empty, own) == [-1, -1]
    shared_by_all = "the workspace must be on a file system that all hosts share"
    for others in (empty, shared):
        with pytest.raises(CheckpointError, match=rf"{others.training}/.*0004.*; {shared_by_all}"):
            steps_of(own, others)


def test_a_model_is_looked_at_only_without_a_checkpoint(
    tmp_path: Path, trained_workspace: Path
) -> None:
    workspace, model = Workspace(tmp_path), trained_workspace / "model"
    found = find_start(workspace, model, Talk(quiet=True), restart=False)
    assert found.checkpoint is None and found.trained is not None
    with pytest.raises(MissingInputError, match="no model here"):
        find_start(workspace, tmp_path, Talk(quiet=True), restart=False)
    save_checkpoint(workspace.training, checkpoint())
    assert find_start(workspace, model, Talk(quiet=True), restart=False).trained is None
    for folder in workspace.training.glob("checkpoint-*"):
        (folder / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match="every checkpoint is damaged"):
        find_start(workspace, None, Talk(quiet=True), restart=False)


def test_the_threads_of_the_run_are_taken_and_other_differences_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taken: list[int] = []
    monkeypatch.setattr(torch, "set_num_threads", taken.append)
    before = checkpoint()
    threads = torch.get_num_threads() + 1
    start = Start(Checkpoint(**{**vars(before), "machine": {**MACHINE, "threads": threads}}))
    start.match_machine({**MACHINE, "torch": "9.9"}, Talk())
    Start().match_machine(MACHINE, Talk())
    assert taken == [threads]
    assert capsys.readouterr().err.splitlines() == [
        f"using {threads} threads, as the run did before",
        f"warning: the run so far used torch {torch.__version__}, now it is 9.9: "
        "training continues, but the results may differ from those of an uninterrupted run",
    ]
