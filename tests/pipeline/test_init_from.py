"""`s2s train --init-from`: a run that begins with the weights of another model."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

from s2scli.cli.app import app
from s2scli.errors import CheckpointError, ConfigError, MissingInputError
from s2scli.manifest import read_manifest
from s2scli.model.weights import read_tensors
from s2scli.pipeline.report import ReportRequest, report
from s2scli.pipeline.train import TrainReport, TrainRequest, train
from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.report.console import Talk
from s2scli.settings import Tree
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.checkpoint import checkpoint_folder, list_checkpoints, load_checkpoint
from s2scli.training.metrics_log import MetricsLog
from s2scli.workspace import Workspace
from tests.toy import prepare_toy

pytestmark = pytest.mark.usefixtures("quick_fsync")
EVERY_3 = "training.validate_every=3"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A run of 6 updates with settings of its own."""
    workspace = prepare_toy(tmp_path_factory.mktemp("train") / "workspace", 80)
    run(workspace, "training.seed=5", EVERY_3, recipe="tiny", max_steps=6)
    return workspace


@pytest.fixture
def fresh(tmp_path: Path) -> Workspace:
    """A workspace with the same corpus and nothing else."""
    return prepare_toy(tmp_path / "fresh", 80)


def run(
    workspace: Workspace,
    *assignments: str,
    recipe: str | None = None,
    init_from: Path | None = None,
    restart: bool = False,
    max_steps: int = 6,
) -> TrainReport:
    limits: Tree = {"max_steps": max_steps}
    request = TrainRequest(
        recipe, assignments, limits, "cpu", restart, init_from, overwrite=restart
    )
    return train(workspace, request, Talk(quiet=True))


def cli(workspace: Workspace, *arguments: str) -> Result:
    words = ["train", "--device", "cpu", "-w", str(workspace.root), *arguments]
    return CliRunner().invoke(app, words)


def first_scores(workspace: Workspace) -> dict[str, float]:
    return dict(MetricsLog(workspace.training / "metrics.jsonl").scores_at(0))


def weights(workspace: Workspace, step: int) -> dict[str, torch.Tensor]:
    return dict(load_checkpoint(checkpoint_folder(workspace.training, step)).weights)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_it_begins_where_the_model_ended(trained: Workspace, fresh: Workspace) -> None:
    run(fresh, EVERY_3, init_from=trained.model, max_steps=1)
    manifest = read_manifest(trained.model, "model")
    assert first_scores(fresh) == pytest.approx(manifest.facts["scores"])
    model = read_tensors(trained.model / "model.safetensors")
    assert same(weights(fresh, 0), model)
    assert not same(weights(fresh, 1), model)


def test_the_model_records_and_says_what_it_began_with(
    trained: Workspace, fresh: Workspace
) -> None:
    run(fresh, init_from=trained.model, max_steps=1)
    began = read_manifest(trained.model, "model")
    assert "init_from" not in began.facts
    assert read_manifest(fresh.model, "model").facts["init_from"] == began.digest
    found = report(fresh, ReportRequest(sentences=0, device="cpu"), Talk(quiet=True))
    other, command, _ = found.commands[-3:]
    assert other.startswith("# OTHER is the model ") and other.endswith(f" shows {began.digest}")
    assert command == "s2s train --recipe recipe.toml --init-from OTHER"
    assert began.digest in (fresh.model / "README.md").read_text(encoding="utf-8")


def test_the_model_brings_its_recipe_and_its_tokenizer(
    trained: Workspace, fresh: Workspace
) -> None:
    report = run(fresh, init_from=trained.model, max_steps=1)
    settings = load_checkpoint(list_checkpoints(fresh.training)[0]).settings
    assert (report.recipe, settings["training"]["seed"]) == ("tiny", 5)
    tokenizers = Tokenizers.load(fresh.tokenizer)
    assert tokenizers.digest == Tokenizers.load(trained.model).digest
    digest = read_manifest(trained.model, "model").digest
    assert read_manifest(fresh.tokenizer, "tokenizer").made_from["model"] == digest
    assert report.carried_over is not None and not report.carried_over.new


def test_a_recipe_and_a_tokenizer_of_its_own_are_kept(trained: Workspace, fresh: Workspace) -> None:
    own = train_tokenizer(fresh, TokenizerSettings(joint=False), Talk(quiet=True)).digest
    report = run(fresh, recipe="tiny", init_from=trained.model, max_steps=1)
    checkpoint = load_checkpoint(list_checkpoints(fresh.training)[0])
    assert checkpoint.settings["training"]["seed"] == 1
    assert Tokenizers.load(fresh.tokenizer).digest == own
    assert report.carried_over is not None
    assert {"source.table.weight", "target.table.weight"} <= report.carried_over.tables.keys()


