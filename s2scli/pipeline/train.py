"""`s2s train`: train, validate, keep the best, resume."""

import contextlib
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from s2scli.config import DEFAULT_RECIPE, Recipe, load_recipe
from s2scli.data.batching import PLAN
from s2scli.data.encoded import open_encoded
from s2scli.data.store import open_split
from s2scli.errors import ConfigError, StorageError
from s2scli.export.ctranslate2 import say_obstacles
from s2scli.files import DELETED, remove_folder
from s2scli.manifest import read_manifest
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.kernels.machine import this_machine
from s2scli.model.seq2seq import count_parameters, pick_device
from s2scli.model.weights import load_weights, model_weights
from s2scli.pipeline.carry_over import CarriedOver, carry_over, say_carried_over
from s2scli.pipeline.model_folder import LoadedModel, build_model, load_model_folder
from s2scli.pipeline.publishing import Published, Publisher
from s2scli.pipeline.segmenters import make_segmenters
from s2scli.pipeline.train_tokenizer import adopt_tokenizer, ensure_encoded, ensure_tokenizer
from s2scli.pipeline.validation import Validator, open_validation
from s2scli.report.console import Talk
from s2scli.report.progress import Goal, TrainingDisplay, clock, training_display
from s2scli.settings import Tree, load_settings, override
from s2scli.sizes import Size, size_for
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.checkpoint import (
    Checkpoint,
    list_checkpoints,
    load_optimizer,
    newest_checkpoint,
    optimizer_tensors,
    random_state,
    restore_random_state,
    save_checkpoint,
    settings_difference,
    sweep,
)
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Event, Finished, Saved, Update, Validation
from s2scli.training.freezing import count_frozen, freeze, trainable
from s2scli.training.interruption import stop_requests
from s2scli.training.latent import has_collapsed
from s2scli.training.loop import Run
from s2scli.training.loop import train as training_events
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.precision import arithmetic
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from s2scli.workspace import Workspace


@dataclass(frozen=True)
class TrainRequest:
    """What the user asks for.

    Attributes:
        recipe: a built-in recipe's name or a TOML file; None is the run's own, or the default.
        assignments: `section.key=value` changes to it.
        limits: the limits given, by name.
        device: auto, cpu, cuda or cuda:N.
        restart: forget the run that is there.
        init_from: the folder of the model whose weights a new run begins with, where they fit.
    """

    recipe: str | None = None
    assignments: Sequence[str] = ()
    limits: Tree = field(default_factory=dict)
    device: str = "auto"
    restart: bool = False
    init_from: Path | None = None


@dataclass(frozen=True)
class TrainReport:
    """How a run ended.

    Attributes:
        recipe: its name.
        reason: why it ended.
        signal: the signal that ended it, or 0.
        limit: the limit that ended it, or "".
        step: updates made.
        epochs: times the corpus was gone through.
        minutes: time the run has taken, over all its sessions.
        parameters: weights of the model.
        frozen: how many of them stay as they were.
        best_step: the update of the best checkpoint, which is the model.
        best: the model's validation scores.
        averaged: the updates whose weights the model is the mean of, if it is a mean instead.
        skipped_updates: updates left out because a gradient was not finite.
        carried_over: what the model took over from another; None where it did not, or was resumed.
    """

    recipe: str
    reason: str
    signal: int
    limit: str
    step: int
    epochs: float
    minutes: float
    parameters: int
    frozen: int
    best_step: int
    best: Mapping[str, float]
    averaged: Sequence[int]
    skipped_updates: int
    carried_over: CarriedOver | None


def train(workspace: Workspace, request: TrainRequest, talk: Talk) -> TrainReport:
    """Train a model on the workspace's corpus, or go on with the run that is there.

    Raises:
        MissingInputError: there is no corpus, or it has no validation split.
        CorpusError: there is nothing to learn from, or to validate with.
        TokenizerError: the tokenizer is damaged, or none can be learned.
        ConfigError: a wrong recipe or device, or another recipe than the run's.
        LockedError: another run holds the workspace.
        CheckpointError: the corpus, or every checkpoint of the run, is damaged.
        DivergedError: the numbers are no longer finite.
        OutOfMemoryError: a batch does not fit into the memory.
        StorageError: the disk is full or writing failed.
    """
    _check(workspace, request)
    keep_freed_memory()
    with workspace.locked("train"):
        checkpoint = None if request.restart else _checkpoint_to_resume(workspace, talk)
        trained = None if checkpoint else _load_trained(workspace, request)
        pairs = len(open_split(workspace.find_corpus(), "train"))
        recipe = choose_recipe(request, checkpoint, trained, size_for(pairs))
        asked = request.recipe or ("" if trained else DEFAULT_RECIPE)  # a model brings its own
        if asked == DEFAULT_RECIPE and not checkpoint:
            talk.say(f"recipe {DEFAULT_RECIPE} for {pairs:,} pairs: {size_for(pairs)}")
        if checkpoint:  # before a tokenizer is learned from a corpus that is not the run's
            corpus = read_manifest(workspace.corpus, "corpus")
            _check_origin(checkpoint, {"corpus": corpus.digest})
            _check_init(checkpoint, workspace, request)
        if trained and not workspace.tokenizer.exists():
            talk.say("there is no tokenizer yet: taking the model's")
            adopt_tokenizer(workspace, trained.tokenizers, trained.manifest.digest, talk)
        tokenizers = ensure_tokenizer(workspace, None, talk)
        ensure_encoded(workspace, tokenizers, talk)
        session = _begin(workspace, recipe, tokenizers, request, checkpoint, trained, talk)
        return _run(session, talk)


