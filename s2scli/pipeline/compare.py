"""`s2s compare`: train recipes with the same budget on one corpus, then score and rank them."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from s2scli.artifacts import read_artifact
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
from s2scli.metrics import METRICS, PICTURE_METRICS
from s2scli.metrics.bootstrap import paired_p
from s2scli.metrics.score import DEFAULTS, Score
from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.tokenization import choose_tokenization
from s2scli.model.seq2seq import pick_device
from s2scli.pipeline.evaluate import evaluate_model, evaluate_outputs
from s2scli.pipeline.evaluate_latent import SAMPLES, bounded_targets
from s2scli.pipeline.evaluate_request import EvaluateRequest
from s2scli.pipeline.overwriting import require_restartable
from s2scli.pipeline.texts import Texts, read_split
from s2scli.pipeline.train import TrainReport, TrainRequest, default_size, train
from s2scli.pipeline.train_tokenizer import ensure_encoded, ensure_tokenizer
from s2scli.pipeline.validation import open_validation
from s2scli.report.console import Talk
from s2scli.settings import Tree, flag_of
from s2scli.sides import TEXT, Sides, Sound
from s2scli.training.metrics_log import MetricsLog
from s2scli.translation import torch_engine
from s2scli.translation.translator import Translator
from s2scli.workspace import Workspace

BUDGETS = ("max_minutes", "max_steps", "max_epochs")
OUTPUTS = "outputs.txt"
MOSTLY = 0.9
RANKED_SOUND = ("cer", "wer")


@dataclass(frozen=True)
class CompareRequest:
    """The options of `s2s compare`.

    Attributes:
        recipes: names of built-in recipes, or paths of TOML files.
        limits: the budget (at least one of BUDGETS) and the patience, by name.
        metrics: names from METRICS; the first one ranks the recipes. Empty means the default of
            the corpus's sides.
        assignments: `section.key=value` changes to every recipe.
        seeds: seeds to train each recipe with; if empty, each recipe uses its own seed.
        overrides: search settings that override those of the recipes.
        settings: the settings of the metrics.
        device: auto, cpu, cuda or cuda:N.
        restart: remove existing runs and start again.
        overwrite: remove them without asking.
    """

    recipes: Sequence[str]
    limits: Tree
    metrics: tuple[str, ...] = ()
    assignments: Sequence[str] = ()
    seeds: Sequence[int] = ()
    overrides: Tree = field(default_factory=dict)
    settings: MetricSettings = DEFAULTS
    device: str = "auto"
    restart: bool = False
    overwrite: bool = False

    @property
    def budget(self) -> Tree:
        """All limits; one that was not given is None, even if a recipe sets it."""
        return {**dict.fromkeys(BUDGETS), **self.limits}

    def with_metrics(self, sides: Sides) -> "CompareRequest":
        """Return the request with the default metrics for these sides if none are requested.

        Raises:
            UsageError: a metric of texts is requested, and the target is pictures.
        """
        if sides.target and self.metrics:
            flag = flag_of(self.metrics[0])
            raise UsageError(f"{flag} compares texts, and the target is pictures; leave it out")
        if sides.target:
            return replace(self, metrics=PICTURE_METRICS)
        usual = RANKED_SOUND if isinstance(sides.source, Sound) else ("bleu",)
        return replace(self, metrics=self.metrics or usual)


@dataclass(frozen=True)
class Candidate:
    """A recipe to compare; `name` names its row in the table and its folder."""

    name: str
    recipe: str
    assignments: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """The result of one recipe.

    Attributes:
        recipe: the name of its row in the table.
        model: the folder of its best model.
        parameters: the number of parameters of the model.
        minutes: the training time, including validation.
        steps: the number of updates.
        epochs: the number of passes over the corpus.
        ended: why training ended.
        tokens_per_second: target tokens per second of training; None if the log has no speed.
        cross_entropy: the best model's cross-entropy on the validation split, in nats per token
            (the logarithm of the perplexity). It has no label smoothing, so recipes can be
            compared by it; None with a latent vector, because it would lack the KL term.
        scores: one for each requested metric.
        p: the p-value of the test that the best result is better than this one (paired
            bootstrap); None for the best result, or without resamples.
    """

    recipe: str
    model: str
    parameters: int
    minutes: float
    steps: int
    epochs: float
    ended: str
    tokens_per_second: float | None
    cross_entropy: float | None
    scores: tuple[Score, ...]
    p: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document."""
        scores = [score.as_json() for score in self.scores]
        return {**asdict(replace(self, scores=())), "scores": scores}


