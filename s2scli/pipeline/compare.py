"""`s2s compare`: train recipes under one budget on one corpus, score them, rank them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from s2scli.config import load_recipe, recipe_path
from s2scli.data.store import Corpus
from s2scli.errors import (
    CheckpointError,
    CorpusError,
    LockedError,
    MissingInputError,
    S2SError,
    StorageError,
    UsageError,
)
from s2scli.manifest import new_folder, read_manifest, verify_folder
from s2scli.metrics.bootstrap import paired_p
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.tokenization import choose_tokenization
from s2scli.model.seq2seq import pick_device
from s2scli.pipeline.evaluate import (
    EvaluateRequest,
    Texts,
    evaluate_model,
    evaluate_outputs,
    read_split,
)
from s2scli.pipeline.train import TrainReport, TrainRequest, train
from s2scli.pipeline.train_tokenizer import ensure_encoded, ensure_tokenizer
from s2scli.pipeline.translate import search_settings
from s2scli.pipeline.translator import Translator
from s2scli.pipeline.validation import open_validation
from s2scli.report.console import Talk
from s2scli.settings import Tree
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.settings import LOWER_IS_BETTER
from s2scli.workspace import Workspace

BUDGETS = ("max_minutes", "max_steps", "max_epochs")
OUTPUTS = "outputs.txt"
MOSTLY = 0.9


@dataclass(frozen=True)
class CompareRequest:
    """What the user asks for.

    Attributes:
        recipes: names of built-in recipes, and TOML files.
        limits: the budget, one limit of BUDGETS at least, and the patience, by name.
        metrics: names of METRICS; the first decides who is best.
        assignments: `section.key=value` changes to every recipe.
        seeds: each recipe is trained with each of them; none leaves it to the recipe.
        search: search settings that differ from the recipes' own.
        settings: of the metrics.
        device: auto, cpu, cuda or cuda:N.
        restart: forget the runs that are there.
    """

    recipes: Sequence[str]
    limits: Tree
    metrics: tuple[str, ...] = ("bleu",)
    assignments: Sequence[str] = ()
    seeds: Sequence[int] = ()
    search: Tree = field(default_factory=dict)
    settings: MetricSettings = DEFAULTS
    device: str = "auto"
    restart: bool = False

    @property
    def budget(self) -> Tree:
        """The limits, in which those that were not given are lifted, whatever a recipe says."""
        return {**dict.fromkeys(BUDGETS), **self.limits}


@dataclass(frozen=True)
class Candidate:
    """A recipe that takes part, under the name that its row and its folder have."""

    name: str
    recipe: str
    assignments: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What one recipe came to.

    Attributes:
        recipe: the name of its row.
        model: the folder of its best model.
        parameters: weights of the model.
        minutes: time it has trained, validation counted.
        steps: updates made.
        epochs: times the corpus was gone through.
        ended: why training ended.
        tokens_per_second: target tokens over training time; None with no line of the log yet.
        loss: of the best model on the validation split: cross-entropy in nats a token, without
            label smoothing, so that recipes can be compared by it.
        scores: one for each metric asked for.
        p: how likely the best is no better than this one (paired bootstrap); None for the best
            itself, or where nothing was resampled.
    """

    recipe: str
    model: str
    parameters: int
    minutes: float
    steps: int
    epochs: float
    ended: str
    tokens_per_second: float | None
    loss: float | None
    scores: tuple[Score, ...]
    p: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        scores = [score.as_json() for score in self.scores]
        return {**asdict(replace(self, scores=())), "scores": scores}


@dataclass(frozen=True)
class Failure:
    """A recipe that has no result.

    Attributes:
        recipe: the name of its row.
        error: why.
        signal: the signal that stopped it, and the comparison with it; or 0.
    """

    recipe: str
    error: str
    signal: int = 0


@dataclass(frozen=True)
class Comparison:
    """The recipes, ranked.

    Attributes:
        scored: what was scored, for people.
        sentences: how many pairs there were.
        metric: the metric that decides who is best.
        results: best first.
        failures: the recipes that have none.
    """

    scored: str
    sentences: int
    metric: str
    results: tuple[Result, ...]
    failures: tuple[Failure, ...]

    @property
    def signal(self) -> int:
        """The signal that ended it before its end, or 0."""
        return max((failure.signal for failure in self.failures), default=0)

    def as_json(self) -> dict[str, Any]:
        """Return it as a JSON document."""
        results = [result.as_json() for result in self.results]
        return {**asdict(replace(self, results=())), "results": results}