def _check(workspace: Workspace, request: TrainRequest) -> None:
    """Refuse what is plainly wrong before anything is written."""
    pick_device(request.device)
    if request.init_from:
        read_manifest(workspace.find_model(request.init_from), "model")
    resumed = not request.restart and list_checkpoints(workspace.training)
    # then the assignments are for the recipe of the run, or of the model
    own = (resumed or request.init_from) and request.recipe is None
    recipe = load_recipe(request.recipe or DEFAULT_RECIPE, () if own else request.assignments)
    limited(recipe, request.limits)
    if not (workspace.root / f"{DELETED}{workspace.corpus.name}").exists():  # else locking mends it
        open_validation(workspace.find_corpus())


@dataclass(frozen=True)
class Session:
    """Everything one call of `train` works with."""

    workspace: Workspace
    recipe: Recipe
    tokenizers: Tokenizers
    made_from: Mapping[str, str]
    carried_over: CarriedOver | None
    run: Run
    batches: TrainingBatches
    validator: Validator
    log: MetricsLog

    @property
    def publisher(self) -> Publisher:
        """What writes the model folder."""
        return Publisher(self.workspace, self.recipe, self.tokenizers, self.run, self.log)


def choose_recipe(
    request: TrainRequest,
    checkpoint: Checkpoint | None,
    trained: LoadedModel | None,
    size: Size,
) -> Recipe:
    """Return the recipe asked for; to resume, nothing needs to be asked for again.

    Without a recipe, assignments change the run's own, or that of the model to begin from.

    Raises:
        ConfigError: it differs from the recipe of the run that is there, limits apart.
    """
    own = load_settings(Recipe, checkpoint.settings, "checkpoint") if checkpoint else None
    base = own or (trained and trained.recipe)
    if base and request.recipe is None:
        tree = override(Recipe, base.model_dump(mode="json"), request.assignments)
        recipe = load_settings(Recipe, tree, f"recipe {base.name}")
    else:
        recipe = load_recipe(request.recipe or DEFAULT_RECIPE, request.assignments, size)
    if own:
        differences = settings_difference(_without_limits(own), _without_limits(recipe))
        if differences:
            raise ConfigError(
                "the run in this workspace has other settings: "
                + "; ".join(differences)
                + ". Go on without them, use another workspace (-w), or start anew (--restart)"
            )
    return recipe


def limited(recipe: Recipe, limits: Tree) -> TrainingSettings:
    """Return how to train this time: the recipe's limits give way to those of the command line.

    These are no part of the recipe, so that the next command does not inherit them.

    Raises:
        ConfigError: a limit is wrong.
    """
    tree = recipe.model_dump(mode="json")
    tree["training"]["limits"] |= limits
    return load_settings(Recipe, tree, "train").training


def _without_limits(recipe: Recipe) -> Tree:
    """Return what of a recipe may not change when a run is resumed."""
    return recipe.model_dump(
        mode="json", include={"model", "training"}, exclude={"training": {"limits"}}
    )


def _checkpoint_to_resume(workspace: Workspace, talk: Talk) -> Checkpoint | None:
    """Return the newest whole checkpoint, or None for a new run."""
    sweep(workspace.training)
    checkpoint, faults = newest_checkpoint(workspace.training)
    for fault in faults:
        talk.warn(f"{fault}; falling back to an older checkpoint")
    return checkpoint


def _load_trained(workspace: Workspace, request: TrainRequest) -> LoadedModel | None:
    """Return the model to begin from, which may come from anywhere; None to begin with nothing."""
    if not request.init_from:
        return None
    return load_model_folder(workspace.find_model(request.init_from), torch.device("cpu"))


