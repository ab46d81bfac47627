"""`s2s train`: train, validate, keep the best, resume."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from s2scli.artifacts import read_artifact
from s2scli.config import DEFAULT_RECIPE, Recipe, fit_to_target, limited, load_recipe
from s2scli.data.store import Corpus
from s2scli.errors import ConfigError, StorageError
from s2scli.files import DELETED, remove_folder, write_file
from s2scli.manifest import read_manifest
from s2scli.metrics import METRICS
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.seq2seq import count_parameters, pick_device
from s2scli.pipeline.budget import fit_to_budget, fitted_changes, own_paths
from s2scli.pipeline.carry_over import CarriedOver
from s2scli.pipeline.inspect_recipe import sketch_model
from s2scli.pipeline.overwriting import require_restartable
from s2scli.pipeline.publishing import Published
from s2scli.pipeline.samples import take_samples
from s2scli.pipeline.session import Session, put_together
from s2scli.pipeline.start import Start, find_start
from s2scli.pipeline.train_tokenizer import (
    Encoding,
    adopt_tokenizer,
    ensure_encoded,
    ensure_tokenizer,
)
from s2scli.pipeline.validation import open_validation
from s2scli.pipeline.watching import Watch
from s2scli.report.console import Talk
from s2scli.report.progress import Goal, TrainingDisplay, training_display
from s2scli.settings import Tree
from s2scli.sizes import Size, size_for
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.checkpoint import list_checkpoints
from s2scli.training.events import Event, Finished, Step, Update, Validating, Validation
from s2scli.training.freezing import count_frozen
from s2scli.training.interruption import stop_requests
from s2scli.training.loop import train as training_events
from s2scli.training.metrics_log import LOGGED
from s2scli.training.outlook import Outlook, judge
from s2scli.training.progress import Progress
from s2scli.training.world import ALONE, World
from s2scli.workspace import Workspace

LAUNCH = ".launch"  # of the launcher whose processes began the run with --restart
MOST_OF_LAUNCH = 1000  # bytes
COUNTS = {"active_units": 0, "failed_lines": 0}
Check = Callable[[int, bool], None]  # of the step of an event; whether its weights are written
DIGITS = {name: metric.digits for name, metric in METRICS.items()} | COUNTS


def unwatched(event: Event) -> None:
    """Do nothing with an event."""


@dataclass(frozen=True)
class TrainRequest:
    """The options of `s2s train`.

    Attributes:
        recipe: a built-in recipe's name or a TOML file; None uses the recipe of the run to resume,
            of the model in `init_from`, or the default recipe.
        assignments: `section.key=value` changes to the recipe.
        limits: the limits given on the command line, by name.
        device: auto, cpu, cuda or cuda:N.
        restart: remove the existing run and start again.
        init_from: the folder of a model; a new run starts with those of its weights that fit.
        overwrite: remove the existing run without asking.
        flags: the recipe changes made by other flags, by flag.
        override: resume with other values of the settings that are safe to change.
        budget: fit the recipe to this training time, in minutes; None leaves it as it is.
        watch: called with each event after it is logged; an error that it raises ends the run.
    """

    recipe: str | None = None
    assignments: Sequence[str] = ()
    limits: Tree = field(default_factory=dict)
    device: str = "auto"
    restart: bool = False
    init_from: Path | None = None
    overwrite: bool = False
    flags: Mapping[str, Sequence[str]] = field(default_factory=dict)
    override: bool = False
    budget: float | None = None
    watch: Callable[[Event], None] = unwatched

    @property
    def changes(self) -> list[str]:
        """All changes to the recipe, from `--set` and from flags."""
        return [*self.assignments, *(one for each in self.flags.values() for one in each)]

    @property
    def changing(self) -> list[str]:
        """The options that change the recipe."""
        return ["--set"] * bool(self.assignments) + [*self.flags]


@dataclass(frozen=True)
class TrainReport:
    """The result of a run.

    Attributes:
        recipe: the name of the recipe.
        reason: why training ended.
        signal: the signal that ended it; 0 if none did.
        limit: the limit that ended it; "" if none did.
        step: the number of updates.
        epochs: the number of passes over the corpus.
        minutes: the training time, including earlier calls that this run resumed.
        parameters: the number of parameters of the model.
        frozen: the number of parameters that are not trained.
        best_step: the step of the best checkpoint.
        best: the validation scores of the published model.
        averaged: the steps whose weights were averaged; empty if the model is the best checkpoint.
        skipped_updates: the number of updates skipped because a gradient was not finite.
        carried_over: what was copied from the model in `init_from`; None without one and for
            resumed runs.
        outlook: whether more training is likely to help.
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
        MissingInputError: the corpus or its validation split is missing.
        CorpusError: the training or validation split is empty.
        TokenizerError: the tokenizer is damaged, or none can be trained.
        ConfigError: the recipe or the device is wrong, or the recipe differs from the run's.
        LockedError: another process uses the workspace, or the user did not agree to a restart.
        CheckpointError: the corpus, or every checkpoint of the run, is damaged.
        DivergedError: losses or gradients are no longer finite.
        OutOfMemoryError: a batch does not fit into memory.
        StorageError: the disk is full or writing failed.
        LostProcessError: another process of the run has ended.
    """
    if _was_restarted(workspace, world):
        request = replace(request, restart=False)
    check_request(workspace, request, talk)
    keep_freed_memory()
    with contextlib.ExitStack() as stack:
        world.once(lambda: stack.enter_context(workspace.locked("train")))
        session = open_run(workspace, request, talk, world)
        world.once(lambda: _open_log(session, talk, restart=request.restart))
        world.once(lambda: session.publisher.repair(talk))
        session.announce(talk)
        ending = _run(session, request.watch, talk)
        published = _publish(session, ending, talk)
        world.barrier()  # nothing is written after it, so the lock may go
        return _report(session, ending, published)


def open_run(
    workspace: Workspace, request: TrainRequest, talk: Talk, world: World = ALONE
) -> Session:
    """Put a run together, new or resumed; the caller must lock the workspace.

    Raises:
        S2SError: see `train`.
    """
    corpus = Corpus.load(workspace.find_corpus())
    open_validation(corpus)
    start = find_start(workspace, request.init_from, talk, world, restart=request.restart)
    recipe = choose_recipe(corpus, request, start, talk)
    start.check({"corpus": corpus.digest})
    start.check_model(workspace, request.init_from)
    tokenizers, encoding = world.first(
        world.choose(
            lambda: prepare_text(workspace, corpus, recipe, start, talk),
            lambda: (Tokenizers.load(workspace.tokenizer), Encoding(workspace.encoded)),
        )
    )
    recipe = fit_to_target(recipe, tokenizers.target, request.changes)
    device = world.device(pick_device(request.device))

    def open_session(recipe: Recipe) -> Session:
        settings = limited(recipe, request.limits)
        return put_together(
            workspace, corpus, encoding, recipe, settings, tokenizers, start, device, world, talk
        )

    if request.budget and not start.checkpoint:
        resizable = start.trained is None
        recipe = fit_to_budget(
            recipe, request.budget, request.changes, open_session, talk, resizable=resizable
        )
    return open_session(recipe)


def check_request(workspace: Workspace, request: TrainRequest, talk: Talk) -> None:
    """Check a request before anything is written; ask before a run is removed.

    Raises:
        MissingInputError: the corpus or the model in `init_from` is missing.
        UsageError: a change is of what the budget sets.
        ConfigError: the recipe or the device is wrong.
        LockedError: the user did not agree to a restart.
    """
    pick_device(request.device)
    if request.budget:
        own_paths(request.changes)
    if request.init_from:
        read_manifest(workspace.find_model(request.init_from), "model")
    resumed = not request.restart and list_checkpoints(workspace.training)
    # the assignments then change the recipe of the run or the model, which is not loaded yet
    own = (resumed or request.init_from) and request.recipe is None
    name, changes = request.recipe or DEFAULT_RECIPE, () if own else request.changes
    limited(_load_recipe(workspace, name, changes), request.limits)
    if not (
        workspace.root / f"{DELETED}{workspace.corpus.name}"
    ).exists():  # else locking repairs it
        workspace.find_corpus()
    if request.restart and not request.overwrite:
        require_restartable([workspace], talk)


def _load_recipe(workspace: Workspace, name: str, changes: Sequence[str]) -> Recipe:
    """Load a recipe; the corpus is read only if the recipe is wrong for a small text.

    Raises:
        ConfigError: the recipe is wrong for the sides of the corpus, or the changes are not for the
            model that the default recipe has for a corpus of this size.
    """
    try:
        return load_recipe(name, changes)
    except ConfigError:
        if not workspace.corpus.exists():
            raise
        corpus = Corpus.load(workspace.corpus)
        return load_recipe(name, changes, default_size(corpus), corpus.sides)


def default_size(corpus: Corpus) -> Size:
    """Return the size that selects the default recipe of a corpus."""
    return size_for(len(corpus.open_split("train")), corpus.sides)


def choose_recipe(corpus: Corpus, request: TrainRequest, start: Start, talk: Talk) -> Recipe:
    """Return the recipe of the run; for the default recipe, report the model it selects.

    Raises:
        ConfigError: the recipe cannot be trained, or its parts do not fit together.
    """
    size, changes = default_size(corpus), request.changes
    if request.budget and start.checkpoint and start.recipe:
        changes = [*changes, *fitted_changes(start.recipe, request.budget, changes)]
    recipe = start.choose_recipe(
        request.recipe,
        changes,
        size,
        sides=corpus.sides,
        options=request.changing,
        override=request.override,
        verbose=talk.verbose,
    )
    check_parts(recipe)
    for change in start.changes(recipe):
        talk.say(f"changed on resume: {change}")
    asked = request.recipe or (
        "" if start.trained else DEFAULT_RECIPE
    )  # a model has its own recipe
    if asked == DEFAULT_RECIPE and not start.checkpoint:
        pairs = len(corpus.open_split("train"))
        talk.say(f"recipe {DEFAULT_RECIPE} for {pairs:,} pairs: {size}")
    return recipe


def check_parts(recipe: Recipe) -> None:
    """Check that the parts of a recipe fit together, before a tokenizer is trained.

    Raises:
        ConfigError: they do not.
    """
    model = sketch_model(recipe)
    if recipe.search.coverage_penalty and model.attention_shape is None:
        raise ConfigError(
            f"search.coverage_penalty: {recipe.search.coverage_penalty:g} needs attention, but "
            "model.attention.kind is none; choose a kind of attention, or coverage_penalty 0"
        )


def prepare_text(
    workspace: Workspace, corpus: Corpus, recipe: Recipe, start: Start, talk: Talk
) -> tuple[Tokenizers, Encoding]:
    """Create the tokenizers and the encoded corpus if they are missing; return both."""
    if start.trained and not workspace.tokenizer.exists():
        talk.say("there is no tokenizer yet: using the model's")
        trained = start.trained
        adopt_tokenizer(workspace, corpus, trained.tokenizers, trained.manifest.digest, talk)
    tokenizers = ensure_tokenizer(workspace, corpus, talk)
    copier = recipe.copier(tokenizers)
    return tokenizers, ensure_encoded(workspace, corpus, tokenizers, talk, copier)


def _was_restarted(workspace: Workspace, world: World) -> bool:
    """Return whether the launcher has started these processes again after --restart was done.

    The first process says so for all of them, as each machine has a launcher of its own.
    """
    begun, launch = workspace.training / LAUNCH, world.launch.encode()
    found = world.choose(bool(launch) and begun.exists(), False)
    return bool(world.broadcast(found and read_artifact(begun, MOST_OF_LAUNCH) == launch))


def _open_log(session: Session, talk: Talk, *, restart: bool) -> None:
    """Remove the old run on a restart; drop log lines that a resumed run will write again."""
    training, progress = session.workspace.training, session.run.progress
    if restart and training.exists():
        remove_folder(training)
    if restart and session.run.world.launch:
        write_file(training / LAUNCH, session.run.world.launch.encode())
    aside = session.log.forget_after(progress.step, progress.validated)
    session.samples.forget_after(progress.validated)
    if aside:
        talk.warn(
            f"{session.log.path}: dropped damaged lines; the old file is kept as {aside.name}"
        )


def _run(session: Session, watch: Callable[[Event], None], talk: Talk) -> Finished:
    """Train; show, log and pass on each event, and publish each new best model.

    Weights trained in this call are written only after the check of the encoded corpus has ended.

    Raises:
        CheckpointError: the encoded corpus is damaged.
    """
    run, limits, told = session.run, session.run.settings.limits, Watch(session, talk)
    began = run.progress.step
    finished = Finished(run.progress.step, "")

    def check(step: int, written: bool) -> None:
        session.encoding.wait(None if written and step > began else 0)

    def save(progress: Progress) -> None:
        check(progress.step, True)
        session.save(progress)

    def announce(signal: int) -> None:
        talk.say("stopping after this update; interrupt again to stop at once")

    goal = Goal(limits.max_steps, limits.max_epochs, limits.max_minutes)
    display = training_display(talk, goal, run.criterion.name, DIGITS)
    with stop_requests(announce) as request, display as shown:
        for event in training_events(
            run, session.batches, session.validator, save, lambda: request.signal, session.roll_back
        ):
            _show(event, shown, talk)
            told.tell(event)
            _record(event, session, check, told)
            watch(event)
            if isinstance(event, Finished):
                finished = event
    return finished


def _record(event: Event, session: Session, check: Check, watch: Watch) -> None:
    """Log an event and publish new best weights; if writing fails, warn and continue."""
    if not isinstance(event, LOGGED):
        return
    world = session.run.world
    use = session.machine_use.measure() if isinstance(event, Update) else {}

    def write() -> None:
        check(event.step, isinstance(event, Validation) and event.best)
        watch.record(event, use)
        samples = take_samples(session.validator) if isinstance(event, Validation) else []
        if samples:
            session.samples.add(event.step, samples)

    try:
        world.once(write)
        if isinstance(event, Validation) and event.best:
            world.once(lambda: session.publisher.publish(event.scores))
    except StorageError as error:
        watch.talk.warn(f"{error}; training continues")


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


def _publish(session: Session, ending: Finished, talk: Talk) -> Published:
    """Publish the best model, with checkpoint averaging unless a signal ended the run."""
    publisher = session.publisher
    session.run.world.once(lambda: publisher.repair(talk))
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
