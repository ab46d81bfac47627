"""A variational autoencoder in its workspace: its scores, and the warning of a collapse."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from s2scli.data.batch import make_batch
from s2scli.data.encoded import open_encoded
from s2scli.data.settings import PrepareSettings
from s2scli.pipeline.prepare import Inputs, prepare
from s2scli.pipeline.train import TrainRequest, train
from s2scli.report.console import Talk
from s2scli.training.metrics_log import MetricsLog
from s2scli.translation.model_folder import load_model_folder
from s2scli.workspace import Workspace

pytestmark = pytest.mark.usefixtures("quick_fsync")

LATENT = (
    "model.connection.kind=latent",
    "model.connection.latent_dim=4",
    "model.attention.kind=none",
    "training.validate_every=30",
    "training.precision=float32",
    "training.kl.annealing.kind=constant",
)
COLLAPSING = (*LATENT, "training.kl.annealing.beta=1000", "training.optimizer.learning_rate=0.05")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    words = ["".join("abc"[place // 3**i % 3] for i in range(4)) for place in range(81)]
    (tmp_path / "corpus.tsv").write_text("".join(f"{word}\t{word}\n" for word in words))
    settings = PrepareSettings(valid_size=20, test_size=5)
    prepare(
        Workspace(tmp_path / "workspace"),
        Inputs((tmp_path / "corpus.tsv",)),
        settings,
        Talk(quiet=True),
    )
    return Workspace(tmp_path / "workspace")


def train_for(workspace: Workspace, steps: int, *assignments: str) -> None:
    request = TrainRequest("tiny", assignments, {"max_steps": steps}, "cpu")
    train(workspace, request, Talk(quiet=True))


def test_the_scores_are_those_of_the_lower_bound(workspace: Workspace) -> None:
    """Reckoned once more from the model folder: one batch of all, and no label smoothing."""
    train_for(workspace, 3, *LATENT, "training.label_smoothing=0")
    loaded = load_model_folder(workspace.model, torch.device("cpu"))
    split = open_encoded(workspace.encoded, "valid")
    batch = make_batch(*split.gather(np.arange(len(split))))
    with torch.inference_mode():
        output = loaded.model(batch)
        log_probs = loaded.model.logits(output.hidden).log_softmax(-1)
    chosen = log_probs.gather(-1, batch.target_output[..., None])[..., 0][batch.target_mask]
    assert output.latent is not None
    normal = Normal(output.latent.mean, (output.latent.log_variance / 2).exp())
    kl = float(kl_divergence(normal, Normal(0.0, 1.0)).sum())
    scores = loaded.manifest.settings["scores"]
    assert scores["kl"] == pytest.approx(kl / 20, rel=1e-4)
    assert scores["reconstruction"] == pytest.approx(-float(chosen.sum()) / 20, rel=1e-4)
    assert scores["loss"] == pytest.approx((kl - float(chosen.sum())) / len(chosen), rel=1e-4)
    assert scores["perplexity"] == pytest.approx(math.exp(-float(chosen.mean())), rel=1e-4)
    variances = output.latent.mean.numpy().var(0)
    assert scores["active_units"] == (variances > 0.01).sum()


def test_a_collapse_is_told_once_in_a_run(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    train_for(workspace, 60, *COLLAPSING)
    told = capsys.readouterr().err.split()
    assert " ".join(told).count("the posterior has collapsed: 0.0") == 1
    assert "training.kl.free_bits" in " ".join(told)
    train_for(workspace, 66, *COLLAPSING)
    assert "collapsed" not in capsys.readouterr().err, "a resumed run has said it already"
    log = MetricsLog(workspace.training / "metrics.jsonl")
    assert log.scores_at(66)["kl"] < 0.1
    assert log.scores_at(66)["active_units"] == 0


def test_free_bits_keep_it_from_collapsing(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    train_for(workspace, 60, *COLLAPSING, "training.kl.free_bits=1")
    assert "collapsed" not in capsys.readouterr().err
    log = MetricsLog(workspace.training / "metrics.jsonl")
    assert log.scores_at(60)["kl"] > 1


def test_a_model_without_a_latent_vector_has_none_of_its_scores(workspace: Workspace) -> None:
    train_for(workspace, 3)
    scores = MetricsLog(workspace.training / "metrics.jsonl").scores_at(3)
    assert scores.keys().isdisjoint({"kl", "reconstruction", "active_units"})