def _check_init(checkpoint: Checkpoint, workspace: Workspace, request: TrainRequest) -> None:
    """Refuse to go on with a run as if it had begun from another model."""
    if not request.init_from:
        return
    digest = read_manifest(workspace.find_model(request.init_from), "model").digest
    if checkpoint.made_from.get("model") != digest:
        raise ConfigError(
            f"the run in this workspace did not begin from the model in {request.init_from}; go on "
            "without --init-from, use another workspace (-w), or start anew (--restart)"
        )


def _begin(
    workspace: Workspace,
    recipe: Recipe,
    tokenizers: Tokenizers,
    request: TrainRequest,
    checkpoint: Checkpoint | None,
    trained: LoadedModel | None,
    talk: Talk,
) -> Session:
    """Build the model and put it where the run stands."""
    made_from = _origin(workspace, tokenizers, checkpoint, trained)
    device = pick_device(request.device)
    if checkpoint:
        _match_machine(checkpoint, machine(recipe, device), talk)
    torch.manual_seed(recipe.training.seed)
    model = build_model(recipe, tokenizers)
    carried_over = carry_over(model, tokenizers, trained) if trained else None
    model = model.to(device)
    freeze(model, recipe.training.freeze)
    run = Run(
        model,
        recipe.training.optimizer.build(trainable(model)),
        limited(recipe, request.limits),
        device,
        Progress(),
    )
    if checkpoint:
        load_weights(model, checkpoint.weights, "checkpoint")
        run.average.load(checkpoint.average, "checkpoint")
        load_optimizer(run.optimizer, checkpoint.optimizer)
        restore_random_state(checkpoint.random_state, device)
        run.progress = checkpoint.progress
    segmenters = make_segmenters(tokenizers, recipe.training)
    train_split = open_encoded(workspace.encoded, "train")
    batches = TrainingBatches(train_split, recipe.training, segmenters)
    validator = Validator.prepare(workspace, run, recipe, tokenizers)
    if request.restart and workspace.training.exists():
        remove_folder(workspace.training)
    log = MetricsLog(workspace.training / "metrics.jsonl")
    log.forget_after(run.progress.step if checkpoint else -1, run.progress.validated)
    session = Session(
        workspace, recipe, tokenizers, made_from, carried_over, run, batches, validator, log
    )
    session.publisher.mend(talk)
    _announce(session, resumed=checkpoint is not None, talk=talk)
    return session


def _origin(
    workspace: Workspace,
    tokenizers: Tokenizers,
    checkpoint: Checkpoint | None,
    trained: LoadedModel | None,
) -> Mapping[str, str]:
    """Return the digests of what the run is made from; what it was made from may not change."""
    now = {
        "corpus": read_manifest(workspace.corpus, "corpus").digest,
        "tokenizer": tokenizers.digest,
    }
    if checkpoint:
        _check_origin(checkpoint, now)
        return checkpoint.made_from
    return {**now, "model": trained.manifest.digest} if trained else now


def _check_origin(checkpoint: Checkpoint, made_from: Mapping[str, str]) -> None:
    for kind, digest in made_from.items():
        if checkpoint.made_from.get(kind) != digest:
            raise ConfigError(
                f"the run in this workspace was trained with another {kind}; start anew with "
                "--restart, or use another workspace (-w)"
            )


def _match_machine(checkpoint: Checkpoint, now: Mapping[str, Any], talk: Talk) -> None:
    """Take the run's thread count; say where bits may differ from an uninterrupted run."""
    unsaid = {"batch plan": 1, "products by": now["products by"]}  # in checkpoints of before
    before = {**unsaid, **checkpoint.machine}
    threads = int(before["threads"])
    if threads != torch.get_num_threads():
        talk.say(f"using {threads} threads, as the run so far did")
        torch.set_num_threads(threads)
    for name, value in now.items():
        if name != "threads" and before.get(name) != value:
            talk.warn(
                f"the run so far used {name} {before.get(name)}, now it is {value}: "
                "it goes on, but not bit for bit as it would have"
            )


def machine(recipe: Recipe, device: torch.device) -> dict[str, Any]:
    """Return what the bits of a run depend on, beside its settings."""
    on_cpu = device.type == "cpu"
    return {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": "cpu" if on_cpu else torch.cuda.get_device_name(device),
        "processor": platform.machine(),
        "precision": arithmetic(recipe.training, device),
        "products by": "oneDNN" if on_cpu and this_machine().prefers_one_dnn else "torch",
        "batch plan": PLAN,
    }


