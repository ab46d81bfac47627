"""Build a training run from a recipe, a corpus and a starting point."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from s2scli.config import Recipe
from s2scli.data.codecs import source_codec
from s2scli.data.encoded import open_encoded
from s2scli.data.store import Corpus
from s2scli.export.targets import say_exports
from s2scli.model.seq2seq import count_parameters
from s2scli.model.weights import model_weights
from s2scli.pipeline.carry_over import CarriedOver, carry_over, say_carried_over
from s2scli.pipeline.publishing import Publisher, origin_of
from s2scli.pipeline.segmenters import make_segmenters, unread_settings
from s2scli.pipeline.start import Start, restore_weights
from s2scli.pipeline.train_tokenizer import Encoding
from s2scli.pipeline.validation import Validator
from s2scli.report.console import Talk
from s2scli.report.progress import clock
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.annealing import KLSettings
from s2scli.training.checkpoint import (
    Checkpoint,
    checkpoint_up_to,
    optimizer_tensors,
    random_state,
    same_checkpoint,
    save_checkpoint,
)
from s2scli.training.epochs import TrainingBatches
from s2scli.training.freezing import count_frozen, freeze, trainable
from s2scli.training.loop import Run, learning_rate
from s2scli.training.machine import describe_machine
from s2scli.training.machine_use import MachineUse
from s2scli.training.metrics_log import MetricsLog
from s2scli.training.precision import arithmetic
from s2scli.training.products import choose_products
from s2scli.training.progress import Progress
from s2scli.training.samples_log import SamplesLog
from s2scli.training.settings import TrainingSettings
from s2scli.training.stopping import ending
from s2scli.training.tracking import TRACKERS
from s2scli.training.world import World
from s2scli.translation.model_folder import build_model
from s2scli.workspace import Workspace


@dataclass(frozen=True)
class Session:
    """The objects of one call of `s2s train`."""

    workspace: Workspace
    encoding: Encoding
    recipe: Recipe
    tokenizers: Tokenizers
    made_from: Mapping[str, str]
    origin: Mapping[str, Any]
    carried_over: CarriedOver | None
    run: Run
    batches: TrainingBatches
    validator: Validator
    log: MetricsLog
    machine_use: MachineUse

    @property
    def samples(self) -> SamplesLog:
        """The outputs over time (`training.log_samples`)."""
        return SamplesLog(self.workspace.training / "samples.jsonl")

    @property
    def publisher(self) -> Publisher:
        """The publisher, which writes the model folder."""
        return Publisher(
            self.workspace, self.recipe, self.tokenizers, self.run, self.log, self.origin
        )

    def save(self, progress: Progress) -> None:
        """Write a checkpoint.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        self.log.sync()
        save_checkpoint(self.workspace.training, self._checkpoint(progress))

    def roll_back(self, step: int) -> int | None:
        """Restore the weights of the newest intact checkpoint saved at a step or before.

        The data, the counters and the random state go on.

        Returns:
            The step of the checkpoint, or None if there is none.

        Raises:
            CheckpointError: another process does not find the checkpoint of the first.
        """
        training = self.workspace.training
        checkpoint = same_checkpoint(
            training, self.run.world, lambda: checkpoint_up_to(training, step)
        )
        if checkpoint is None:
            return None
        restore_weights(self.run, checkpoint)
        return checkpoint.progress.step

    def _checkpoint(self, progress: Progress) -> Checkpoint:
        run = self.run
        return Checkpoint(
            self.recipe.model_dump(mode="json"),
            self.made_from,
            progress,
            describe_machine(run.settings, run.device, run.world, self.batches.plan_version),
            model_weights(run.model),
            optimizer_tensors(run.optimizer),
            random_state(run.device),
            run.average.weights,
        )

    @property
    def resumed(self) -> bool:
        """Whether the run goes on from a checkpoint."""
        return self.run.progress.validated >= 0

    def announce(self, talk: Talk) -> None:
        """Report the model, the device and the batches of the run."""
        run, batches, resumed = self.run, self.batches, self.resumed
        frozen, learned = count_frozen(run.model), f"{count_parameters(run.model):,} parameters"
        talk.say(
            f"recipe {self.recipe.name}: {learned}"
            + f" ({frozen:,} frozen)" * bool(frozen)
            + " on "
            f"{run.device} in {arithmetic(run.settings, run.device)}"
            + f" and {run.world.size} processes" * (run.world.size > 1)
            + f", {batches.kept:,} pairs in "
            + "about " * (batches.windows > 1)
            + f"{batches.updates_per_epoch} updates per epoch (batches of {batches.batch_tokens} "
            "tokens)"
        )
        media = self.validator.translator.sides.source
        if media:
            front_end = self.recipe.model.source.kind
            talk.say(f"the model reads {media.description} through the front end {front_end}")
        if not resumed:
            talk.say(f"the model {say_exports(self.recipe.model)}")
        if self.carried_over:
            say_carried_over(self.carried_over, talk)
        entropy = self.validator.entropy
        talk.say(
            f"to beat: {entropy:.2f} nats per token (perplexity {math.exp(entropy):.1f}), the loss "
            "of knowing only how frequent each token is"
        )
        source, target = batches.padding
        talk.detail(
            f"padding: {source:.1%} of source positions, {target:.1%} of target positions"
            + f", in one of the {batches.windows} windows of an epoch" * (batches.windows > 1)
        )
        if batches.growth > 1:
            talk.say(
                "the training text is resegmented every epoch, which gives "
                f"{batches.growth:.2f} times as many tokens"
            )
        if batches.too_long:
            talk.warn(
                f"{batches.too_long:,} pairs are longer than training.max_length "
                f"({self.recipe.training.max_length} tokens) and are left out"
            )
        for unread in self._unread_settings():
            talk.warn(f"no effect: {unread}")
        if resumed:
            talk.say(f"resuming from step {run.progress.step} ({clock(run.progress.seconds)})")
            self._warn_of_no_rate(talk)

    def _unread_settings(self) -> Iterator[str]:
        """Yield each setting that is on and has no effect in this run, and why."""
        settings = self.recipe.training
        yield from unread_settings(self.tokenizers, settings)
        if settings.kl != KLSettings() and self.recipe.model.connection.kind != "latent":
            yield "training.kl: the model has no latent connection"

    def _warn_of_no_rate(self, talk: Talk) -> None:
        """Warn if the run goes on after the end of a schedule that ends at 0."""
        run = self.run
        step, goes_on = run.progress.step, not ending(run.progress, run.settings.limits, signal=0)
        if step and goes_on and not learning_rate(run.settings, run.progress, step):
            talk.warn(
                "the schedule of this run has ended: its learning rate stays 0, and more updates "
                "train nothing; choose a later end, with --set training.schedule.total_steps=N "
                "--override"
            )


