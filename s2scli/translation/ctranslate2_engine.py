"""The CTranslate2 engine: exported Transformers, without PyTorch.

Scores are computed as in the PyTorch search: the sum of log-probabilities / length^a, where the
length includes the end token. Two differences remain. CTranslate2 gives some probability to tokens
that are never written (padding, begin); in a trained model it is close to 0. And CTranslate2 ends
the search of a sentence once `beam_size` hypotheses have ended; the PyTorch search continues as
long as another one may rank above them.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s2scli.data.example import TokenIds, Values
from s2scli.errors import UsageError
from s2scli.export.targets import TARGETS
from s2scli.manifest import in_one_generation
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.limits import longest_output
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.settings import flag_of
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from s2scli.translation.batches import similar_batches
from s2scli.translation.export_engine import ExportEngine, ExportFacts, ranking_score, read_export
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator

TARGET = TARGETS["ctranslate2"]
BATCH_TOKENS = 1024  # source tokens, including padding
SEARCHED = ("beam_size", "n_best", "length_penalty", "max_length_ratio", "max_length")


def unsupported(facts: ExportFacts, settings: SearchSettings) -> list[str]:
    """Return the settings that CTranslate2 does not support, as flags."""
    found = [
        flag_of(name)
        for name, declared in SearchSettings.model_fields.items()
        if name not in SEARCHED and getattr(settings, name) != declared.get_default()
    ]
    longest = longest_output(facts.max_source_tokens + 1, settings)
    if longest > facts.positions:
        found.append(f"outputs of {longest:,} tokens (the export allows {facts.positions:,})")
    return found


def load(folder: Path, device: str = "auto") -> Translator:
    """Load and verify an export. Its files are not trusted.

    Raises:
        MissingInputError: there is no export.
        CheckpointError: a file is missing or damaged, or the files do not belong together.
        TokenizerError: a tokenizer is damaged.
        ConfigError: there is no such device.
        MissingExtraError: CTranslate2 is not installed.
    """

    def read() -> Translator:
        export, tokenizers = read_export(folder, TARGET)
        engine = CTranslate2Engine(TARGET.open(folder, device), tokenizers, export.facts)
        return Translator.of(engine, tokenizers, [export.manifest.digest])

    return in_one_generation(folder, read)


@dataclass(frozen=True)
class CTranslate2Engine(ExportEngine):
    """An exported model in CTranslate2; `program` is a `ctranslate2.Translator`."""

    def search(
        self,
        sources: Sequence[Values],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source, best first.

        Hypotheses have token scores only if attention is wanted. With a beam of 1, ranking scores
        take extra time, and are 0 if neither scores nor attention are wanted.

        Raises:
            UsageError: there are rules, which this engine does not support.
        """
        if rules:
            raise UsageError(f"{TARGET.name} does not support constraints; use PyTorch")
        read = [self._source_pieces(ids) for ids in sources]
        with_score = wanted.attention or wanted.scores or settings.beam_size > 1
        results = self._results(read, settings, with_score)
        return [
            self._hypotheses(pieces, result, settings, wanted)
            for pieces, result in zip(read, results, strict=True)
        ]

    def force(
        self,
        sources: Sequence[Values],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        """Score given targets: return a hypothesis with token scores for each."""
        written = [self._target_pieces(ids) for ids in targets]
        scores = self._score([self._source_pieces(ids) for ids in sources], written)
        return [
            Hypothesis((*map(int, ids), EOS_ID), ranking_score(row, settings), row, None)
            for ids, row in zip(targets, scores, strict=True)
        ]

    def _results(
        self, sources: Sequence[list[str]], settings: SearchSettings, with_score: bool
    ) -> list[Any]:
        """Return CTranslate2's results for each source, within the source's own length limit.

        A batch has one limit, that of its longest source. If an output of a shorter source reaches
        the limit of that source, the source is searched again, with others that have this limit.
        """
        ends = self.tokenizers.texts[0].ends
        limits = [longest_output(len(source) + ends, settings) for source in sources]
        found: list[Any] = [None] * len(sources)
        too_long: dict[int, list[int]] = {}
        lengths, workers = [len(source) for source in sources], self.program.num_translators
        batches = similar_batches(lengths, BATCH_TOKENS, workers)
        for indices, results in self._search(sources, batches, settings, with_score):
            most = max(limits[index] for index in indices)
            for index, result in zip(indices, results, strict=True):
                found[index] = result
                if max(map(len, result.hypotheses)) >= limits[index] < most:
                    too_long.setdefault(limits[index], []).append(index)
        for indices, results in self._search(sources, too_long.values(), settings, with_score):
            for index, result in zip(indices, results, strict=True):
                found[index] = result
        return found

    def _search(
        self,
        sources: Sequence[list[str]],
        batches: Iterable[Sequence[int]],
        settings: SearchSettings,
        with_score: bool,
    ) -> Iterator[tuple[Sequence[int], list[Any]]]:
        """Search batches of sources in parallel, and yield each batch with its results."""
        running = [
            (indices, self._start([sources[index] for index in indices], settings, with_score))
            for indices in batches
        ]
        for indices, results in running:
            yield indices, [result.result() for result in results]

    def _start(
        self, sources: Sequence[list[str]], settings: SearchSettings, with_score: bool
    ) -> Sequence[Any]:
        """Start the search of a batch, and return futures of the results."""
        vocabulary = self.tokenizers.texts[1].vocabulary
        results: Sequence[Any] = self.program.translate_batch(
            sources,
            beam_size=settings.beam_size,
            num_hypotheses=settings.beam_size,  # a cut one may rank lower when rescored
            length_penalty=settings.length_penalty,
            min_decoding_length=0,
            max_decoding_length=longest_output(
                max(map(len, sources)) + self.tokenizers.texts[0].ends, settings
            ),
            max_input_length=0,
            suppress_sequences=[[vocabulary[id]] for id in (PAD_ID, BOS_ID)],
            return_scores=with_score,
            return_end_token=True,
            asynchronous=True,
        )
        return results

    def _hypotheses(
        self, source: list[str], result: Any, settings: SearchSettings, wanted: Wanted
    ) -> tuple[Hypothesis, ...]:
        """Return the `n_best` best hypotheses, best first, each with an end token.

        At the length limit, CTranslate2 cuts an output; the PyTorch search forces the end token.
        So the last token of a cut output is replaced by the end token, and the output is scored
        again. Duplicates are dropped.
        """
        ids = self._target_ids
        outputs = [(*(ids[piece] for piece in cut[:-1]), EOS_ID) for cut in result.hypotheses]
        if not result.scores:
            return tuple(Hypothesis(output, 0.0, (), None) for output in outputs)
        was_cut = [ids[pieces[-1]] != EOS_ID for pieces in result.hypotheses]
        token_scores: list[tuple[float, ...]] = [()] * len(outputs)
        if wanted.attention or any(was_cut):
            targets = [list(pieces[:-1]) for pieces in result.hypotheses]
            token_scores = self._score([source] * len(outputs), targets)
        found: dict[tuple[int, ...], Hypothesis] = {}
        for output, score, row, cut in zip(
            outputs, result.scores, token_scores, was_cut, strict=True
        ):
            own = ranking_score(row, settings) if cut else score
            shown = row if wanted.attention else ()
            found.setdefault(output, Hypothesis(output, own, shown, None))
        best = sorted(found.values(), key=lambda one: -one.score)
        return tuple(best[: settings.n_best])

    def _score(
        self, sources: Sequence[list[str]], targets: Sequence[list[str]]
    ) -> list[tuple[float, ...]]:
        """Return the log-probability of each token of given targets, including end tokens."""
        results = self.program.score_batch(
            sources, targets, max_batch_size=BATCH_TOKENS, batch_type="tokens", max_input_length=0
        )
        return [tuple(result.log_probs) for result in results]

    def _source_pieces(self, token_ids: TokenIds) -> list[str]:
        vocabulary = self.tokenizers.texts[0].vocabulary
        return [vocabulary[id] for id in token_ids]

    def _target_pieces(self, token_ids: TokenIds) -> list[str]:
        vocabulary = self.tokenizers.texts[1].vocabulary
        return [vocabulary[id] for id in token_ids]

    @functools.cached_property
    def _target_ids(self) -> dict[str, int]:
        return {piece: id for id, piece in enumerate(self.tokenizers.texts[1].vocabulary)}
