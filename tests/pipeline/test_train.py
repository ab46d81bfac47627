"""A training run in its workspace: resumed, refused, mended, and silent about the text."""

import getpass
import platform
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli import artifacts, manifest, sizes
from s2scli.data.settings import PrepareSettings
from s2scli.errors import CheckpointError, ConfigError, LockedError, MissingInputError, StorageError
from s2scli.files import Files
from s2scli.manifest import new_folder, verify_folder
from s2scli.pipeline import train_tokenizer
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train import TrainRequest, check_request, train
from s2scli.pipeline.train_tokenizer import Encoding
from s2scli.report.console import Talk
from s2scli.settings import Tree
from s2scli.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from s2scli.training.events import Event, Update
from s2scli.training.metrics_log import NOTHING, MetricsLog
from s2scli.training.world import ALONE
from s2scli.translation import model_folder
from s2scli.workspace import Workspace
from tests.toy import prepare_toy, train_toy, write_corpus

pytestmark = pytest.mark.usefixtures("quick_fsync")
SEED = "training.seed=5"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run of 6 updates, validated and saved at 0, 3 and 6."""
    workspace = prepare_toy(tmp_path_factory.mktemp("train") / "workspace", 80)
    train_toy(workspace, SEED, "training.validate_every=3", max_steps=6)
    return workspace


@pytest.fixture
def workspace(trained: Workspace, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(trained.root, tmp_path / "workspace"))


def go_on(workspace: Workspace, *assignments: str, **limits: object) -> None:
    """Run `s2s train` with no recipe named."""
    tree: Tree = dict(limits)
    train(workspace, TrainRequest(None, assignments, tree, "cpu"), Talk(quiet=True))


def steps(workspace: Workspace) -> list[int]:
    return [int(folder.name[-8:]) for folder in list_checkpoints(workspace.training)]


def model_step(workspace: Workspace) -> int:
    """Return the update of the workspace's model, which must be whole."""
    return int(verify_folder(workspace.model, "model").facts["step"])


@pytest.fixture
def untrained(workspace: Workspace) -> Workspace:
    """A workspace with an encoded corpus, which no run has begun to train on."""
    shutil.rmtree(workspace.training)
    shutil.rmtree(workspace.model)
    return workspace


def train_as_before(workspace: Workspace, *assignments: str) -> None:
    train_toy(workspace, SEED, "training.validate_every=3", *assignments, max_steps=6)


def test_damage_found_while_training_stops_the_run_and_is_mended(
    untrained: Workspace, trained: Workspace
) -> None:
    logged, add = threading.Event(), MetricsLog.add

    def add_and_tell(log: MetricsLog, event: Event, use: Mapping[str, float] = NOTHING) -> None:
        add(log, event, use)
        if isinstance(event, Update):
            logged.set()

    def find(path: Path) -> str:
        if path != untrained.encoded / "train.arrow":
            return artifacts.sha256_of(path)
        assert logged.wait(60)
        return "damaged"

    with pytest.MonkeyPatch.context() as damaged:
        damaged.setattr(train_tokenizer, "SECONDS_CHECKED", 0)
        damaged.setattr(manifest, "sha256_of", find)
        damaged.setattr(MetricsLog, "add", add_and_tell)
        with pytest.raises(CheckpointError, match=r"match its SHA-256; the encoded corpus was rem"):
            train_as_before(untrained, "training.log_every=1")
    assert not untrained.encoded.exists()
    assert (steps(untrained), model_step(untrained)) == ([0], 0), "nothing trained was written"
    train_as_before(untrained, "training.log_every=1")
    ends = [list_checkpoints(each.training)[0] for each in (trained, untrained)]
    before, after = (load_checkpoint(folder).weights for folder in ends)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_what_is_trained_is_written_after_the_check_alone(
    untrained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[float | None, list[int], int]] = []

    def wait(encoding: Encoding, seconds: float | None = None) -> None:
        published = model_step(untrained) if untrained.model.exists() else -1
        calls.append((seconds, steps(untrained), published))

    monkeypatch.setattr(Encoding, "wait", wait)
    train_as_before(untrained)
    waited = [call[0] for call in calls].index(None)
    assert calls[waited][1:] == ([0], 0)
    assert {seconds for seconds, *_ in calls[:waited]} == {0}