@dataclass(frozen=True)
class Failure:
    """A recipe that failed.

    Attributes:
        recipe: the name of its row in the table.
        error: the error message.
        signal: the signal that stopped this recipe and the whole comparison; 0 if none did.
    """

    recipe: str
    error: str
    signal: int = 0


@dataclass(frozen=True)
class Comparison:
    """The ranked results.

    Attributes:
        scored: a description of the scored text.
        sentences: the number of pairs.
        metric: the metric that ranks the results.
        results: the results, best first.
        failures: the recipes that failed.
        noun: what was scored: sentences, recordings or pictures.
    """

    scored: str
    sentences: int
    metric: str
    results: tuple[Result, ...]
    failures: tuple[Failure, ...]
    noun: str = TEXT.noun

    @property
    def signal(self) -> int:
        """The signal that stopped the comparison; 0 if none did."""
        return max((failure.signal for failure in self.failures), default=0)

    def as_json(self) -> dict[str, Any]:
        """Convert to a JSON document."""
        results = [result.as_json() for result in self.results]
        return {**asdict(replace(self, results=())), "results": results}


def compare(workspace: Workspace, request: CompareRequest, talk: Talk) -> Comparison:
    """Train, score and rank the recipes; resume where an earlier call stopped.

    If a recipe fails, the comparison continues with the next one. A signal stops it.

    Raises:
        UsageError: no budget is given, two recipes have the same name, or a metric of texts is
            requested for pictures.
        ConfigError: a recipe or the device is unknown.
        MissingInputError: a recipe file, the corpus or its validation split is missing.
        CorpusError: the validation split is empty.
        CheckpointError: the corpus is damaged.
        LockedError: another process uses the workspace, or the user did not agree to remove runs.
        StorageError: the disk is full or writing failed.
    """
    candidates = list_candidates(request)
    pick_device(request.device)
    if request.restart and not request.overwrite:
        require_restartable([workspace.of_run(each.name) for each in candidates], talk)
    if not workspace.root.exists():  # locking would create it
        workspace.find_corpus()
    with workspace.locked("compare"):
        corpus = Corpus.load(workspace.find_corpus())
        request = request.with_metrics(corpus.sides)
        open_validation(corpus)
        texts = choose_texts(corpus, request, talk)
        ensure_encoded(workspace, corpus, ensure_tokenizer(workspace, corpus, talk), talk).wait()
        entries: list[Result | Failure] = list(_impossible(candidates, corpus, talk))
        failed = [entry.recipe for entry in entries]
        possible = [candidate for candidate in candidates if candidate.name not in failed]
        for number, candidate in enumerate(possible, 1):
            talk.say(f"{candidate.name}: recipe {number} of {len(possible)}")
            run = workspace.of_run(candidate.name)
            entries.append(_entry(run, candidate, request, texts, talk))
            if isinstance(entries[-1], Failure) and entries[-1].signal:
                break
    return replace(_ranked(entries, request, texts), noun=corpus.sides.noun)


