"""The engine of an export to HuggingFace Transformers: its own search, to verify the export.

`s2s translate` does not use it, as the model folder itself runs faster. One difference remains: at
the length limit, Transformers forces the end token with the log-probability 0, which favours
hypotheses that were cut; our search uses that of the model.
"""

import functools
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from s2scli.data.example import TokenIds, Values
from s2scli.errors import UsageError
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.limits import longest_output
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import BOS_ID, EOS_ID
from s2scli.translation.export_engine import ExportEngine, ranking_score
from s2scli.translation.options import Wanted

SENTENCES = 16  # sources in a batch


@dataclass(frozen=True)
class TransformersEngine(ExportEngine):
    """A MarianMTModel and its `generate`; `program` is the `transformers.MarianMTModel`."""

    def search(
        self,
        sources: Sequence[Values],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source, best first.

        Sources of one length are a batch, so that each has its own limit of the output length.

        Raises:
            UsageError: there are rules, which this engine does not support.
        """
        if rules:
            raise UsageError("Transformers does not support constraints; use PyTorch")
        by_length: dict[int, list[int]] = defaultdict(list)
        for index, source in enumerate(sources):
            by_length[len(source)].append(index)
        found: dict[int, tuple[Hypothesis, ...]] = {}
        for same in by_length.values():
            for start in range(0, len(same), SENTENCES):
                some = same[start : start + SENTENCES]
                outputs = self._generate([sources[index] for index in some], settings)
                found |= zip(some, outputs, strict=True)
        return [found[index] for index in range(len(sources))]

    def force(
        self,
        sources: Sequence[Values],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        """Score given targets: return a hypothesis with token scores for each."""
        rows = [self._score(source, ids) for source, ids in zip(sources, targets, strict=True)]
        return [
            Hypothesis((*map(int, ids), EOS_ID), ranking_score(row, settings), row, None)
            for ids, row in zip(targets, rows, strict=True)
        ]

    def _generate(
        self, sources: Sequence[Values], settings: SearchSettings
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the outputs of sources of one length."""
        longest = longest_output(len(sources[0]) + 1, settings)
        source = self._tensor([[*map(int, ids), EOS_ID] for ids in sources])
        written = self.program.generate(
            source,
            attention_mask=self._torch.ones_like(source),
            num_beams=settings.beam_size,
            num_return_sequences=settings.n_best,
            length_penalty=settings.length_penalty,
            no_repeat_ngram_size=settings.no_repeat_ngram,
            max_new_tokens=longest,
            max_length=None,
            do_sample=False,
        )
        rows = [self._hypothesis(row) for row in written.tolist()]
        return [
            tuple(rows[start : start + settings.n_best])
            for start in range(0, len(rows), settings.n_best)
        ]

    def _hypothesis(self, row: Sequence[int]) -> Hypothesis:
        """Return an output without the begin token, and without what fills the batch."""
        _, *ids = row
        end = ids.index(EOS_ID) + 1 if EOS_ID in ids else len(ids)
        return Hypothesis(tuple(ids[:end]), 0.0, (), None)

    def _score(self, source: Values, target: TokenIds) -> tuple[float, ...]:
        """Return the log-probability of each token of a target, end token included."""
        written = [*map(int, target), EOS_ID]
        with self._torch.inference_mode():
            logits = self.program(
                input_ids=self._tensor([[*map(int, source), EOS_ID]]),
                decoder_input_ids=self._tensor([[BOS_ID, *written[:-1]]]),
            ).logits
        log_probs = logits[0].float().log_softmax(-1)
        return tuple(log_probs.gather(1, self._tensor(written)[:, None])[:, 0].tolist())

    def _tensor(self, ids: Sequence[Any]) -> Any:
        return self._torch.tensor(ids, dtype=self._torch.long)

    @functools.cached_property
    def _torch(self) -> Any:
        import torch  # over a second

        return torch
