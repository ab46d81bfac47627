"""What the validator shows a model, what it finds, and the warning of a collapsed posterior."""

import dataclasses
import math
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from s2scli.config import load_recipe
from s2scli.data.batch import Batch, make_batch
from s2scli.data.encoded import open_encoded
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.errors import MissingExtraError
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train import TrainRequest, train
from s2scli.pipeline.validation import Validator, perplexity_of
from s2scli.report.console import Talk
from s2scli.special_ids import UNK_ID
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.world import ALONE, World
from s2scli.translation import model_search
from s2scli.translation.model_folder import load_model_folder
from s2scli.workspace import Workspace
from tests.training.processes import connected
from tests.training.runs import make_run, training_settings

pytestmark = pytest.mark.usefixtures("quick_fsync")

LATENT = (
    "model.connection.kind=latent",
    "model.connection.latent_dim=4",
    "model.attention.kind=none",
    "training.validate_every=30",
    "training.precision=float32",
    "training.kl.annealing.kind=constant",
)
NOISY = ("training.noise.mask=0.3", "training.noise.span=0.2", "training.precision=float32")
COLLAPSING = (*LATENT, "training.kl.annealing.beta=1000", "training.optimizer.learning_rate=0.05")


def batches(folder: Path, *assignments: str) -> list[Batch]:
    """Return the batches of a new validator of the workspace in `folder`."""
    workspace, recipe = Workspace(folder), load_recipe("tiny", assignments)
    run = make_run(training_settings())
    tokenizers = Tokenizers.load(workspace.tokenizer)
    corpus = Corpus.load(workspace.corpus)
    return list(Validator.prepare(workspace, corpus, run, recipe, tokenizers).batches)


def test_what_is_to_be_restored_is_damaged_in_the_same_way_every_time(
    trained_workspace: Path,
) -> None:
    noise = ("training.noise.mask=0.3", "training.noise.delete=0.2", "training.noise.permute=2")
    plain, first, again = (
        batches(trained_workspace, *each) for each in ((), noise, (*noise, "training.seed=9"))
    )
    assert str(first) == str(again)
    for clean, damaged in zip(plain, first, strict=True):
        assert torch.equal(clean.target_output, damaged.target_output)
        assert torch.equal(clean.target_input, damaged.target_input)
        assert not bool((clean.source == UNK_ID).any())
    assert any(bool((batch.source == UNK_ID).any()) for batch in first)
    lengths = [sum(int(batch.source_lengths.sum()) for batch in each) for each in (plain, first)]
    assert lengths[1] < lengths[0]


def test_what_makes_training_harder_is_left_out(trained_workspace: Path) -> None:
    harder = (
        "training.source_token_dropout=0.5",
        "training.target_token_dropout=0.5",
        "training.bpe_dropout=0.5",
        "training.unigram_alpha=0.5",
    )
    assert str(batches(trained_workspace, *harder)) == str(batches(trained_workspace))