def list_candidates(request: CompareRequest) -> list[Candidate]:
    """Return one candidate for each recipe and seed.

    Raises:
        UsageError: no budget is given, or two recipes have the same name.
        ConfigError: a recipe is unknown.
        MissingInputError: a recipe file does not exist.
    """
    if all(request.budget[name] is None for name in BUDGETS):
        flags = ", ".join(map(flag_of, BUDGETS))
        raise UsageError(f"no training budget: give one or more of {flags}")
    found: dict[str, Candidate] = {}
    for recipe in request.recipes:
        path = recipe_path(recipe)
        if not path.exists():
            raise MissingInputError(f"{path}: no such file")
        for candidate in _candidates(path.stem, recipe, request):
            if candidate.name.startswith("."):
                raise UsageError(
                    f"{recipe}: the name of a recipe to compare cannot start with a dot"
                )
            if candidate.name in found:
                raise UsageError(
                    f"two recipes are called {candidate.name}: {found[candidate.name].recipe} and "
                    f"{recipe}; copy one of them to a file with another name"
                )
            found[candidate.name] = candidate
    return [*found.values()]


def _candidates(name: str, recipe: str, request: CompareRequest) -> Iterator[Candidate]:
    """Yield one candidate for each seed, or a single one if no seeds are given."""
    if not request.seeds:
        yield Candidate(name, recipe, tuple(request.assignments))
    for seed in request.seeds:
        assignments = (*request.assignments, f"training.seed={seed}")
        yield Candidate(f"{name}-seed-{seed}", recipe, assignments)


def _impossible(candidates: Sequence[Candidate], corpus: Corpus, talk: Talk) -> Iterator[Failure]:
    """Yield a failure for each recipe that cannot be loaded, before any training starts."""
    size = default_size(corpus)
    for candidate in candidates:
        try:
            load_recipe(candidate.recipe, candidate.assignments, size, corpus.sides)
        except S2SError as error:
            yield _failure(candidate, error, talk)


def _failure(candidate: Candidate, error: S2SError, talk: Talk) -> Failure:
    talk.warn(f"{candidate.name}: {error}")
    return Failure(candidate.name, str(error))


def choose_texts(corpus: Corpus, request: CompareRequest, talk: Talk) -> Texts:
    """Read the text to score: the test split, or the validation split if there is no test split.

    Raises:
        CheckpointError: the corpus is damaged.
    """
    try:
        texts = read_split(corpus, "test")
    except (MissingInputError, CorpusError):
        talk.warn(
            "the corpus has no test split; scoring the validation split, which also selects the "
            "best checkpoints"
        )
        texts = read_split(corpus, "valid")
    words = [len(reference.split()) for reference in texts.references]
    spaced = choose_tokenization(request.settings, texts.references) == "13a"
    if request.metrics == ("bleu",) and spaced and words.count(1) >= MOSTLY * len(words):
        talk.say("most targets are one word; --exact-match is more informative than BLEU for them")
    return texts


def _entry(
    run: Workspace, candidate: Candidate, request: CompareRequest, texts: Texts, talk: Talk
) -> Result | Failure:
    """Train and score one recipe; skip steps that are already done."""
    training = TrainRequest(
        recipe=candidate.recipe,
        assignments=candidate.assignments,
        limits=request.budget,
        device=request.device,
        restart=request.restart,
        overwrite=request.restart,  # `compare` has already asked about all runs
    )
    try:
        trained = train(run, training, talk)
        if trained.signal:
            return Failure(candidate.name, trained.reason, trained.signal)
        talk.say(f"{candidate.name}: {trained.reason}, scoring the {texts.name}")
        scores = score_run(run, request, texts, talk)
    except (LockedError, StorageError):  # not caused by the recipe
        raise
    except S2SError as error:
        return _failure(candidate, error, talk)
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
    """Return the cross-entropy in nats per token.

    It is None if the scores have no perplexity, or if there is a latent vector, whose KL term it
    would lack.
    """
    perplexity = scores.get("perplexity") or 0.0
    return math.log(perplexity) if perplexity > 0 and "kl" not in scores else None


