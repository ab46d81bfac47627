"""The PyTorch engine: our own search, for every model and for ensembles."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from s2scli.config import Recipe
from s2scli.data.codecs import source_codec
from s2scli.data.example import TokenIds, Values
from s2scli.errors import ConfigError, UsageError
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.kernels.layout import lay_out
from s2scli.model.kernels.machine import this_machine
from s2scli.model.seq2seq import pick_device
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.search.ensemble import Ensemble
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.model import Model
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.search.shortlist import Shortlist
from s2scli.search.trace import Observer
from s2scli.translation.model_folder import (
    LoadedModel,
    load_model_folder,
    read_shortlist,
    reading_of,
)
from s2scli.translation.model_search import ModelSearch
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator

SEARCH_KERNELS = 1024  # kernels to cache: shapes vary, as batches shrink when sentences end


def load(
    folder: Path,
    *others: Path,
    device: str = "auto",
    int8: bool = False,
    shortlist: bool = False,
) -> Translator:
    """Load a model folder, or several as an ensemble.

    Args:
        folder: the model folder.
        others: further model folders.
        device: auto, cpu, cuda or cuda:N.
        int8: use 8-bit weights: faster, with nearly the same outputs.
        shortlist: compute only the tokens of the model's shortlist.

    Raises:
        MissingInputError: there is no model in a folder, or no shortlist.
        CheckpointError: a folder is damaged or was written by a newer version.
        UsageError: the models do not share a tokenizer, or only some of them copy; or a shortlist
            is asked of several models.
        ConfigError: there is no such device, or PyTorch has no 8-bit matrix products for it.
    """
    keep_freed_memory(SEARCH_KERNELS)
    on = pick_device(device)
    if int8:
        _require_int8(on)
    first, *more = (load_model_folder(path, on) for path in (folder, *others))
    for other, path in zip(more, others, strict=True):
        _check_tokenizers(first, folder, other, path)
        _check_outputs(first, folder, other, path)
    if shortlist and more:
        raise UsageError("--shortlist is for one model: leave it or the other models out")
    words = read_shortlist(folder, first) if shortlist else None
    return translator_of(first, *more, device=on, int8=int8, shortlist=words)


def translator_of(
    first: LoadedModel,
    *more: LoadedModel,
    device: torch.device,
    int8: bool = False,
    shortlist: Shortlist | None = None,
) -> Translator:
    """Return a translator for a model, or for several as an ensemble.

    The weights are laid out for a fast search.

    Args:
        first: the model; its recipe has the search settings.
        more: further models with the same tokenizer.
        device: the device of the models.
        int8: use 8-bit weights.
        shortlist: the tokens that outputs may have, for one model; None allows all.
    """
    models = (first, *more)
    for one in models:
        lay_out(one.model, int8=int8)
    model = Ensemble([one.model for one in models]) if more else first.model
    copier = first.recipe.copier(first.tokenizers)
    codec = source_codec(first.tokenizers.source, copier)
    recipes = tuple(one.recipe for one in models)
    searcher = ModelSearch(model, device, codec, shortlist)
    engine = TorchEngine(recipes, searcher, reading_of(first))
    identity = [one.manifest.digest for one in models] + ["int8"] * int8
    identity += ["shortlist"] * (shortlist is not None)
    return Translator.of(engine, first.tokenizers, identity, copier)


@dataclass(frozen=True)
class TorchEngine:
    """A model in PyTorch, or an ensemble.

    Attributes:
        recipes: the recipes of the models; the first one has the search settings.
        searcher: searches the model, or the ensemble.
        reading: the attention weights of the (first) model that alignments are read from.
    """

    recipes: tuple[Recipe, ...]
    searcher: ModelSearch
    reading: Reading = BEST_HEADS

    @property
    def model(self) -> Model[Any]:
        """The model, or the ensemble."""
        return self.searcher.model

    @property
    def settings(self) -> SearchSettings:
        """The first recipe's search settings."""
        return self.recipes[0].search

    @property
    def max_source_tokens(self) -> int:
        """The smallest of the models' maximum source lengths in training, in tokens."""
        return min(recipe.training.max_length for recipe in self.recipes)

    @property
    def attention_shape(self) -> tuple[int, int] | None:
        """The numbers of layers and heads with attention in the (first) model; None without."""
        return self.model.attention_shape

    @property
    def is_latent(self) -> bool:
        """Whether a model has a latent vector; the search uses its mean."""
        return any(recipe.model.connection.kind == "latent" for recipe in self.recipes)

    def positions(self, length: int) -> int:
        """Return how many encoder states a source of this length has in the (first) model."""
        return int(self.model.positions(torch.tensor([length])))

    def search(
        self,
        sources: Sequence[Values],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
        observer: Observer | None = None,
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source; see `ModelSearch.search`."""
        return self.searcher.search(sources, settings, wanted, rules, observer)

    def force(
        self,
        sources: Sequence[Values],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        """Score given targets: return a hypothesis with token scores and first choices for each."""
        return self.searcher.force(sources, targets, settings, wanted)


def _require_int8(device: torch.device) -> None:
    """Check that PyTorch has 8-bit matrix products for this device.

    Raises:
        ConfigError: the device is a GPU, or PyTorch has no 8-bit matrix products for the processor.
    """
    if device.type != "cpu":
        raise ConfigError(f"--int8 works on a CPU only, found {device}; choose --device cpu")
    if not this_machine().has_int8:
        raise ConfigError(
            "PyTorch has no 8-bit matrix products for this processor; leave out --int8"
        )


def _check_tokenizers(first: LoadedModel, folder: Path, other: LoadedModel, path: Path) -> None:
    """Refuse two models with different tokenizers."""
    mine, theirs = (loaded.tokenizers.digest for loaded in (first, other))
    if mine != theirs:
        raise UsageError(
            f"{path}: its tokenizer ({theirs[:12]}) is not that of {folder} ({mine[:12]}); the "
            "models of an ensemble must share one: train them in one workspace"
        )


def _check_outputs(first: LoadedModel, folder: Path, other: LoadedModel, path: Path) -> None:
    """Refuse a model that copies beside one that does not: they differ in what they can write."""
    mine, theirs = (loaded.recipe.model.output.kind for loaded in (first, other))
    if mine != theirs:
        raise UsageError(
            f"{path}: its output (model.output.kind {theirs}) is not that of {folder} ({mine}); "
            "the models of an ensemble must all copy, or none of them"
        )
