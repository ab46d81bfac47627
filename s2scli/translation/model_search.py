"""Our own search over a model, which searches and scores batches on a pool of threads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from s2scli.data.batch import make_batch
from s2scli.data.codecs import SourceCodec
from s2scli.data.example import TokenIds, Values
from s2scli.errors import ConfigError, UsageError
from s2scli.model.seq2seq import Seq2Seq
from s2scli.search.ctc_alignment import align_best
from s2scli.search.demands import is_met
from s2scli.search.forced import force
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import Notice, search
from s2scli.search.model import Model
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.search.shortlist import Shortlist, Shortlisted
from s2scli.search.trace import Observer
from s2scli.translation.batches import in_order, similar_batches
from s2scli.translation.options import Wanted
from s2scli.translation.pool import SearchPool

BATCH_TOKENS = 6144
MAX_WIDTH = 4  # wider beams do not make batches smaller


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
                return align_best(model, source, lengths, found, None if wanted.all_times else 1)
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
