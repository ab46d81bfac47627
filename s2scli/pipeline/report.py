"""`s2s report`: collect what a workspace has to say about its corpus, its model and its scores."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from s2scli.config import recipe_toml
from s2scli.data.store import Corpus
from s2scli.errors import CorpusError, MissingInputError
from s2scli.manifest import is_published, read_manifest
from s2scli.metrics.settings import MetricSettings
from s2scli.pipeline.doctor import Diagnosis, diagnose
from s2scli.pipeline.evaluate import evaluate
from s2scli.pipeline.evaluate_request import EvaluateRequest
from s2scli.pipeline.evaluation import Evaluation
from s2scli.pipeline.inspect_attention import attention_of
from s2scli.pipeline.inspect_corpus import CorpusView, inspect_corpus
from s2scli.pipeline.inspect_errors import Errors, ErrorsRequest, inspect_errors
from s2scli.pipeline.inspect_model import ModelFacts, inspect_model
from s2scli.pipeline.inspect_training import History, inspect_training
from s2scli.pipeline.reproducing import preparing_commands
from s2scli.report.console import Talk
from s2scli.report.heads import AttentionHeads
from s2scli.translation.loading import load_in_torch
from s2scli.translation.model_card import INIT_FROM, training_command
from s2scli.translation.model_folder import RECIPE
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

SAMPLES = 5
MAX_PIECES = 60  # a map of more source tokens is too wide for a page


@dataclass(frozen=True)
class ReportRequest:
    """What to put into a report.

    Attributes:
        split: the split to score.
        sentences: the number of sentences whose attention is shown.
        worst: the number of worst outputs to show.
        device: auto, cpu, cuda or cuda:N.
    """

    split: str = "test"
    sentences: int = 3
    worst: int = 10
    device: str = "auto"


@dataclass(frozen=True)
class Dossier:
    """Everything that a report shows; what the workspace does not have is None or empty.

    Attributes:
        name: the name of the workspace.
        corpus: how the corpus was prepared, and its split.
        tokenizer: the settings of the tokenizer.
        model: the model's parameters, recipe and origin.
        recipe: the recipe as TOML.
        history: the training run.
        evaluation: the scores of the split.
        errors: the mistakes in it; None unless source and target are text.
        attention: the attention for some of its sentences.
        machine: the machine that made the report, and the versions on it.
        commands: the commands that make the same model and scores.
    """

    name: str
    corpus: CorpusView
    tokenizer: Mapping[str, Any]
    model: ModelFacts | None
    recipe: str
    history: History | None
    evaluation: Evaluation | None
    errors: Errors | None
    attention: tuple[AttentionHeads, ...]
    machine: Diagnosis
    commands: tuple[str, ...]


def report(workspace: Workspace, request: ReportRequest, talk: Talk) -> Dossier:
    """Collect what a report shows; translate a split to score it.

    Raises:
        MissingInputError: there is no corpus, or it lacks the split.
        CheckpointError: an artifact is damaged.
        CorpusError: the split is empty.
        ConfigError: the device does not exist.
    """
    folder = workspace.find_corpus()
    corpus = Corpus.load(folder)
    view = inspect_corpus(workspace, "train", SAMPLES)
    trained = is_published(workspace.model)
    model = inspect_model(workspace.model) if trained else None
    found = _score(workspace, corpus, request, talk) if trained else _Scored()
    tokenizer = _tokenizer(workspace)
    return Dossier(
        workspace.root.resolve().name,
        view,
        tokenizer,
        model,
        recipe_toml(model.recipe) if model else "",
        _history(workspace),
        found.evaluation,
        found.errors,
        found.attention,
        diagnose(workspace),
        (
            *preparing_commands(workspace, view.report, view.settings),
            *([] if model is None else _training(model, request)),
        ),
    )


@dataclass(frozen=True)
class _Scored:
    """The parts of a report that need translations."""

    evaluation: Evaluation | None = None
    errors: Errors | None = None
    attention: tuple[AttentionHeads, ...] = ()


def _score(workspace: Workspace, corpus: Corpus, request: ReportRequest, talk: Talk) -> _Scored:
    """Translate a split once with a model that is loaded once, and describe the outputs."""
    target_is_text = corpus.sides.target is None
    examples = request.sentences if target_is_text else 0
    translator = load_in_torch(workspace, (), request.device)
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch) / "outputs.tsv"
        asked = EvaluateRequest(
            (),
            request.split,
            output=table if target_is_text else None,
            device=request.device,
            examples=examples,
        )
        evaluation = evaluate(workspace, asked, {}, MetricSettings(), talk, translator)
        errors = None
        if corpus.sides.are_text:
            worst = ErrorsRequest(outputs=table, count=request.worst)
            errors = replace(inspect_errors(workspace, worst, talk), scored=evaluation.scored)
    return _Scored(evaluation, errors, _attention(translator, evaluation, talk))


def _attention(
    translator: Translator, evaluation: Evaluation, talk: Talk
) -> tuple[AttentionHeads, ...]:
    """Return the attention for the example sentences, without those that are too long for a page.

    It is empty for a model without attention. A sentence without a translation, which is among the
    worst, has none either.
    """
    sources = [example.sentence.source for example in evaluation.examples]
    if not translator.has_attention:
        return ()
    heads = []
    for source in filter(None, sources):
        with contextlib.suppress(CorpusError):
            heads.append(attention_of(translator, source, None, talk))
    return tuple(one for one in heads if len(one.source_pieces) <= MAX_PIECES)


def _tokenizer(workspace: Workspace) -> Mapping[str, Any]:
    """Return the recorded settings of the tokenizer; none if there is no tokenizer."""
    if not is_published(workspace.tokenizer):
        return {}
    return read_manifest(workspace.tokenizer, "tokenizer").facts


def _history(workspace: Workspace) -> History | None:
    try:
        return inspect_training(workspace)
    except MissingInputError:
        return None


def _training(model: ModelFacts, request: ReportRequest) -> Iterator[str]:
    """Yield the commands that train the model and score it."""
    facts = model.manifest.facts
    if digest := facts.get(INIT_FROM):
        yield f"# OTHER is the model that it began with; s2s verify --digest OTHER shows {digest}"
    yield training_command(RECIPE, facts)
    yield f"s2s evaluate --split {request.split}"
