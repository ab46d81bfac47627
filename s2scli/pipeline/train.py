"""`s2s train`: train, validate, keep the best, resume."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from s2scli.config import DEFAULT_RECIPE, Recipe, limited, load_recipe
from s2scli.data.store import Corpus
from s2scli.errors import StorageError
from s2scli.files import DELETED, remove_folder
from s2scli.manifest import read_manifest
from s2scli.metrics import METRICS
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.seq2seq import count_parameters, pick_device
from s2scli.pipeline.carry_over import CarriedOver
from s2scli.pipeline.overwriting import require_restartable
from s2scli.pipeline.publishing import Published
from s2scli.pipeline.session import Session, put_together
from s2scli.pipeline.start import Start, find_start
from s2scli.pipeline.train_tokenizer import adopt_tokenizer, ensure_encoded, ensure_tokenizer
from s2scli.pipeline.validation import open_validation, warn_of_collapse
from s2scli.report.console import Talk
from s2scli.report.progress import Goal, TrainingDisplay, training_display
from s2scli.settings import Tree
from s2scli.sides import TEXT
from s2scli.sizes import size_for
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.checkpoint import list_checkpoints
from s2scli.training.events import Event, Finished, Saved, Step, Update, Validating, Validation
from s2scli.training.freezing import count_frozen
from s2scli.training.interruption import stop_requests
from s2scli.training.loop import train as training_events
from s2scli.training.outlook import Outlook, judge
from s2scli.training.world import ALONE, World
from s2scli.workspace import Workspace

COUNTS = {"active_units": 0, "failed_lines": 0}
DIGITS = {name: metric.digits for name, metric in METRICS.items()} | COUNTS


@dataclass(frozen=True)
class TrainRequest:
    """What the user asks for.

    Attributes:
        recipe: a built-in recipe's name or a TOML file; None is the run's own, or the default.
        assignments: `section.key=value` changes to it.
        limits: the limits that were given, by name.
        device: auto, cpu, cuda or cuda:N.
        restart: remove the existing run.
        init_from: the folder of the model whose weights a new run starts with, where they fit.
        overwrite: restart without asking.
        flags: the changes that flags stand for, by flag.
    """

    recipe: str | None = None
    assignments: Sequence[str] = ()
    limits: Tree = field(default_factory=dict)
    device: str = "auto"
    restart: bool = False
    init_from: Path | None = None
    overwrite: bool = False
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def changes(self) -> list[str]:
        """All changes to the recipe, by `--set` and by flags."""
        return [*self.assignments, *(one for each in self.flags.values() for one in each)]

    @property
    def changing(self) -> list[str]:
        """The options that change the recipe."""
        return ["--set"] * bool(self.assignments) + [*self.flags]


@dataclass(frozen=True)
class TrainReport:
    """How a run ended.

    Attributes:
        recipe: its name.
        reason: why it ended.
        signal: the signal that ended it, or 0.
        limit: the limit that ended it, or "".
        step: updates made.
        epochs: passes over the corpus.
        minutes: time the run has taken, over all its sessions.
        parameters: weights of the model.
        frozen: how many of them are not trained.
        best_step: the update of the best checkpoint, which is the model.
        best: the model's validation scores.
        averaged: the updates whose weights were averaged, if the model is a mean instead.
        skipped_updates: updates left out because a gradient was not finite.
        carried_over: what the model took over from another; None for other or resumed runs.
        outlook: whether more training is worth it.
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
    outlook: Outlook


def train(
    workspace: Workspace, request: TrainRequest, talk: Talk, world: World = ALONE
) -> TrainReport:
    """Train a model on the workspace's corpus, or resume its run.

    Raises:
        MissingInputError: there is no corpus, or it has no validation split.
        CorpusError: there is nothing to learn from, or to validate with.
        TokenizerError: the tokenizer is damaged, or none can be learned.
        ConfigError: a wrong recipe or device, or another recipe than the run's.
        LockedError: another run holds the workspace, or a restart would remove the run there.
        CheckpointError: the corpus, or every checkpoint of the run, is damaged.
        DivergedError: losses or gradients are no longer finite.
        OutOfMemoryError: a batch does not fit into memory.
        StorageError: the disk is full or writing failed.
    """
    _check(workspace, request, talk)
    keep_freed_memory()
    with workspace.locked("train"):
        corpus = Corpus.load(workspace.find_corpus())
        open_validation(corpus)
        start = find_start(workspace, request.init_from, talk, restart=request.restart)
        recipe = _choose_recipe(corpus, request, start, talk)
        start.check({"corpus": corpus.digest})
        start.check_model(workspace, request.init_from)
        tokenizers = _prepare_text(workspace, corpus, start, talk)
        settings, device = limited(recipe, request.limits), pick_device(request.device)
        session = put_together(
            workspace, corpus, recipe, settings, tokenizers, start, device, world, talk
        )
        world.once(lambda: _open_log(session, talk, restart=request.restart))
        session.publisher.repair(talk)
        session.announce(talk, resumed=start.checkpoint is not None)
        ending = _run(session, talk)
        published = _publish(session, ending, talk)
        world.barrier()
        return _report(session, ending, published)


