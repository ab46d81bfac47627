"""Choose what a training run starts from: a checkpoint, another model's weights, or nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s2scli.config import (
    DEFAULT_RECIPE,
    Recipe,
    change_recipe,
    check_sides,
    fixed_settings,
    is_safe_to_change,
    load_recipe,
)
from s2scli.errors import ConfigError
from s2scli.manifest import read_manifest
from s2scli.model.weights import load_weights
from s2scli.report.console import Talk
from s2scli.settings import load_settings
from s2scli.sides import TEXT, Sides
from s2scli.sizes import Size
from s2scli.training.checkpoint import (
    Checkpoint,
    load_optimizer,
    newest_checkpoint,
    restore_random_state,
    same_checkpoint,
    settings_difference,
    sweep,
)
from s2scli.training.loop import Run
from s2scli.training.machine import machine_differences
from s2scli.training.world import ALONE, World
from s2scli.translation.model_folder import LoadedModel, load_model_folder
from s2scli.workspace import Workspace

MAX_LISTED = 5


@dataclass(frozen=True)
class Start:
    """What a run starts from.

    Attributes:
        checkpoint: the checkpoint to resume from; None for a new run.
        trained: the model whose weights a new run starts with; None for random weights.
    """

    checkpoint: Checkpoint | None = None
    trained: LoadedModel | None = None

    @property
    def recipe(self) -> Recipe | None:
        """The recipe of the checkpoint or the trained model; None if there is neither."""
        if self.checkpoint:
            return load_settings(Recipe, self.checkpoint.settings, "checkpoint")
        return self.trained.recipe if self.trained else None

    @property
    def machine(self) -> Mapping[str, Any] | None:
        """The machine of the run to resume (`training.machine`); None for a new run."""
        return self.checkpoint.machine if self.checkpoint else None

    def choose_recipe(
        self,
        name: str | None,
        assignments: Sequence[str],
        size: Size,
        *,
        sides: Sides = TEXT,
        options: Sequence[str] = ("--set",),
        override: bool = False,
        verbose: bool = False,
    ) -> Recipe:
        """Return the recipe to train with.

        Args:
            name: a built-in recipe's name or a TOML file; None uses the recipe of the run to
                resume, of the trained model, or the default recipe.
            assignments: `section.key=value` changes to the recipe.
            size: the corpus size that selects the default recipe.
            sides: what the corpus is made of.
            options: the command-line options that the assignments come from.
            override: accept other values of the settings that are safe to change
                (`config.SAFE_TO_CHANGE`).
            verbose: list every setting that differs in the error, not just the first few.

        Raises:
            ConfigError: the recipe does not fit the sides, or it differs from that of the run to
                resume in more than the limits, the search settings but `ctc_weight` and, with
                `override`, the settings that are safe to change.
        """
        own = self.recipe
        if own and name is None:
            tree = own.model_dump(mode="json")
            recipe = change_recipe(tree, assignments, f"recipe {own.name}")
            check_sides(recipe, sides)
        else:
            recipe = load_recipe(name or DEFAULT_RECIPE, assignments, size, sides)
        if own and self.checkpoint:
            asked = [f"-r {name}"] * (name is not None) + [*options] * bool(assignments)
            _check_changes(
                self.changes(recipe),
                " and ".join(asked),
                None if verbose else MAX_LISTED,
                override=override,
            )
        return recipe

    def changes(self, recipe: Recipe) -> list[str]:
        """Return `path: old -> new` for each setting that differs from the run to resume.

        The limits and the search settings but `ctc_weight` are left out.
        """
        own = self.recipe
        if not own or not self.checkpoint:
            return []
        return settings_difference(fixed_settings(own), fixed_settings(recipe))

    def check(self, made_from: Mapping[str, str]) -> None:
        """Check that the run to resume was trained with the current corpus or tokenizer.

        Args:
            made_from: the current digests, by kind.

        Raises:
            ConfigError: the run was trained with a different corpus or tokenizer.
        """
        for kind, digest in made_from.items():
            if self.checkpoint and self.checkpoint.made_from.get(kind) != digest:
                raise ConfigError(
                    f"the run in this workspace was trained with a different {kind}; start again "
                    "with --restart, or use another workspace (-w)"
                )

    def check_model(self, workspace: Workspace, init_from: Path | None) -> None:
        """Check that the run to resume started from the model in `init_from`.

        Raises:
            ConfigError: the run started from another model, or from none.
        """
        if not self.checkpoint or not init_from:
            return
        digest = read_manifest(workspace.find_model(init_from), "model").digest
        if self.checkpoint.made_from.get("model") != digest:
            raise ConfigError(
                f"the run in this workspace did not start from the model in {init_from}; resume "
                "without --init-from, use another workspace (-w), or start again (--restart)"
            )

    def made_from(self, corpus: str, tokenizer: str) -> Mapping[str, str]:
        """Return the digests of the artifacts the run is made from, by kind.

        Raises:
            ConfigError: see `check`.
        """
        now = {"corpus": corpus, "tokenizer": tokenizer}
        self.check(now)
        if self.checkpoint:
            return self.checkpoint.made_from
        return {**now, "model": self.trained.manifest.digest} if self.trained else now

    def match_machine(self, now: Mapping[str, object], talk: Talk) -> None:
        """Use the run's thread count; warn if the machine differs from the checkpoint's.

        With another number of processes than before, each keeps its own thread count. On a
        different machine, results may differ from those of an uninterrupted run.
        """
        machine = self.machine
        if machine is None:
            return
        threads = machine.get("threads", torch.get_num_threads())
        alike = machine.get("processes", 1) == now["processes"]
        if alike and threads != torch.get_num_threads():
            talk.say(f"using {threads} threads, as the run did before")
            torch.set_num_threads(threads)
        for name, before, value in machine_differences(machine, now):
            talk.warn(
                f"the run so far used {name} {before}, now it is {value}: training continues, but "
                "the results may differ from those of an uninterrupted run"
            )

    def restore(self, run: Run) -> None:
        """Restore a run's weights, optimizer, random state and progress from the checkpoint."""
        if not self.checkpoint:
            return
        restore_weights(run, self.checkpoint)
        restore_random_state(self.checkpoint.random_state, run.device)
        run.progress = self.checkpoint.progress


