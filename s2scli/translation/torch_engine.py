"""The PyTorch engine: our own search, for every model and for ensembles."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from s2scli.config import Recipe
from s2scli.data.batch import make_batch
from s2scli.data.codecs import SourceCodec, source_codec
from s2scli.data.example import TokenIds, Values
from s2scli.errors import ConfigError, UsageError
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.kernels.layout import lay_out
from s2scli.model.kernels.machine import this_machine
from s2scli.model.seq2seq import Seq2Seq, pick_device
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.search.ctc_alignment import align_best
from s2scli.search.demands import is_met
from s2scli.search.ensemble import Ensemble
from s2scli.search.forced import force
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import Notice, search
from s2scli.search.model import Model
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.search.shortlist import Shortlist, Shortlisted
from s2scli.search.trace import Observer
from s2scli.translation.batches import in_order, similar_batches
from s2scli.translation.model_folder import (
    LoadedModel,
    load_model_folder,
    read_shortlist,
    reading_of,
)
from s2scli.translation.options import Wanted
from s2scli.translation.pool import SearchPool
from s2scli.translation.translator import Translator

BATCH_TOKENS = 6144
MAX_WIDTH = 4  # wider beams do not make batches smaller
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
    engine = TorchEngine(recipes, model, device, codec, reading_of(first), shortlist)
    identity = [one.manifest.digest for one in models] + ["int8"] * int8
    identity += ["shortlist"] * (shortlist is not None)
    return Translator.of(engine, first.tokenizers, identity, copier)


@dataclass(frozen=True)
class ModelSearch:
    """Our own search over a model, in batches on a pool of threads.

    Attributes:
        model: the model, or an ensemble.
        device: the device of the model.
        codec: the codec of the source; it pads sources into a batch.
        shortlist: the tokens that outputs of the model may have; None allows all.
        pool: searches batches in parallel on a CPU.
    """

    model: Model[Any]
    device: torch.device
    codec: SourceCodec
    shortlist: Shortlist | None = None
    pool: SearchPool = field(init=False)

    def __post_init__(self) -> None:
        """Start the pool, with PyTorch's number of threads on a CPU and one for a GPU."""
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        object.__setattr__(self, "pool", SearchPool(threads))

    def search(
        self,
        sources: Sequence[Values],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
        observer: Observer | None = None,
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source; they always have scores.

        Phrases are first left to the model: only sources with an output that lacks one are searched
        again, with constrained beam search. An observer is told what the first search of a single
        source does.

        Raises:
            ConfigError: the coverage penalty is set, and the model has no attention; or the
                settings give weight to a CTC layer, and the model has none.
            UsageError: phrases are demanded with sampling, or of groups of the beam.
        """
        self._check(settings, rules)
        everything = range(len(sources))
        found = self._search(sources, everything, settings, wanted, rules.of(everything), observer)
        again = [
            index
            for index, demand in enumerate(rules.demands)
            if not all(is_met(one.token_ids, demand, rules.spelling) for one in found[index])
        ]
        if again:
            second = self._search(sources, again, settings, wanted, rules.of(again, phrases=True))
            for index, hypotheses in zip(again, second, strict=True):
                found[index] = hypotheses
        return found

    def _check(self, settings: SearchSettings, rules: Rules) -> None:
        """Refuse settings and rules that the search cannot follow."""
        if settings.ctc_weight and not self.model.has_ctc:
            raise ConfigError(
                "--ctc-weight: this model has no CTC layer; leave the option out, or train with "
                "--set model.ctc_weight=0.3"
            )
        if settings.coverage_penalty and self.model.attention_shape is None:
            raise ConfigError(
                "coverage_penalty needs attention, which the (first) model does not have; set it "
                "to 0"
            )
        phrases = any(demand.phrases for demand in rules.demands)
        for name, given in (("sample", settings.sample), ("beam_groups", settings.beam_groups > 1)):
            if phrases and given:
                raise UsageError(f"{name} has no constrained search: leave it or the phrases out")

    def _search(
        self,
        sources: Sequence[Values],
        some: Sequence[int],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules,
        observer: Observer | None = None,
    ) -> list[tuple[Hypothesis, ...]]:
        """Search for outputs of the sources at some indices.

        Args:
            sources: the encoded sources.
            some: the indices.
            settings: the search settings.
            wanted: what to return for each hypothesis.
            rules: the rules for these indices.
            observer: is told what the search of a single source does.
        """

        def search_batch(indices: Sequence[int], check: Notice) -> list[tuple[Hypothesis, ...]]:
            source, lengths = self.codec.pad([sources[some[index]] for index in indices])
            source = source.to(self.device)
            model, narrowed = self.model, self._narrowed(source, lengths)
            found = search(
                narrowed or model,
                source,
                lengths,
                settings,
                rules=rules.of(indices, phrases=True),
                attention=wanted.attention,
                before_step=check,
                observer=observer,
            )
            if narrowed:
                found = narrowed.restore(found)
            if wanted.times and model.has_ctc:
                return align_best(model, source, lengths, found)
            return found

        most = max((demand.phrase_tokens for demand in rules.demands), default=0)
        sizes = self._sizes([sources[index] for index in some])
        batches = self._batches(sizes, settings.width, settings.width + most)
        return in_order(batches, self.pool.map(search_batch, batches))

    def _narrowed(self, source: Tensor, lengths: Tensor) -> Shortlisted | None:
        """Return the model with the vocabulary of a batch; None without a shortlist."""
        if self.shortlist is None:
            return None
        return Shortlisted(cast(Seq2Seq, self.model), self.shortlist, source, lengths)

    def force(
        self,
        sources: Sequence[Values],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        """Score given targets: return a hypothesis with token scores and first choices for each."""

        def force_batch(indices: Sequence[int], _: Notice) -> list[Hypothesis]:
            batch = make_batch(
                [sources[index] for index in indices],
                [targets[index] for index in indices],
                self.codec.pad,
            )
            return force(
                self.model,
                batch.to(self.device),
                settings.length_penalty,
                settings.length_offset,
                attention=wanted.attention,
            )

        pairs = zip(self._sizes(sources), targets, strict=True)
        longest = [max(size, len(target)) for size, target in pairs]
        batches = self._batches(longest, 1)
        return in_order(batches, self.pool.map(force_batch, batches))

    def _sizes(self, sources: Sequence[Values]) -> list[int]:
        sizes: list[int] = self.codec.sizes(np.array([*map(len, sources)], np.int32)).tolist()
        return sizes

    def _batches(self, lengths: Sequence[int], width: int, constrained: int = 0) -> list[list[int]]:
        """Group sequences into batches for a search with `width` hypotheses of each source.

        Args:
            lengths: the size of each sequence.
            width: the number of hypotheses.
            constrained: the number of hypotheses with the most demanding phrases, if it is larger.
        """
        budget = BATCH_TOKENS // min(width, MAX_WIDTH) * width // max(width, constrained)
        return similar_batches(lengths, max(1, budget), self.pool.workers)


@dataclass(frozen=True)
class TorchEngine:
    """A model in PyTorch, or an ensemble.

    Attributes:
        recipes: the recipes of the models; the first one has the search settings.
        model: the model, or an ensemble.
        device: the device of the model.
        codec: the codec of the source; it pads sources into a batch.
        reading: the attention weights of the (first) model that alignments are read from.
        shortlist: the tokens that outputs of the model may have; None allows all.
        searcher: searches the model.
    """

    recipes: tuple[Recipe, ...]
    model: Model[Any]
    device: torch.device
    codec: SourceCodec
    reading: Reading = BEST_HEADS
    shortlist: Shortlist | None = None
    searcher: ModelSearch = field(init=False)

    def __post_init__(self) -> None:
        """Start the threads of the search."""
        found = ModelSearch(self.model, self.device, self.codec, self.shortlist)
        object.__setattr__(self, "searcher", found)

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
