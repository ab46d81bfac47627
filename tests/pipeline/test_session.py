"""A run put together: resumed bit for bit, and shared among several processes."""

import functools
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from s2scli.config import load_recipe
from s2scli.data import shuffling
from s2scli.data.batching import PLAN_OF_WINDOWS
from s2scli.data.store import Corpus
from s2scli.errors import CheckpointError
from s2scli.model.kernels import products as kernel_products
from s2scli.model.kernels.machine import set_library
from s2scli.model.kernels.products import Way
from s2scli.model.weights import model_weights
from s2scli.pipeline import publishing
from s2scli.pipeline.session import Session, put_together
from s2scli.pipeline.start import Start, find_start
from s2scli.pipeline.train_tokenizer import Encoding, ensure_encoded, ensure_tokenizer
from s2scli.report.console import Talk
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.checkpoint import checkpoint_folder
from s2scli.training.loop import train
from s2scli.training.products import choose_products
from s2scli.training.progress import Progress
from s2scli.training.world import ALONE, World
from s2scli.translation.model_folder import write_model_folder
from s2scli.workspace import Workspace
from tests.machines import needs_one_dnn
from tests.model.kernels.clocks import StandInClock
from tests.toy import prepare_toy
from tests.training.processes import connected
from tests.training.worlds import together

pytestmark = pytest.mark.usefixtures("quick_fsync")
QUIET = Talk(quiet=True)
SETTINGS = ("training.precision=float32", "training.validate_every=2", "training.min_batches=2")
NEW = Start()
building = threading.Lock()  # threads share the random generator


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = prepare_toy(tmp_path_factory.mktemp("session") / "workspace", 80)
    corpus = Corpus.load(workspace.corpus)
    ensure_encoded(workspace, corpus, ensure_tokenizer(workspace, corpus, QUIET), QUIET)
    return workspace


@pytest.fixture
def workspace(encoded: Workspace, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(encoded.root, tmp_path / "workspace"))


def new_session(
    workspace: Workspace,
    steps: int,
    start: Start = NEW,
    world: World = ALONE,
    changes: Sequence[str] = (),
) -> Session:
    limit = f"training.limits.max_steps={steps}"
    recipe = load_recipe("tiny", [*SETTINGS, limit, *changes])
    tokenizers, cpu = Tokenizers.load(workspace.tokenizer), torch.device("cpu")
    corpus = Corpus.load(workspace.corpus)
    workspace.training.mkdir(exist_ok=True)
    with building:
        return put_together(
            workspace,
            corpus,
            Encoding(workspace.encoded),
            recipe,
            recipe.training,
            tokenizers,
            start,
            cpu,
            world,
            QUIET,
        )


def train_to_the_end(session: Session) -> None:
    for event in train(session.run, session.batches, session.validator, session.save, lambda: 0):
        session.log.add(event)


def test_a_saved_session_is_resumed_bit_for_bit(workspace: Workspace, tmp_path: Path) -> None:
    whole = new_session(Workspace(shutil.copytree(workspace.root, tmp_path / "whole")), 5)
    train_to_the_end(whole)
    train_to_the_end(new_session(workspace, 3))
    torch.manual_seed(99)
    resumed = new_session(workspace, 5, find_start(workspace, None, QUIET, restart=False))
    assert resumed.run.progress.step == 3
    train_to_the_end(resumed)
    for name, weight in model_weights(whole.run.model).items():
        assert torch.equal(weight, model_weights(resumed.run.model)[name])


CLOCKS: Mapping[str, Mapping[Way, float]] = {
    "bfloat16 and oneDNN": {"torch": 0.03, "oneDNN": 0.02, "bfloat16": 0.01},
    "float32 and torch": {"torch": 0.01, "oneDNN": 0.02, "bfloat16": 0.03},
}