def test_a_resumed_run_is_one_that_was_never_stopped(
    trained: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    """With a part frozen; the model to begin from is not needed any more."""
    model, changes = tmp_path / "model", (EVERY_3, "training.freeze=encoder")
    shutil.copytree(trained.model, model)
    whole = Workspace(shutil.copytree(fresh.root, tmp_path / "whole"))
    run(whole, *changes, init_from=model, max_steps=6)
    run(fresh, *changes, init_from=model, max_steps=2)
    run(fresh, init_from=model, max_steps=4)
    shutil.rmtree(model)
    report = run(fresh, max_steps=6)
    assert report.carried_over is None
    assert 0 < report.frozen < report.parameters
    ended = weights(fresh, 6)
    assert same(ended, weights(whole, 6))
    before = read_tensors(trained.model / "model.safetensors")
    for name in ended:
        assert torch.equal(ended[name], before[name]) == name.startswith("encoder."), name
    published = read_tensors(fresh.model / "model.safetensors")
    assert published.keys() == ended.keys()


def test_another_model_is_refused_to_a_run_that_is_there(
    trained: Workspace, fresh: Workspace
) -> None:
    run(fresh, recipe="tiny", max_steps=1)
    with pytest.raises(ConfigError, match=r"did not start from the model in .*; resume without"):
        run(fresh, init_from=trained.model, max_steps=2)
    run(fresh, init_from=trained.model, restart=True, max_steps=1)
    run(fresh, init_from=trained.model, max_steps=2)
    with pytest.raises(ConfigError, match="did not start from the model"):
        run(fresh, init_from=fresh.model, max_steps=3)


def test_a_run_may_begin_again_from_its_own_model(fresh: Workspace) -> None:
    run(fresh, EVERY_3, recipe="tiny", max_steps=3)
    before = read_tensors(fresh.model / "model.safetensors")
    run(fresh, init_from=fresh.model, restart=True, max_steps=1)
    assert same(weights(fresh, 0), before)


def test_another_corpus_does_not_change_a_tokenizer_that_was_taken(
    trained: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    run(fresh, init_from=trained.model, max_steps=1)
    before = Tokenizers.load(fresh.tokenizer).digest
    again = prepare_toy(fresh.root, 90, seed=3)
    run(again, init_from=trained.model, restart=True, max_steps=1)
    assert Tokenizers.load(again.tokenizer).digest == before


def test_a_model_that_is_not_there_is_told_before_anything_is_written(
    trained: Workspace, fresh: Workspace, tmp_path: Path
) -> None:
    before = sorted(fresh.root.rglob("*"))
    with pytest.raises(MissingInputError, match=r"no model here .*did you mean .*/model\?"):
        run(fresh, init_from=trained.root)
    with pytest.raises(MissingInputError, match="no model here"):
        run(fresh, init_from=tmp_path / "nowhere")
    assert sorted(fresh.root.rglob("*")) == before


@pytest.mark.parametrize("part", ["model.safetensors", "recipe.toml", "joint.model"])
def test_a_damaged_model_is_refused_and_nothing_is_lost(
    trained: Workspace, fresh: Workspace, tmp_path: Path, part: str
) -> None:
    run(fresh, recipe="tiny", max_steps=1)
    model = shutil.copytree(trained.model, tmp_path / "model")
    (model / part).write_bytes((model / part).read_bytes()[:-1] + b"x")
    with pytest.raises(CheckpointError, match=f"{part}: damaged"):
        run(fresh, init_from=model, restart=True, max_steps=1)
    assert list_checkpoints(fresh.training)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.freeze=encodr", "training.freeze: the model has no part 'encodr'; did you mean"),
        (
            "training.freeze=source,target,encoder,connection,decoder,output",
            "leave a part to train",
        ),
    ],
)
def test_freezing_what_cannot_be_frozen_is_one_line(
    trained: Workspace, fresh: Workspace, change: str, message: str
) -> None:
    result = cli(fresh, "--init-from", str(trained.model), "--set", change, "-q")
    assert (result.exit_code, result.stderr.count("\n")) == (78, 1), result.stderr
    assert message in result.stderr


def test_a_recipe_that_nothing_fits_is_one_line_and_leaves_no_run(
    trained: Workspace, fresh: Workspace
) -> None:
    result = cli(fresh, "--init-from", str(trained.model), "-r", "bahdanau2015", "-q")
    assert (result.exit_code, result.stderr.count("\n")) == (78, 1), result.stderr
    assert "no weight matrix of that model (recipe tiny) fits this one" in result.stderr
    assert "leave out --recipe to use its recipe" in result.stderr
    assert not list_checkpoints(fresh.training)


def test_it_tells_what_it_took(trained: Workspace, fresh: Workspace) -> None:
    arguments = ("--init-from", str(trained.model), "--max-steps", "1", "--json")
    result = cli(fresh, *arguments, "--set", "training.freeze=encoder", "--set", "training.seed=2")
    assert result.exit_code == 0, result.stderr
    told = [
        "there is no tokenizer yet: using the model's",
        " frozen) on cpu",
        "copied from the trained model: ",
    ]
    found = [result.stderr.find(part) for part in told]
    assert -1 not in found and found == sorted(found), result.stderr
    report = json.loads(result.stdout)
    carried = report["carried_over"]
    assert carried["new"] == {} and carried["unused"] == []
    assert any(name.startswith("encoder.") for name in carried["weights"])
    rows = carried["tables"]["source.table.weight"]
    assert rows["found"] == rows["pieces"] > 8
    assert report["frozen"] > 1000
    again = json.loads(cli(fresh, "--max-steps", "2", "--json").stdout)
    assert again["carried_over"] is None and again["frozen"] == report["frozen"]


def test_the_size_is_said_where_it_decided(tmp_path: Path, fresh: Workspace) -> None:
    first = prepare_toy(tmp_path / "first", 80)
    small = [f"model.{side}.model_dim=8" for side in ("encoder", "decoder")]
    words = [word for change in small for word in ("--set", change)]
    begun = cli(first, "--max-steps", "1", *words)
    assert begun.exit_code == 0 and "recipe default for " in begun.stderr
    carried = cli(fresh, "--max-steps", "1", "--init-from", str(first.model))
    assert carried.exit_code == 0, carried.stderr
    assert "recipe default for " not in carried.stderr  # it is the model's, whatever its size
    named = cli(
        fresh,
        "--restart",
        "--overwrite",
        "--max-steps",
        "1",
        "-r",
        "default",
        *words,
        "--init-from",
        str(first.model),
    )
    assert named.exit_code == 0 and "recipe default for " in named.stderr
