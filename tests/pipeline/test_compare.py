"""Recipes ranked by their outputs; training and search are stubs here, but in the last tests."""

import math
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from s2scli import sizes
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.errors import ConfigError, DivergedError, LockedError, MissingInputError, UsageError
from s2scli.metrics import METRICS
from s2scli.metrics.bootstrap import paired_p
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline import compare as pipeline
from s2scli.pipeline.compare import (
    CompareRequest,
    choose_texts,
    compare,
    list_candidates,
    read_outputs,
)
from s2scli.pipeline.evaluate import evaluate_model
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.texts import Texts, read_split
from s2scli.pipeline.train import TrainReport, TrainRequest
from s2scli.pipeline.train_tokenizer import Encoding
from s2scli.report.console import Talk
from s2scli.training.outlook import Outlook
from s2scli.workspace import Workspace
from tests.toy import prepare_toy, write_corpus

pytestmark = pytest.mark.usefixtures("quick_fsync")
QUIET = Talk(quiet=True)
BUDGET = {"max_steps": 4}
FEW = MetricSettings(resamples=50)
PERPLEXITY = 7.5


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return prepare_toy(tmp_path_factory.mktemp("compare") / "workspace", 80)


class Stubs:
    """Stands in for training and search: outputs with so many right answers, or an error.

    Attributes:
        right: how many outputs of each recipe are right.
        errors: what training a recipe raises instead.
        signals: of recipes that are stopped.
        trained: the requests, by the name of their run.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.references = read_split(Corpus.load(workspace.corpus), "test").references
        self.right: dict[str, int] = {}
        self.errors: dict[str, Exception] = {}
        self.signals: dict[str, int] = {}
        self.best: Mapping[str, float] = {"perplexity": PERPLEXITY, "loss": 9.0}
        self.trained: dict[str, TrainRequest] = {}

    def train(self, run: Workspace, request: TrainRequest, talk: Talk) -> TrainReport:
        self.trained[run.run] = request
        if run.run in self.errors:
            raise self.errors[run.run]
        signal = self.signals.get(run.run, 0)
        reason = "stopped by a signal" if signal else "max_steps 4 reached"
        best, no_weights, outlook = self.best, (), Outlook("unknown", "")
        return TrainReport(
            run.run, reason, signal, "", 4, 0.5, 2.0, 1000, 0, 4, best, no_weights, 0, None, outlook
        )

    def outputs(self, run: Workspace, *others: object) -> tuple[str, ...]:
        right = self.right[run.run]
        return tuple(
            reference if index < right else "x y z"
            for index, reference in enumerate(self.references)
        )


@pytest.fixture
def stubs(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> Stubs:
    stubs = Stubs(prepared)
    monkeypatch.setattr(pipeline, "train", stubs.train)
    monkeypatch.setattr(pipeline, "read_outputs", stubs.outputs)
    monkeypatch.setattr(pipeline, "ensure_tokenizer", lambda *arguments: None)
    monkeypatch.setattr(pipeline, "ensure_encoded", lambda *arguments: Encoding(prepared.encoded))
    return stubs


def request(*recipes: str, metrics: tuple[str, ...] = ("exact_match",)) -> CompareRequest:
    return CompareRequest(recipes, BUDGET, metrics, settings=FEW)


@pytest.mark.parametrize("metric", ["exact_match", "sequence_error_rate", "ter"])
def test_the_best_comes_first_whichever_way_is_better(
    prepared: Workspace, stubs: Stubs, metric: str
) -> None:
    stubs.right = {"tiny": 3, "elman": 19, "cho2014": 11}
    found = compare(prepared, request(*stubs.right, metrics=(metric,)), QUIET)
    assert [result.recipe for result in found.results] == ["elman", "cho2014", "tiny"]
    assert (found.scored, found.sentences, found.metric) == ("test split", 20, metric)
    higher = METRICS[metric].higher_is_better
    best, *others = found.results
    assert best.p is None
    for other in others:
        resampled = (best.scores[0].resampled, other.scores[0].resampled)
        assert other.p == paired_p(*resampled, higher_is_better=higher)


def test_the_first_metric_ranks_and_all_are_scored(prepared: Workspace, stubs: Stubs) -> None:
    stubs.right = {"tiny": 3, "elman": 19}
    found = compare(prepared, request(*stubs.right, metrics=("ter", "chrf")), QUIET)
    assert found.metric == "ter"
    assert [score.name for score in found.results[0].scores] == ["TER", "chrF2"]


def test_the_loss_is_the_cross_entropy_or_unknown(prepared: Workspace, stubs: Stubs) -> None:
    stubs.right = {"tiny": 3}
    (result,) = compare(prepared, request("tiny"), QUIET).results
    assert result.cross_entropy == pytest.approx(math.log(PERPLEXITY))
    stubs.best = {}
    (result,) = compare(prepared, request("tiny"), QUIET).results
    assert result.cross_entropy is None


def test_a_recipe_that_fails_does_not_lose_the_others(
    prepared: Workspace, stubs: Stubs, tmp_path: Path
) -> None:
    odd = tmp_path / "odd.toml"
    odd.write_text("[training]\nsede = 3\n")
    stubs.right = {"tiny": 3}
    stubs.errors = {"elman": DivergedError("training diverged")}
    found = compare(prepared, request("elman", str(odd), "tiny"), QUIET)
    assert [result.recipe for result in found.results] == ["tiny"]
    assert [failure.recipe for failure in found.failures] == ["odd", "elman"]
    assert found.failures[1].error == "training diverged"
    assert found.signal == 0
    assert "odd" not in stubs.trained, "it is told before anything is trained"


def test_changes_are_of_the_recipe_that_the_corpus_gets(
    prepared: Workspace, stubs: Stubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "SIZES", sizes.SIZES[-2:])  # as if the corpus were large
    stubs.right = {"default": 3}
    asked = replace(request("default"), assignments=("model.encoder.num_heads=1",))
    found = compare(prepared, asked, QUIET)
    assert not found.failures and [result.recipe for result in found.results] == ["default"]


def test_what_no_recipe_is_to_blame_for_ends_the_comparison(
    prepared: Workspace, stubs: Stubs
) -> None:
    stubs.errors = {"tiny": LockedError("in use")}
    with pytest.raises(LockedError):
        compare(prepared, request("tiny", "elman"), QUIET)
    assert [*stubs.trained] == ["tiny"]


def test_a_signal_stops_it(prepared: Workspace, stubs: Stubs) -> None:
    stubs.right = {"tiny": 3}
    stubs.signals = {"elman": 15}
    found = compare(prepared, request("tiny", "elman", "cho2014"), QUIET)
    assert (found.signal, found.failures[0].error) == (15, "stopped by a signal")
    assert [result.recipe for result in found.results] == ["tiny"]
    assert [*stubs.trained] == ["tiny", "elman"]


def test_each_is_trained_under_the_budget_alone(prepared: Workspace, stubs: Stubs) -> None:
    stubs.right = {"tiny-seed-1": 3, "tiny-seed-2": 3}
    asked = CompareRequest(("tiny",), {**BUDGET, "patience": 3}, seeds=(1, 2), restart=True)
    compare(prepared, asked, QUIET)
    for seed, trained in zip((1, 2), stubs.trained.values(), strict=True):
        assert trained == TrainRequest(
            "tiny",
            (f"training.seed={seed}",),
            {"max_minutes": None, "max_steps": 4, "max_epochs": None, "patience": 3},
            restart=True,
            overwrite=True,
        )


def test_the_document_holds_no_resampled_scores(prepared: Workspace, stubs: Stubs) -> None:
    stubs.right = {"tiny": 3}
    document = compare(prepared, request("tiny"), QUIET).as_json()
    (row,) = document["results"]
    assert row["scores"][0].keys() == {"name", "value", "signature", "interval"}
    assert (row["steps"], row["ended"], row["p"]) == (4, "max_steps 4 reached", None)


def test_candidates_are_named_for_their_file_and_seed() -> None:
    asked = CompareRequest(("tiny",), BUDGET, assignments=("a=1",), seeds=(3, 4))
    assert [(each.name, each.assignments) for each in list_candidates(asked)] == [
        ("tiny-seed-3", ("a=1", "training.seed=3")),
        ("tiny-seed-4", ("a=1", "training.seed=4")),
    ]


@pytest.mark.parametrize(
    ("recipes", "limits", "error", "message"),
    [
        (
            ("tiny",),
            {},
            UsageError,
            "no training budget: give one or more of --max-minutes, --max-steps",
        ),
        (("tiny",), {"patience": 3}, UsageError, "no training budget"),
        (("tiny", "tiny"), BUDGET, UsageError, "two recipes are called tiny: tiny and tiny"),
        (("...toml",), BUDGET, MissingInputError, r"\.\.\.toml: no such file"),
        (("tinny",), BUDGET, ConfigError, "unknown recipe 'tinny'; did you mean tiny"),
    ],
)
def test_what_makes_no_sense_is_refused(
    recipes: tuple[str, ...], limits: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        list_candidates(CompareRequest(recipes, limits))


def test_a_name_that_would_leave_the_folder_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "...toml"  # its stem is `..`
    odd.touch()
    with pytest.raises(UsageError, match="the name of a recipe to compare cannot start with a dot"):
        list_candidates(request(str(odd)))


def test_the_validation_split_is_scored_where_there_is_no_test_split(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace(tmp_path / "w")
    inputs = Inputs((write_corpus(tmp_path / "corpus.tsv", 40),))
    prepare(workspace, inputs, PrepareSettings(valid_size=10, test_size=0), QUIET)
    corpus = Corpus.load(workspace.corpus)
    assert choose_texts(corpus, request("tiny"), Talk()) == read_split(corpus, "valid")
    assert "scoring the validation split, which also selects" in capsys.readouterr().err


def test_one_word_targets_ask_for_exact_match(
    prepared: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = Corpus.load(prepared.corpus)
    choose_texts(corpus, request("tiny", metrics=("bleu",)), Talk())
    assert "most targets are one word; --exact-match is more" in capsys.readouterr().err
    choose_texts(corpus, request("tiny", metrics=("chrf",)), Talk())
    assert capsys.readouterr().err == ""


@pytest.fixture
def trained(trained_workspace: Path, tmp_path: Path) -> Workspace:
    return Workspace(shutil.copytree(trained_workspace, tmp_path / "workspace"))


def test_outputs_are_kept_until_model_search_or_they_themselves_change(
    trained: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = read_split(Corpus.load(trained.corpus), "test")
    some = Texts(texts.name, texts.sources[:3], texts.references[:3])
    first = read_outputs(trained, request("tiny"), some, QUIET)
    assert len(first) == 3
    made: list[int] = []

    def count(*arguments: Any) -> object:
        made.append(1)
        return evaluate_model(*arguments)

    monkeypatch.setattr(pipeline, "evaluate_model", count)
    assert read_outputs(trained, request("tiny"), some, QUIET) == first
    assert made == []
    (trained.outputs / "outputs.txt").write_text("something else\n")
    assert read_outputs(trained, request("tiny"), some, QUIET) == first
    read_outputs(
        trained, CompareRequest(("tiny",), BUDGET, overrides={"beam_size": 1}), some, QUIET
    )
    assert len(made) == 2