def test_no_arguments_go_on_with_the_run(workspace: Workspace) -> None:
    go_on(workspace, max_steps=9)
    assert steps(workspace)[0] == 9
    records = list(MetricsLog(workspace.training / "metrics.jsonl").read())
    assert [r["step"] for r in records if r["kind"] == "validation"] == [0, 3, 6, 9]


def test_the_same_arguments_go_on_with_the_run(workspace: Workspace) -> None:
    report = train_toy(workspace, SEED, "training.validate_every=3", max_steps=7)
    assert (report.step, report.reason) == (7, "max_steps 7 reached")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (TrainRequest("tiny", ()), r"training\.seed: 5 -> 1; training\.validate_every: 3 -> 100"),
        (TrainRequest("elman", (SEED,)), r"model\.attention\.kind: \"general\" -> "),
    ],
)
def test_other_settings_are_refused_and_listed(
    workspace: Workspace, request_: TrainRequest, message: str
) -> None:
    before = steps(workspace)
    with pytest.raises(ConfigError, match=f"--restart.* has other settings: .*{message}"):
        train(workspace, request_, Talk(quiet=True))
    assert steps(workspace) == before


def test_an_overridden_run_resumes_bit_for_bit(workspace: Workspace, tmp_path: Path) -> None:
    other = Workspace(shutil.copytree(workspace.root, tmp_path / "other"))
    changes = ("training.optimizer.learning_rate=0.02", "model.encoder.dropout=0.3")

    def override(where: Workspace, max_steps: int) -> None:
        limits: Tree = {"max_steps": max_steps}
        train(where, TrainRequest(None, changes, limits, "cpu", override=True), Talk(quiet=True))

    override(workspace, 12)
    for max_steps in (8, 8, 10):
        override(other, max_steps)
    go_on(other, max_steps=12)
    whole, parts = (load_checkpoint(list_checkpoints(w.training)[0]) for w in (workspace, other))
    assert whole.settings == parts.settings
    assert whole.settings["training"]["optimizer"]["learning_rate"] == 0.02
    assert all(torch.equal(whole.weights[name], parts.weights[name]) for name in whole.weights)


def test_a_slow_metric_is_reckoned_only_where_it_decides(
    workspace: Workspace, tmp_path: Path
) -> None:
    other = Workspace(shutil.copytree(workspace.root, tmp_path / "other"))
    shutil.rmtree(other.training)
    assert train_toy(other, "training.metric=ter", max_steps=1).best["ter"] > 0
    log = MetricsLog(workspace.training / "metrics.jsonl")
    assert "ter" not in log.scores_at(6)


def test_restart_begins_anew(workspace: Workspace) -> None:
    request = TrainRequest("tiny", ("training.seed=9",), {"max_steps": 1}, "cpu", restart=True)
    before = steps(workspace)
    with pytest.raises(LockedError, match=r"remove trained runs: .*step 3.*add --overwrite"):
        train(workspace, request, Talk(quiet=True))
    assert steps(workspace) == before
    report = train(workspace, replace(request, overwrite=True), Talk(quiet=True))
    assert report.step == 1
    assert steps(workspace) == [1, 0]
    log = MetricsLog(workspace.training / "metrics.jsonl")
    assert {record["step"] for record in log.read()} == {0, 1}


@pytest.mark.parametrize("recipe", ["nonsense", "nothing.toml"])
def test_a_restart_that_cannot_begin_removes_nothing(workspace: Workspace, recipe: str) -> None:
    before = steps(workspace)
    with pytest.raises((ConfigError, MissingInputError)):
        train(workspace, TrainRequest(recipe, restart=True, overwrite=True), Talk(quiet=True))
    assert steps(workspace) == before


def test_changes_are_of_the_recipe_that_the_corpus_gets(
    untrained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SIZES", sizes.SIZES[-2:])  # as if the corpus were large
    talk = Talk(quiet=True)
    for name, right in (("num_heads", True), ("bidirectional", False), ("nun_heads", False)):
        request = TrainRequest(None, [f"model.encoder.{name}=1"], {"max_steps": 1}, "cpu")
        if right:
            check_request(untrained, request, talk)
            continue
        with pytest.raises(ConfigError, match=rf"unknown setting model\.encoder\.{name}"):
            train(untrained, request, talk)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("attention.kind=dot", "decoder.model_dim=65"), "dot needs a decoder and a memory of equ"),
        (("attention.kind=none",), r"search\.coverage_penalty: 0\.2 needs attention"),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_a_tokenizer_is_trained(
    tmp_path: Path, changes: tuple[str, ...], message: str
) -> None:
    workspace = prepare_toy(tmp_path / "w")
    given = ["search.coverage_penalty=0.2", *(f"model.{change}" for change in changes)]
    with pytest.raises(ConfigError, match=message):
        train(workspace, TrainRequest("tiny", given, {"max_steps": 1}, "cpu"), Talk(quiet=True))
    assert not workspace.tokenizer.exists()