def _check(workspace: Workspace, request: TrainRequest, talk: Talk) -> None:
    """Check the request before anything is written."""
    pick_device(request.device)
    if request.init_from:
        read_manifest(workspace.find_model(request.init_from), "model")
    resumed = not request.restart and list_checkpoints(workspace.training)
    # if so, the assignments are for the recipe of the run, or of the model
    own = (resumed or request.init_from) and request.recipe is None
    sides = TEXT
    if not (
        workspace.root / f"{DELETED}{workspace.corpus.name}"
    ).exists():  # else locking repairs it
        sides = Corpus.load(workspace.find_corpus()).sides
    name, changes = request.recipe or DEFAULT_RECIPE, () if own else request.changes
    limited(load_recipe(name, changes, sides=sides), request.limits)
    if request.restart and not request.overwrite:
        require_restartable([workspace], talk)


def _choose_recipe(corpus: Corpus, request: TrainRequest, start: Start, talk: Talk) -> Recipe:
    """Return the recipe of the run; say what the default one is for a corpus of this size."""
    pairs = len(corpus.open_split("train"))
    size = size_for(pairs, corpus.sides)
    recipe = start.choose_recipe(
        request.recipe,
        request.changes,
        size,
        sides=corpus.sides,
        options=request.changing,
        verbose=talk.verbose,
    )
    asked = request.recipe or ("" if start.trained else DEFAULT_RECIPE)  # a model brings its own
    if asked == DEFAULT_RECIPE and not start.checkpoint:
        talk.say(f"recipe {DEFAULT_RECIPE} for {pairs:,} pairs: {size}")
    return recipe


def _prepare_text(workspace: Workspace, corpus: Corpus, start: Start, talk: Talk) -> Tokenizers:
    """Make sure that there are a tokenizer and an encoded corpus; return the tokenizers."""
    if start.trained and not workspace.tokenizer.exists():
        talk.say("there is no tokenizer yet: taking the model's")
        trained = start.trained
        adopt_tokenizer(workspace, corpus, trained.tokenizers, trained.manifest.digest, talk)
    tokenizers = ensure_tokenizer(workspace, corpus, talk)
    ensure_encoded(workspace, corpus, tokenizers, talk)
    return tokenizers


def _open_log(session: Session, talk: Talk, *, restart: bool) -> None:
    """Remove the run to be replaced; drop from the log what a resumed run will repeat."""
    training, progress = session.workspace.training, session.run.progress
    if restart and training.exists():
        remove_folder(training)
    aside = session.log.forget_after(progress.step, progress.validated)
    if aside:
        talk.warn(f"{session.log.path}: damaged lines are dropped; {aside.name} keeps it as it was")


def _run(session: Session, talk: Talk) -> Finished:
    """Go through the events of the run: log them, show them, publish the best model."""
    run, limits = session.run, session.run.settings.limits
    finished = Finished(run.progress.step, "")

    def announce(signal: int) -> None:
        talk.say("stopping after this update; interrupt again to stop at once")

    goal = Goal(limits.max_steps, limits.max_epochs, limits.max_minutes)
    display = training_display(talk, goal, run.criterion.name, DIGITS)
    with stop_requests(announce) as request, display as shown:
        for event in training_events(
            run, session.batches, session.validator, session.save, lambda: request.signal
        ):
            _show(event, shown, talk)
            if isinstance(event, Validation):
                warn_of_collapse(event, session.log, run.settings.kl, talk)
            _record(event, session, talk)
            if isinstance(event, Finished):
                finished = event
    return finished


def _record(event: Event, session: Session, talk: Talk) -> None:
    """Log an event, publish the best weights; a full disk ends a run only at its end."""
    try:
        session.run.world.once(lambda: session.log.add(event))
        if isinstance(event, Validation) and event.best:
            session.publisher.publish(event.scores)
    except StorageError as error:
        talk.warn(f"{error}; training continues")


def _show(event: Event, display: TrainingDisplay, talk: Talk) -> None:
    match event:
        case Step():
            display.step(event.step, event.epoch, event.seconds)
        case Validating():
            display.validating(event.step)
        case Update():
            display.update(
                event.step, event.epoch, event.loss, event.tokens_per_second, event.seconds
            )
        case Validation():
            display.validation(
                event.step, event.epoch, event.seconds, event.scores, best=event.best
            )
            if failed := event.scores.get("failed_lines"):
                talk.warn(f"{failed:.0f} validation lines failed at step {event.step}")
        case Saved(fault=fault) if fault:
            talk.warn(f"{fault}; training continues and tries again at the next checkpoint")


def _publish(session: Session, ending: Finished, talk: Talk) -> Published:
    """Make sure that the model is the best there is; without averaging after a signal."""
    publisher = session.publisher
    publisher.repair(talk)
    return publisher.best() if ending.signal else publisher.finish(session.validator, talk)


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
        judge(session.log.validations(), session.run.criterion),
    )