def score_run(
    run: Workspace, request: CompareRequest, texts: Texts, talk: Talk
) -> tuple[Score, ...]:
    """Score a run's model: its outputs or, for pictures, the likelihood of the references.

    Of a variational autoencoder, that is its importance-weighted bound.

    Raises:
        CheckpointError: the model is damaged.
        CorpusError: no picture can be scored.
        UsageError: the model has attention beside a latent vector, so no bound is known.
        StorageError: the outputs cannot be written.
    """
    if METRICS[request.metrics[0]].needs == "outputs":
        outputs = read_outputs(run, request, texts, talk)
        found = Texts(texts.name, outputs, texts.references)
        return evaluate_outputs(found, request.metrics, request.settings).scores
    translator = torch_engine.load(run.model, device=request.device)
    if translator.engine.is_latent:
        return _bound_scores(translator, request, texts, talk)
    search, order = translator.settings(request.overrides), EvaluateRequest(request.metrics)
    return evaluate_model(texts, translator, search, order, request.settings, talk).scores


def _bound_scores(
    translator: Translator, request: CompareRequest, texts: Texts, talk: Talk
) -> tuple[Score, ...]:
    """Score pictures by a bound of log p(target), which has the KL term that nats lack."""
    forced = bounded_targets(texts.name, texts.sources, texts.references, translator, talk)
    scores = (METRICS[name].function(forced, request.settings) for name in request.metrics)
    bound = f"bound:iw{SAMPLES}"  # importance-weighted
    return tuple(replace(score, signature=f"{bound}|{score.signature}") for score in scores)


def read_outputs(
    run: Workspace, request: CompareRequest, texts: Texts, talk: Talk
) -> tuple[str, ...]:
    """Return the outputs of a run's model; translate only if they are not saved on disk yet.

    Raises:
        CheckpointError: the model is damaged.
        StorageError: the outputs cannot be written.
    """
    translator = torch_engine.load(run.model, device=request.device)
    settings = translator.settings(request.overrides)
    made_by = {"split": texts.name, "search": settings.model_dump(mode="json")}
    made_from = {
        "model": read_manifest(run.model, "model").digest,
        "corpus": read_manifest(run.corpus, "corpus").digest,
    }
    if not _is_there(run.outputs, made_by, made_from):
        with new_folder(run.outputs, "outputs", made_from=made_from) as draft:
            draft.facts = made_by
            order = EvaluateRequest((), output=draft.path / OUTPUTS)
            evaluate_model(texts, translator, settings, order, request.settings, talk)
    path = run.outputs / OUTPUTS
    try:
        *outputs, _ = read_artifact(path).decode().split("\n")
    except ValueError as error:
        raise CheckpointError(f"{path}: damaged ({error})") from error
    if len(outputs) != len(texts.sources):
        expected = f"{len(texts.sources):,} outputs"
        raise CheckpointError(f"{path}: damaged, expected {expected}, found {len(outputs):,}")
    return tuple(outputs)


def _is_there(folder: Path, made_by: Tree, made_from: Mapping[str, str]) -> bool:
    """Return whether a folder holds complete outputs of this model, corpus and search."""
    try:
        manifest = verify_folder(folder, "outputs")
    except (MissingInputError, CheckpointError):
        return False
    return manifest.facts == made_by and manifest.made_from == made_from


def _ranked(
    entries: Sequence[Result | Failure], request: CompareRequest, texts: Texts
) -> Comparison:
    """Sort the results, best first, and compute the p-value of each of the others."""
    metric = request.metrics[0]
    higher = METRICS[metric].higher_is_better
    results = sorted(
        (entry for entry in entries if isinstance(entry, Result)),
        key=lambda result: result.scores[0].value,
        reverse=higher,
    )
    best = results[0].scores[0].resampled if results else ()
    for index, other in enumerate(results[1:], 1):
        p = paired_p(best, other.scores[0].resampled, higher_is_better=higher)
        results[index] = replace(other, p=p)
    failures = tuple(entry for entry in entries if isinstance(entry, Failure))
    return Comparison(texts.name, len(texts.references), metric, tuple(results), failures)