def test_another_corpus_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    tokenizer = (workspace.tokenizer / "manifest.json").read_bytes()
    corpus = write_corpus(tmp_path / "other.tsv", 80, seed=2)
    settings = PrepareSettings(valid_size=20, test_size=20)
    digest = verify_folder(workspace.corpus, "corpus").digest
    with pytest.raises(LockedError, match=r"corpus would be replaced, .*step 3.*add --overwrite"):
        prepare(workspace, Inputs((corpus,)), settings, Talk(quiet=True))
    assert verify_folder(workspace.corpus, "corpus").digest == digest
    prepare(workspace, Inputs((corpus,)), settings, Talk(quiet=True), overwrite=True)
    with pytest.raises(
        ConfigError, match="was trained with a different corpus; start again with --res"
    ):
        go_on(workspace)
    assert (workspace.tokenizer / "manifest.json").read_bytes() == tokenizer


def test_another_tokenizer_is_refused(workspace: Workspace) -> None:
    from s2scli.pipeline.train_tokenizer import copy_tokenizer, train_tokenizer
    from s2scli.tokenizer.settings import TokenizerSettings

    other = TokenizerSettings(joint=False)
    digest = verify_folder(workspace.tokenizer, "tokenizer").digest
    with pytest.raises(LockedError, match=r"tokenizer would be replaced, .*add --overwrite"):
        train_tokenizer(workspace, other, Talk(quiet=True))
    with pytest.raises(LockedError, match="tokenizer would be replaced"):
        copy_tokenizer(workspace, workspace.model, Talk(quiet=True))
    assert verify_folder(workspace.tokenizer, "tokenizer").digest == digest
    train_tokenizer(workspace, other, Talk(quiet=True), overwrite=True)
    with pytest.raises(ConfigError, match="was trained with a different tokenizer; start again"):
        go_on(workspace)


def test_no_corpus_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="no corpus here; make one: s2s prepare"):
        go_on(Workspace(tmp_path))


