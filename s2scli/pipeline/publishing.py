"""Publish a run's model: its best weights or, at the end, an average of checkpoints."""

import functools
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from s2scli import __version__
from s2scli.config import Recipe
from s2scli.data.accounting import read_report
from s2scli.data.store import Corpus
from s2scli.errors import CheckpointError, MissingInputError
from s2scli.manifest import verify_folder
from s2scli.pipeline.reproducing import preparing_commands
from s2scli.report.console import Talk
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.averaging import Mean, wearing
from s2scli.training.checkpoint import (
    Checkpoint,
    checkpoint_folder,
    load_checkpoint,
    same_checkpoint,
)
from s2scli.training.loop import Run
from s2scli.training.metrics_log import MetricsLog
from s2scli.translation.model_card import DATA, INIT_FROM, MADE_WITH
from s2scli.translation.model_folder import model_facts, write_model_folder
from s2scli.workspace import Workspace


@dataclass(frozen=True)
class Published:
    """Which weights of the run were published as the workspace's model.

    Attributes:
        scores: the validation scores of these weights.
        averaged: the steps whose weights were averaged; empty for the best checkpoint.
    """

    scores: Mapping[str, float]
    averaged: Sequence[int] = ()


@dataclass(frozen=True)
class Publisher:
    """Writes the model folder of a run; of several processes, only the first publishes.

    `finish` is called by all, as it validates.
    """

    workspace: Workspace
    recipe: Recipe
    tokenizers: Tokenizers
    run: Run
    log: MetricsLog
    origin: Mapping[str, Any]

    def publish(self, scores: Mapping[str, float]) -> None:
        """Publish the weights that were just validated as the workspace's model.

        Raises:
            StorageError: the disk is full or writing failed.
        """
        progress = self.run.progress
        self._write(self.run.judged, progress.step, progress.seconds, scores)

    def repair(self, talk: Talk) -> None:
        """Publish the best checkpoint if the model is damaged, missing or from another step."""
        if self.run.progress.best_score is None:
            return
        if self._facts().get("step") != self.run.progress.best_step:
            self._publish_best(talk)

    def finish(self, validate: Callable[[], Mapping[str, float]], talk: Talk) -> Published:
        """Publish the mean of the best checkpoints if it scores better than the best checkpoint.

        Otherwise, publish the best checkpoint if a mean was published earlier.

        Raises:
            CheckpointError: another process does not find a checkpoint of the first.
            StorageError: the disk is full or writing failed.
        """
        progress, world = self.run.progress, self.run.world
        mean, steps = Mean(), list[int]()
        for step, weights in self._best_weights(talk):
            mean.add(weights)
            steps.append(step)
        if len(steps) > 1:
            average = mean.weights
            self.run.model.eval()
            with wearing(self.run.model, average):
                scores = validate()
            if self._compare(steps, scores, talk):
                world.once(
                    lambda: self._write(
                        average, progress.best_step, progress.seconds, scores, steps
                    )
                )
                return Published(scores, steps)
        world.once(lambda: self._unpublish_mean(talk))
        return self.best()

    def _unpublish_mean(self, talk: Talk) -> None:
        """Publish the best checkpoint if a mean was published earlier."""
        if self._facts().get("averaged"):
            self._publish_best(talk)

    def best(self) -> Published:
        """Return the best checkpoint's scores, as those of the published model."""
        return Published(self.log.scores_at(self.run.progress.best_step))

    def _compare(self, steps: Sequence[int], scores: Mapping[str, float], talk: Talk) -> bool:
        """Return whether the mean scores better than the best checkpoint; report both scores."""
        criterion, best = self.run.criterion, self.run.progress.best_score
        sound = all(map(math.isfinite, scores.values()))
        score = scores[criterion.name]
        better = sound and criterion.is_better(score, best)
        talk.say(
            f"the mean of {len(steps)} checkpoints (steps {', '.join(map(str, steps))}) has "
            f"{criterion.name} {score:.4g}, the best checkpoint {best:.4g}: "
            f"{'the mean' if better else 'the best checkpoint'} becomes the model"
        )
        return better

    def _best_weights(self, talk: Talk) -> Iterator[tuple[int, Mapping[str, Tensor]]]:
        """Yield the steps and weights of the best checkpoints; skip damaged ones.

        Raises:
            CheckpointError: another process does not find a checkpoint of the first.
        """
        training, world = self.workspace.training, self.run.world

        def load(step: int) -> Checkpoint | None:
            try:
                return load_checkpoint(checkpoint_folder(training, step))
            except (MissingInputError, CheckpointError) as error:
                talk.warn(f"{error}; not included in the mean")
                return None

        for step in sorted(step for step, _ in self.run.progress.ranking):
            found = same_checkpoint(training, world, functools.partial(load, step))
            if found:
                yield step, found.judged

    def _facts(self) -> Mapping[str, Any]:
        """Return the facts of the model folder; empty if it is damaged or missing."""
        try:
            return verify_folder(self.workspace.model, "model").facts
        except (MissingInputError, CheckpointError):
            return {}

    def _publish_best(self, talk: Talk) -> None:
        """Publish the best checkpoint; if it is damaged, warn and keep the model folder."""
        step = self.run.progress.best_step
        try:
            best = load_checkpoint(checkpoint_folder(self.workspace.training, step))
        except (MissingInputError, CheckpointError) as error:
            talk.warn(f"{error}; the model folder stays unchanged until a better model is found")
            return
        self._write(best.judged, step, best.progress.seconds, self.log.scores_at(step))

    def _write(
        self,
        weights: Mapping[str, Tensor],
        step: int,
        seconds: float,
        scores: Mapping[str, float],
        averaged: Sequence[int] = (),
    ) -> None:
        facts = {
            **model_facts(self.run.model, step, seconds, scores, averaged),
            **self.origin,
        }
        folder, tokenizers = self.workspace.model, self.tokenizers
        write_model_folder(folder, self.recipe, weights, tokenizers, facts)


def origin_of(workspace: Workspace, corpus: Corpus, made_from: Mapping[str, str]) -> dict[str, Any]:
    """Return the facts about what a model is made from, and about the programs that made it.

    Args:
        workspace: the workspace of the run.
        corpus: its corpus.
        made_from: the digests of what the run is made from, by kind.
    """
    model = {INIT_FROM: made_from["model"]} if "model" in made_from else {}
    made_with = {
        "s2s": __version__,
        "torch": torch.__version__,
        "Python": platform.python_version(),
        "processor": platform.machine(),
    }
    try:
        report = read_report(corpus.folder)
    except (MissingInputError, CheckpointError):  # it was moved after it was encoded
        return {**model, MADE_WITH: made_with}
    data = {
        "files": [name for account in report.files for name in account.names],
        "commands": preparing_commands(workspace, report, corpus.manifest.facts),
        "rows": {split: summary.rows for split, summary in report.splits.items()},
    }
    return {**model, DATA: data, MADE_WITH: made_with}