def put_together(
    workspace: Workspace,
    corpus: Corpus,
    encoding: Encoding,
    recipe: Recipe,
    settings: TrainingSettings,
    tokenizers: Tokenizers,
    start: Start,
    device: torch.device,
    world: World,
    talk: Talk,
) -> Session:
    """Build the objects of a run; if it is resumed, restore its state.

    Args:
        workspace: the workspace with the encoded corpus.
        corpus: the corpus.
        encoding: the encoded corpus.
        recipe: the recipe of the run.
        settings: the training settings of the recipe, with the limits of this call.
        tokenizers: the tokenizers of both sides.
        start: what the run starts from.
        device: the device to train on.
        world: the processes that train together.
        talk: warns if results may differ from an uninterrupted run.
    """
    made_from = start.made_from(corpus.digest, tokenizers.digest)
    batches = _open_batches(workspace, corpus, recipe, tokenizers, world)
    torch.manual_seed(recipe.training.seed)
    model = build_model(recipe, tokenizers)
    settings = choose_products(settings, device, model, world, start.machine).use(settings)
    machine = describe_machine(settings, device, world, batches.plan_version)
    start.match_machine(machine, talk)
    carried_over = carry_over(model, tokenizers, start.trained) if start.trained else None
    model = model.to(device)
    freeze(model, recipe.training.freeze)
    optimizer = recipe.training.optimizer.build(trainable(model))
    run = Run(model, optimizer, settings, recipe.criterion, device, Progress(), world)
    start.restore(run)
    validator = Validator.prepare(workspace, corpus, run, recipe, tokenizers)
    trackers = [TRACKERS[name](workspace.training / name) for name in recipe.training.track]
    log = MetricsLog(workspace.training / "metrics.jsonl", trackers)
    return Session(
        workspace,
        encoding,
        recipe,
        tokenizers,
        made_from,
        origin_of(workspace, corpus, made_from),
        carried_over,
        run,
        batches,
        validator,
        log,
        MachineUse(device),
    )


def _open_batches(
    workspace: Workspace,
    corpus: Corpus,
    recipe: Recipe,
    tokenizers: Tokenizers,
    world: World,
) -> TrainingBatches:
    """Open the encoded training split."""
    settings, copier = recipe.training, recipe.copier(tokenizers)
    split = open_encoded(
        workspace.encoded,
        "train",
        corpus,
        source_codec(tokenizers.source, copier),
        reads=tokenizers.reads,
        target_size=tokenizers.target.vocab_size,
        copying=copier is not None,
    )
    segmenters = make_segmenters(tokenizers, settings)
    return TrainingBatches(split, settings, segmenters, world, corpus.mixture)