def test_a_damaged_checkpoint_is_told_and_the_one_before_goes_on(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    newest, older, *_ = list_checkpoints(workspace.training)
    (newest / "model.safetensors").write_bytes(b"")
    go_on(workspace, max_steps=6)
    said = capsys.readouterr().err
    assert f"{newest / 'model.safetensors'}: damaged, expected" in said
    assert "falling back to an older checkpoint" in said
    assert steps(workspace)[:2] == [6, int(older.name[-8:])]
    assert model_step(workspace) in (0, 3, 6)


def test_a_best_checkpoint_that_is_gone_leaves_the_model_as_it_is(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a fallback the best one may have been removed for a better one, now damaged."""
    checkpoint = load_checkpoint(list_checkpoints(workspace.training)[0])
    lost = replace(checkpoint, progress=replace(checkpoint.progress, best_step=1))
    save_checkpoint(workspace.training, lost)
    before = model_step(workspace)
    go_on(workspace, max_steps=6)
    assert "stays unchanged until a better model is found" in capsys.readouterr().err
    assert model_step(workspace) == before


def test_nothing_but_damage_says_what_to_do(workspace: Workspace) -> None:
    for folder in list_checkpoints(workspace.training):
        (folder / "manifest.json").unlink()
    with pytest.raises(CheckpointError, match=r"every checkpoint is damaged: .*--restart"):
        go_on(workspace)


@pytest.mark.parametrize("part", ["model.safetensors", "recipe.toml", "manifest.json", None])
def test_a_damaged_or_missing_model_is_made_again(workspace: Workspace, part: str | None) -> None:
    step = model_step(workspace)
    whole = (workspace.model / "model.safetensors").read_bytes()
    if part is None:
        shutil.rmtree(workspace.model)
    else:
        (workspace.model / part).write_bytes(b"damage")
    go_on(workspace, max_steps=6)
    assert model_step(workspace) == step
    assert (workspace.model / "model.safetensors").read_bytes() == whole


def test_a_model_that_cannot_be_written_is_written_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = prepare_toy(tmp_path / "workspace", 80)
    failures = iter(range(1))

    def full_at_first(*arguments: object, **named: object) -> object:
        if next(failures, None) is not None:
            raise StorageError("cannot write the model: No space left on device")
        return new_folder(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(model_folder, "new_folder", full_at_first)
    report = train_toy(workspace, max_steps=1)
    assert "No space left on device; training continues" in capsys.readouterr().err
    assert model_step(workspace) == report.best_step


def test_the_corpus_is_read_once_and_hashed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[str] = Counter()

    def counted(function: Callable[[Path], Any]) -> Callable[[Path], Any]:
        def call(path: Path) -> object:
            seen[str(path.relative_to(tmp_path))] += 1
            return function(path)

        return call

    workspace = prepare_toy(tmp_path / "w")
    for function in (artifacts.read_json, artifacts.sha256_of):
        monkeypatch.setattr(manifest, function.__name__, counted(function))
    train_toy(workspace, max_steps=1)
    files = ("manifest.json", "report.json", "train.arrow", "valid.arrow", "test.arrow")
    assert {name: count for name, count in seen.items() if name.startswith("w/corpus/")} == {
        f"w/corpus/{file}": 1 for file in files
    }


def test_a_checkpoint_without_room_is_saved_later_and_missed_at_the_end(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rooms = iter([1] * 3)  # at 9 before and after the first validation, and at 12
    monkeypatch.setattr(Files, "free_bytes", lambda self, path: next(rooms, 10**9))
    train_toy(workspace, SEED, "training.validate_every=3", max_steps=15)
    assert steps(workspace)[0] == 15 and not {9, 12} & {*steps(workspace)}
    warned = capsys.readouterr().err
    assert warned.count("0.0 MB are free on the disk") == 3
    assert "free some space; training continues and will try again at the next checkpoint" in warned

    before, rooms = steps(workspace), iter([1] * 9)
    with pytest.raises(StorageError, match=r"checkpoint-00000018: 0\.0 MB are free on the disk"):
        train_toy(workspace, SEED, "training.validate_every=3", max_steps=18)
    assert steps(workspace) == before


def test_a_disk_that_is_full_to_the_end_fails(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **named: object) -> object:
        raise StorageError("cannot write it: No space left on device")

    monkeypatch.setattr("s2scli.training.checkpoint.new_folder", full)
    before = steps(workspace)
    with pytest.raises(StorageError, match="No space left"):
        go_on(workspace, max_steps=7)
    assert steps(workspace) == before


CANARY = "xylophonic-canary-7163"


def test_no_text_name_or_path_of_the_user_is_left_behind(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "workspace")
    corpus = tmp_path / "private-name.tsv"
    lines = [f"{CANARY} {number}\t{number} {CANARY}\n" for number in range(60)]
    corpus.write_text("".join(lines), encoding="utf-8")
    settings = PrepareSettings(valid_size=10, test_size=10)
    prepare(workspace, Inputs((corpus,)), settings, Talk(quiet=True))
    train_toy(workspace, max_steps=3)
    files = [path for path in workspace.root.rglob("*") if path.is_file()]
    looked_at = [
        path
        for path in files
        if path.name == "manifest.json"
        or (path.parent != workspace.tokenizer and path.suffix not in (".arrow", ".model"))
    ]
    assert len(looked_at) > 15
    own = {getpass.getuser(), platform.node(), str(tmp_path), str(Path.home()), str(Path.cwd())}
    secrets = [CANARY, "xylophonic", *(word for word in own if len(word) > 3)]
    for path in looked_at:
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, (path, secret)
    assert any(CANARY.encode() in path.read_bytes() for path in files), "the corpus has it"


def test_a_launcher_that_starts_again_does_not_restart_again(workspace: Workspace) -> None:
    """The processes have --restart in their command line each time; another launch restarts."""

    def launched(launch: str, max_steps: int) -> list[int]:
        request = TrainRequest(
            "tiny", (), {"max_steps": max_steps}, "cpu", restart=True, overwrite=True
        )
        train(workspace, request, Talk(quiet=True), replace(ALONE, launch=launch))
        return steps(workspace)

    assert launched("one", 2) == [2, 0]
    assert launched("one", 3)[0] == 3
    records = MetricsLog(workspace.training / "metrics.jsonl").read()
    assert [r["step"] for r in records if r["kind"] == "validation"] == [0, 2, 3]
    assert launched("another", 1) == [1, 0]
    assert launched("two", 1) == [1, 0], "whose name is shorter"