@pytest.fixture
def copying(tmp_path: Path) -> Workspace:
    words = ["".join("abc"[word // 3**digit % 3] for digit in range(4)) for word in range(81)]
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


def test_the_scores_are_those_of_the_lower_bound(copying: Workspace) -> None:
    """Computed again from the model folder: one batch of all, without label smoothing."""
    train_for(copying, 3, *LATENT, "training.label_smoothing=0")
    loaded = load_model_folder(copying.model, torch.device("cpu"))
    split = open_encoded(copying.encoded, "valid")
    batch = make_batch(*split.gather(np.arange(len(split))))
    with torch.inference_mode():
        output = loaded.model(batch)
        log_probs = loaded.model.logits(output.hidden).log_softmax(-1)
    chosen = log_probs.gather(-1, batch.target_output[..., None])[..., 0][batch.target_mask]
    assert output.latent is not None
    normal = Normal(output.latent.mean, (output.latent.log_variance / 2).exp())
    kl = float(kl_divergence(normal, Normal(0.0, 1.0)).sum())
    scores = loaded.manifest.facts["scores"]
    assert scores["kl"] == pytest.approx(kl / 20, rel=1e-4)
    assert scores["reconstruction"] == pytest.approx(-float(chosen.sum()) / 20, rel=1e-4)
    assert scores["loss"] == pytest.approx((kl - float(chosen.sum())) / len(chosen), rel=1e-4)
    assert scores["perplexity"] == pytest.approx(math.exp(-float(chosen.mean())), rel=1e-4)
    variances = output.latent.mean.numpy().var(0)
    assert scores["active_units"] == (variances > 0.01).sum()


def test_a_perplexity_is_finite_unless_the_cross_entropy_is_nan() -> None:
    assert perplexity_of(0.0) == 1.0
    assert perplexity_of(1e6) == perplexity_of(math.inf) == pytest.approx(math.exp(100))
    assert math.isnan(perplexity_of(math.nan))


def test_a_collapse_is_told_once_in_a_run(
    copying: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    train_for(copying, 60, *COLLAPSING)
    told = capsys.readouterr().err.split()
    assert " ".join(told).count("the posterior has collapsed (0.0") == 1
    assert "training.kl.free_bits" in " ".join(told)
    train_for(copying, 66, *COLLAPSING)
    assert "collapsed" not in capsys.readouterr().err, "a resumed run has said it already"
    log = MetricsLog(copying.training / "metrics.jsonl")
    assert log.scores_at(66)["kl"] < 0.1
    assert log.scores_at(66)["active_units"] == 0


def test_free_bits_keep_it_from_collapsing(
    copying: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    train_for(copying, 60, *COLLAPSING, "training.kl.free_bits=1")
    assert "collapsed" not in capsys.readouterr().err
    log = MetricsLog(copying.training / "metrics.jsonl")
    assert log.scores_at(60)["kl"] > 0.5  # 0.7 to 1.4 with other seeds; collapsed is below 0.1


def test_a_model_without_a_latent_vector_has_none_of_its_scores(copying: Workspace) -> None:
    train_for(copying, 3)
    scores = MetricsLog(copying.training / "metrics.jsonl").scores_at(3)
    assert scores.keys().isdisjoint({"kl", "reconstruction", "active_units"})


def test_lines_at_which_the_model_fails_count_as_empty_and_are_counted(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, recipe = Workspace(trained_workspace), load_recipe("tiny")
    loaded = load_model_folder(workspace.model, torch.device("cpu"))
    run = dataclasses.replace(make_run(training_settings()), model=loaded.model)
    corpus = Corpus.load(workspace.corpus)
    validator = Validator.prepare(workspace, corpus, run, recipe, loaded.tokenizers)
    assert "failed_lines" not in validator()

    def fail(*_: object, **__: object) -> list[object]:
        raise RuntimeError("no memory")

    monkeypatch.setattr(model_search, "search", fail)
    scores = validator()
    assert scores["failed_lines"] == len(validator.references)
    assert scores["exact_match"] == 0


def test_rouge_selects_a_checkpoint_and_its_package_is_needed_from_the_start(
    copying: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_for(copying, 3, "training.metric=rouge1")
    assert 0 <= MetricsLog(copying.training / "metrics.jsonl").scores_at(3)["rouge1"] <= 100
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    run = make_run(training_settings(metric="rouge1"))
    corpus, tokenizers = Corpus.load(copying.corpus), Tokenizers.load(copying.tokenizer)
    with pytest.raises(MissingExtraError, match=r"s2scli\[metrics\]"):
        Validator.prepare(copying, corpus, run, load_recipe("tiny"), tokenizers)


@pytest.mark.parametrize("examples", [3, 1000])
@pytest.mark.parametrize("assignments", [(), LATENT, NOISY], ids=["plain", "latent", "noisy"])
def test_processes_share_the_sample_and_find_the_same(
    copying: Workspace, assignments: tuple[str, ...], examples: int
) -> None:
    """Three processes; a batch of three pairs, and the scoring, leave some with nothing to do."""
    train_for(copying, 3, *assignments)
    recipe = load_recipe("tiny", (*assignments, f"training.validation_examples={examples}"))
    corpus = Corpus.load(copying.corpus)
    building = threading.Lock()

    def validate(world: World) -> tuple[int, Mapping[str, float]]:
        with building:  # threads share the random generator
            loaded = load_model_folder(copying.model, torch.device("cpu"))
            run = dataclasses.replace(make_run(training_settings()), model=loaded.model)
        run.model.eval()
        run.world = world
        validator = Validator.prepare(copying, corpus, run, recipe, loaded.tokenizers)
        return len(validator.own), validator()

    count, expected = validate(ALONE)
    counts, scores = zip(*connected(3, validate), strict=True)
    assert sum(counts) == count == min(20, examples)
    assert max(counts) - min(counts) <= 1
    assert scores[0] == scores[1] == scores[2], "to the last bit"
    assert scores[0] == pytest.approx(expected, rel=1e-5)