def compare(workspace: Workspace, request: CompareRequest, talk: Talk) -> Comparison:
    """Train and score each recipe, or go on where an earlier call stopped; rank them.

    A recipe that fails does not end it, a signal does.

    Raises:
        UsageError: there is no budget, or two recipes have one name.
        ConfigError: no recipe has such a name, or the device is unknown.
        MissingInputError: there is no such file, or no corpus, or it has no validation split.
        CorpusError: there is nothing to validate with.
        CheckpointError: the corpus is damaged.
        LockedError: another run holds the workspace.
        StorageError: the disk is full or writing failed.
    """
    candidates = list_candidates(request)
    pick_device(request.device)
    if not workspace.root.exists():  # locking would make it
        workspace.find_corpus()
    with workspace.locked("compare"):
        corpus = Corpus.load(workspace.find_corpus())
        open_validation(corpus)
        texts = choose_texts(corpus, request, talk)
        ensure_encoded(workspace, corpus, ensure_tokenizer(workspace, corpus, None, talk), talk)
        entries: list[Result | Failure] = list(_impossible(candidates, talk))
        failed = [entry.recipe for entry in entries]
        possible = [candidate for candidate in candidates if candidate.name not in failed]
        for number, candidate in enumerate(possible, 1):
            talk.say(f"{candidate.name}: recipe {number} of {len(possible)}")
            run = workspace.of_run(candidate.name)
            entries.append(_entry(run, candidate, request, texts, talk))
            if isinstance(entries[-1], Failure) and entries[-1].signal:
                break
    return _ranked(entries, request, texts)


def list_candidates(request: CompareRequest) -> list[Candidate]:
    """Return the recipes, once for each seed.

    Raises:
        UsageError: there is no budget, or two recipes have one name.
        ConfigError: no recipe has such a name.
        MissingInputError: there is no such file.
    """
    if all(request.budget[name] is None for name in BUDGETS):
        flags = ", ".join("--" + name.replace("_", "-") for name in BUDGETS)
        raise UsageError(f"give the recipes a budget: one of {flags}, or more")
    found: dict[str, Candidate] = {}
    for recipe in request.recipes:
        path = recipe_path(recipe)
        if not path.exists():
            raise MissingInputError(f"{path}: no such file")
        for candidate in _candidates(path.stem, recipe, request):
            if candidate.name.startswith("."):
                raise UsageError(f"{recipe}: a name that begins with a dot cannot name a folder")
            if candidate.name in found:
                raise UsageError(
                    f"two recipes are called {candidate.name}: {found[candidate.name].recipe} and "
                    f"{recipe}; copy one to a file of another name"
                )
            found[candidate.name] = candidate
    return [*found.values()]


def _candidates(name: str, recipe: str, request: CompareRequest) -> Iterator[Candidate]:
    """Yield one candidate, or one for each seed."""
    if not request.seeds:
        yield Candidate(name, recipe, tuple(request.assignments))
    for seed in request.seeds:
        assignments = (*request.assignments, f"training.seed={seed}")
        yield Candidate(f"{name}-seed-{seed}", recipe, assignments)


def _impossible(candidates: Sequence[Candidate], talk: Talk) -> Iterator[Failure]:
    """Yield the recipes that cannot even be read, before hours are spent on the others."""
    for candidate in candidates:
        try:
            load_recipe(candidate.recipe, candidate.assignments)
        except S2SError as error:
            yield _failure(candidate, error, talk)


def _failure(candidate: Candidate, error: S2SError, talk: Talk) -> Failure:
    talk.warn(f"{candidate.name}: {error}")
    return Failure(candidate.name, str(error))