def _announce(session: Session, *, resumed: bool, talk: Talk) -> None:
    run, batches = session.run, session.batches
    precision = arithmetic(run.settings, run.device)
    frozen = count_frozen(run.model)
    learned = f"{count_parameters(run.model):,} parameters" + f" ({frozen:,} frozen)" * bool(frozen)
    talk.say(
        f"recipe {session.recipe.name}: {learned} on {run.device} in {precision}, "
        f"{batches.kept:,} pairs in {batches.updates_per_epoch} updates an epoch "
        f"(batches of {batches.batch_tokens} tokens)"
    )
    if not resumed:
        talk.say(f"exports to ctranslate2: {say_obstacles(session.recipe.model)}")
    if session.carried_over:
        say_carried_over(session.carried_over, talk)
    source, target = batches.padding
    talk.detail(f"padding: {source:.1%} of source places, {target:.1%} of target places")
    if batches.growth > 1:
        talk.say(f"text is cut anew each time, into {batches.growth:.2f} times as many tokens")
    if batches.too_long:
        talk.warn(
            f"{batches.too_long:,} pairs are longer than training.max_length "
            f"{session.recipe.training.max_length} tokens and are left out"
        )
    if resumed:
        talk.say(f"going on from step {run.progress.step} ({clock(run.progress.seconds)})")


def _run(session: Session, talk: Talk) -> TrainReport:
    """Go through the events of the run: log them, show them, publish the best model."""
    run, limits, metric = session.run, session.run.settings.limits, session.run.settings.metric
    ending = Finished(run.progress.step, "")

    def announce(signal: int) -> None:
        talk.say("stopping after this update; once more to stop at once")

    def save(progress: Progress) -> None:
        session.log.sync()
        save_checkpoint(session.workspace.training, _checkpoint(session, progress))

    goal = Goal(limits.max_steps, limits.max_epochs, limits.max_minutes)
    with stop_requests(announce) as request, training_display(talk, goal, metric) as display:
        for event in training_events(
            run, session.batches, session.validator, save, lambda: request.signal
        ):
            _show(event, display, talk)
            _warn_of_collapse(event, session, talk)
            with _going_on(talk):
                session.log.add(event)
                if isinstance(event, Validation) and event.best:
                    session.publisher.publish(event.scores)
            if isinstance(event, Finished):
                ending = event
        session.publisher.mend(talk)
    publisher = session.publisher
    published = publisher.best() if ending.signal else publisher.finish(session.validator, talk)
    return _report(session, ending, published)


@contextlib.contextmanager
def _going_on(talk: Talk) -> Iterator[None]:
    """Turn a failure to write into a warning: a full disk ends a run only at its end."""
    try:
        yield
    except StorageError as error:
        talk.warn(f"{error}; training goes on")


def _show(event: Event, display: TrainingDisplay, talk: Talk) -> None:
    match event:
        case Update():
            display.update(
                event.step, event.epoch, event.loss, event.tokens_per_second, event.seconds
            )
        case Validation():
            display.validation(event.step, event.scores, best=event.best)
        case Saved(fault=fault) if fault:
            talk.warn(f"{fault}; training goes on and tries again at the next checkpoint")


def _warn_of_collapse(event: Event, session: Session, talk: Talk) -> None:
    """Say that the latent vector says nothing, at the first validation of the run that finds so."""
    settings = session.run.settings.kl

    def collapsed(step: int, scores: Mapping[str, float]) -> bool:
        return "kl" in scores and has_collapsed(scores["kl"], settings, step)

    if not isinstance(event, Validation) or not collapsed(event.step, event.scores):
        return
    before = (record for record in session.log.read() if record["kind"] == "validation")
    if not any(collapsed(record["step"], record["scores"]) for record in before):
        talk.warn(
            f"the posterior has collapsed: {event.scores['kl']:.3f} nats of KL a sentence, so the "
            "decoder ignores the latent vector and samples will not depend on it; start anew "
            "(--restart) with more training.kl.free_bits, a slower training.kl.annealing, or more "
            "training.target_token_dropout"
        )


def _checkpoint(session: Session, progress: Progress) -> Checkpoint:
    run = session.run
    return Checkpoint(
        session.recipe.model_dump(mode="json"),
        session.made_from,
        progress,
        machine(session.recipe, run.device),
        model_weights(run.model),
        optimizer_tensors(run.optimizer),
        random_state(run.device),
        run.average.weights,
    )


def _report(session: Session, ending: Finished, published: Published) -> TrainReport:
    progress = session.run.progress
    return TrainReport(
        session.recipe.name,
        ending.reason,
        ending.signal,
        ending.limit,
        progress.step,
        session.batches.epochs_done(progress),
        progress.seconds / 60,
        count_parameters(session.run.model),
        count_frozen(session.run.model),
        progress.best_step,
        published.scores,
        published.averaged,
        progress.skipped,
        session.carried_over,
    )