@needs_one_dnn
def test_products_are_measured_once_and_kept(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the clock says otherwise when the run is resumed."""
    monkeypatch.setattr(kernel_products, "FEWEST_WEIGHTS", 0)

    def weights_after(steps: int, name: str, fastest: str) -> Mapping[str, Tensor]:
        clock, folder = StandInClock(CLOCKS[fastest]), Workspace(tmp_path / name)
        clock.replace_ways(monkeypatch)
        timed = functools.partial(choose_products, clock=clock)
        monkeypatch.setattr("s2scli.pipeline.session.choose_products", timed)
        start = find_start(folder, None, QUIET, restart=False)
        session = new_session(folder, steps, start, changes=["training.precision=auto"])
        machine = session._checkpoint(session.run.progress).machine
        found.append(f"{machine['precision']} and {machine['products by']}")
        train_to_the_end(session)
        return model_weights(session.run.model)

    found: list[str] = []
    for name in ("whole", "other", "resumed"):
        shutil.copytree(workspace.root, tmp_path / name)
    first, second = CLOCKS
    try:
        whole = weights_after(5, "whole", first)
        other = weights_after(5, "other", second)
        weights_after(3, "resumed", first)
        resumed = weights_after(5, "resumed", second)
    finally:
        set_library(None)
    assert found == [first, second, first, first]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not all(torch.equal(whole[name], other[name]) for name in whole)


def test_it_tells_what_is_trained(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    session = new_session(workspace, 1)
    session.announce(Talk(verbose=True))
    first, exports, beaten, padding = capsys.readouterr().err.splitlines()
    parameters = sum(weight.numel() for weight in session.run.model.parameters())
    pairs = len(Corpus.load(workspace.corpus).open_split("train"))
    assert first.startswith(f"recipe tiny: {parameters:,} parameters on cpu in float32, {pairs} pa")
    assert exports.startswith("the model ")
    assert beaten.startswith(
        f"to beat: {session.validator.entropy:.2f} nats per token (perplexity "
    )
    assert "% of source positions" in padding
    session.run.progress = Progress(validated=0)
    session.announce(Talk())
    assert capsys.readouterr().err.endswith("resuming from step 0 (0:00)\n")


@pytest.mark.parametrize(
    ("done", "limit", "floor", "warns"),
    [(4, 8, 0.0, True), (3, 8, 0.0, False), (4, 4, 0.0, False), (4, 8, 0.1, False)],
)
def test_a_run_that_goes_on_after_its_schedule_learns_nothing(
    workspace: Workspace,
    capsys: pytest.CaptureFixture[str],
    done: int,
    limit: int,
    floor: float,
    warns: bool,
) -> None:
    schedule = f"{{kind='cosine', total_steps=4, warmup_steps=0, floor={floor}}}"
    session = new_session(workspace, limit, changes=[f"training.schedule={schedule}"])
    session.run.progress = Progress(step=done, validated=0)
    session.announce(Talk(quiet=True))
    advice = "--set training.schedule.total_steps=N --override"
    assert (advice in capsys.readouterr().err) == warns


def test_settings_without_effect_are_told(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = ["training.kl.free_bits=0.5", "training.unigram_alpha=0.2"]
    new_session(workspace, 1, changes=changes).announce(Talk(quiet=True))
    alpha, kl = capsys.readouterr().err.splitlines()
    assert "no effect: training.unigram_alpha: neither tokenizer is unigram" in alpha
    assert kl.endswith("no effect: training.kl: the model has no latent connection")
    latent = ["model.connection.kind=latent", changes[0]]
    new_session(workspace, 1, changes=latent).announce(Talk(quiet=True))
    assert capsys.readouterr().err == ""


def test_it_says_that_windows_are_estimates(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(shuffling, "BLOCK", 8)
    monkeypatch.setattr(shuffling, "WINDOW", 16)
    session = new_session(workspace, 1)
    session.announce(Talk(verbose=True))
    first, _, _, padding = capsys.readouterr().err.splitlines()
    assert f"in about {session.batches.updates_per_epoch} updates per epoch" in first
    assert padding.endswith(f", in one of the {session.batches.windows} windows of an epoch")
    assert session._checkpoint(session.run.progress).machine["batch plan"] == PLAN_OF_WINDOWS


def test_two_processes_validate_as_one(workspace: Workspace) -> None:
    """Token scores are sums over both shares; each decodes all, and finds the same."""
    expected = new_session(workspace, 1).validator()

    def work(world: World) -> dict[str, float]:
        session = new_session(workspace, 1, world=world)
        rows = sum(len(batch.source) for batch in session.validator.batches)
        assert rows == len(Corpus.load(workspace.corpus).open_split("valid")) / 2
        session.run.model.eval()
        return dict(session.validator())

    for scores in together(2, work):
        assert scores == pytest.approx(dict(expected), rel=1e-5)


@pytest.mark.parametrize(("first", "other", "found"), [(4, 2, None), (2, 4, 2), (4, 4, 4)])
def test_all_processes_roll_back_to_the_same_checkpoint(
    workspace: Workspace, tmp_path: Path, first: int, other: int, found: int | None
) -> None:
    """Each has a folder of its own here, whose newest checkpoint is of another step."""
    train_to_the_end(new_session(workspace, 4))
    folders = []
    for rank, newest in enumerate((first, other)):
        folders.append(Workspace(shutil.copytree(workspace.root, tmp_path / str(rank))))
        for step in range(newest + 1, 5):
            shutil.rmtree(checkpoint_folder(folders[rank].training, step), ignore_errors=True)

    def work(world: World) -> int | str | None:
        session = new_session(folders[world.rank], 4, world=world)
        try:
            return session.roll_back(4)
        except CheckpointError as error:
            return str(error)

    steps = connected(2, work)
    if found:
        assert steps == [found, found]
    else:
        assert steps[0] == steps[1]
        assert f"{folders[1].training}/checkpoint-00000004: no checkpoint here" in str(steps[0])


def test_only_the_first_process_writes_the_model(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(folder: Path, *parts: Any) -> None:
        written.append(folder)
        write_model_folder(folder, *parts)

    monkeypatch.setattr(publishing, "write_model_folder", write)

    def work(world: World) -> bool:
        session = new_session(workspace, 1, world=world)
        world.once(lambda: session.publisher.publish({"chrf": 1.0}))
        return workspace.model.exists()

    assert together(2, work) == [True, True], "the other waits for it"
    assert written == [workspace.model]