def restore_weights(run: Run, checkpoint: Checkpoint) -> None:
    """Restore a run's weights, optimizer and moving average from a checkpoint.

    Raises:
        CheckpointError: the checkpoint does not fit.
    """
    progress = checkpoint.progress
    load_optimizer(run.optimizer, checkpoint.optimizer, progress.step - progress.skipped)
    load_weights(run.model, checkpoint.weights, "checkpoint")
    run.average.load(checkpoint.average, "checkpoint")


def _check_changes(
    changes: Sequence[str], options: str, most: int | None, *, override: bool
) -> None:
    """Check that a run may be resumed with these changes to its settings.

    Args:
        changes: each as `path: old -> new`.
        options: the command-line options that request them.
        most: the number of changes to list; None lists all.
        override: whether those that are safe are accepted.

    Raises:
        ConfigError: there are changes; with `override`, there are some that are not safe.
    """
    unsafe = [change for change in changes if not is_safe_to_change(change.partition(":")[0])]
    refused = unsafe if override else changes
    if not refused:
        return
    way = f"resume without {options}, use another workspace (-w), or start again (--restart)"
    if not unsafe:
        way = f"add --override to change them now, or {way}"
    found = "--override cannot change these" if override else "the run in this workspace has other"
    more = f"; and {len(refused[most:])} more (-v lists them)" if most and refused[most:] else ""
    raise ConfigError(f"{way}: {found} settings: {'; '.join(refused[:most])}{more}")


def find_start(
    workspace: Workspace,
    init_from: Path | None,
    talk: Talk,
    world: World = ALONE,
    *,
    restart: bool,
) -> Start:
    """Load the newest undamaged checkpoint or, without one, the model in `init_from`.

    The first process chooses the checkpoint for all.

    Raises:
        CheckpointError: all checkpoints, or the model, are damaged, or another process does not
            find the checkpoint.
        StorageError: the temporary files of a crash cannot be removed.
    """

    def newest() -> Checkpoint | None:
        sweep(workspace.training)
        checkpoint, faults = newest_checkpoint(workspace.training)
        for fault in faults:
            talk.warn(f"{fault}; falling back to an older checkpoint")
        return checkpoint

    checkpoint = None if restart else same_checkpoint(workspace.training, world, newest)
    if checkpoint or not init_from:
        return Start(checkpoint)
    device = torch.device("cpu")
    model = world.first(lambda: load_model_folder(workspace.find_model(init_from), device))
    return Start(trained=model)