def choose_texts(corpus: Corpus, request: CompareRequest, talk: Talk) -> Texts:
    """Read what is scored: the test split, or the validation split where there is none.

    Raises:
        MissingInputError: there is no corpus.
        CheckpointError: it is damaged.
    """
    try:
        texts = read_split(corpus, "test")
    except (MissingInputError, CorpusError):
        talk.warn(
            "the corpus has no test split: scoring the validation split, which has also chosen "
            "the checkpoints"
        )
        texts = read_split(corpus, "valid")
    words = [len(reference.split()) for reference in texts.references]
    spaced = choose_tokenization(request.settings, texts.references) == "13a"
    if request.metrics == ("bleu",) and spaced and words.count(1) >= MOSTLY * len(words):
        talk.say("most targets are one word: --exact-match says more of them than BLEU")
    return texts


def _entry(
    run: Workspace, candidate: Candidate, request: CompareRequest, texts: Texts, talk: Talk
) -> Result | Failure:
    """Train and score one recipe, as far as that has not been done."""
    order = TrainRequest(
        recipe=candidate.recipe,
        assignments=candidate.assignments,
        limits=request.budget,
        device=request.device,
        restart=request.restart,
    )
    try:
        trained = train(run, order, talk)
        if trained.signal:
            return Failure(candidate.name, trained.reason, trained.signal)
        talk.say(f"{candidate.name}: {trained.reason}, scoring the {texts.name}")
        outputs = read_outputs(run, request, texts, talk)
    except (LockedError, StorageError):  # these are not the recipe's fault
        raise
    except S2SError as error:
        return _failure(candidate, error, talk)
    found = Texts(texts.name, outputs, texts.references)
    scores = evaluate_outputs(found, request.metrics, request.settings).scores
    return _result(run, candidate, trained, scores)


def _result(
    run: Workspace, candidate: Candidate, trained: TrainReport, scores: tuple[Score, ...]
) -> Result:
    return Result(
        candidate.name,
        str(run.model),
        trained.parameters,
        trained.minutes,
        trained.step,
        trained.epochs,
        trained.reason,
        MetricsLog(run.training / "metrics.jsonl").tokens_per_second(),
        _cross_entropy(trained.best),
        scores,
    )


def _cross_entropy(scores: Mapping[str, float]) -> float | None:
    """Return it in nats a token; None where the log that held the scores was lost."""
    return math.log(scores["perplexity"]) if "perplexity" in scores else None


def read_outputs(
    run: Workspace, request: CompareRequest, texts: Texts, talk: Talk
) -> tuple[str, ...]:
    """Return what a run's model makes of the texts; it is kept, so that nothing is made twice.

    Raises:
        CheckpointError: the model is damaged.
        StorageError: the outputs cannot be written.
    """
    translator = Translator.load(run.model, device=request.device)
    search = search_settings(translator, request.search)
    made_by = {"split": texts.name, "search": search.model_dump(mode="json")}
    made_from = {
        "model": read_manifest(run.model, "model").digest,
        "corpus": read_manifest(run.corpus, "corpus").digest,
    }
    if not _is_there(run.outputs, made_by, made_from):
        with new_folder(run.outputs, "outputs", made_from=made_from) as draft:
            draft.facts = made_by
            order = EvaluateRequest((), output=draft.path / OUTPUTS)
            evaluate_model(texts, translator, search, order, request.settings, talk)
    return tuple((run.outputs / OUTPUTS).read_bytes().decode().split("\n")[:-1])


def _is_there(folder: Path, made_by: Tree, made_from: Mapping[str, str]) -> bool:
    """Whether whole outputs are there that were made so."""
    try:
        manifest = verify_folder(folder, "outputs")
    except (MissingInputError, CheckpointError):
        return False
    return manifest.facts == made_by and manifest.made_from == made_from


def _ranked(
    entries: Sequence[Result | Failure], request: CompareRequest, texts: Texts
) -> Comparison:
    """Put the best first, and say of the others how sure it is that they are no better."""
    metric = request.metrics[0]
    lower = metric in LOWER_IS_BETTER
    results = sorted(
        (entry for entry in entries if isinstance(entry, Result)),
        key=lambda result: result.scores[0].value,
        reverse=not lower,
    )
    best = results[0].scores[0].resampled if results else ()
    for place, other in enumerate(results[1:], 1):
        p = paired_p(best, other.scores[0].resampled, lower_is_better=lower)
        results[place] = replace(other, p=p)
    failures = tuple(entry for entry in entries if isinstance(entry, Failure))
    return Comparison(texts.name, len(texts.references), metric, tuple(results), failures)
