"""The CTranslate2 engine: exported Transformers, without PyTorch.

The scores are those of the PyTorch search: sums of log-probabilities / length^a, the end token
counted. Two differences remain. CTranslate2 gives tokens that are never written (padding, begin) a
share of the probability, which is close to 0 in a trained model. And it stops a sentence once
`beam_size` hypotheses have ended, where the PyTorch search goes on if another may rank above them.
"""

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from s2scli.data.example import TokenIds, Values
from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.settings import Quantization
from s2scli.export.targets import TARGETS
from s2scli.manifest import Manifest, in_one_generation, verify_folder
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.limits import longest_output
from s2scli.search.ranking import normalise
from s2scli.search.settings import SearchSettings
from s2scli.settings import MOST, Settings, flag_of, load_settings, setting
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.translation.batches import similar_batches
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator

TARGET = TARGETS["ctranslate2"]
BATCH_TOKENS = 1024  # of sources, padding counted
SEARCHED = ("beam_size", "n_best", "length_penalty", "max_length_ratio", "max_length")


class ExportFacts(Settings):
    """The facts in the manifest of an export, so that it can be used without PyTorch."""

    name: str = setting(..., "The recipe's name.")
    quantization: Quantization = setting(..., "How the weights are stored, by CTranslate2's names.")
    max_source_tokens: int = setting(..., "Longest source.", "tokens", ge=1, le=MOST)
    positions: int = setting(..., "Longest source or target.", "tokens", ge=1, le=MOST)
    search: SearchSettings = setting(..., "The recipe's search settings.")


@dataclass(frozen=True)
class Export:
    """The folder of an export, with its manifest.

    Attributes:
        folder: the folder.
        manifest: its manifest.
        facts: the facts in the manifest.
    """

    folder: Path
    manifest: Manifest
    facts: ExportFacts

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> Self:
        """Read the facts of a manifest.

        Raises:
            CheckpointError: they are not those of an export.
        """
        tree = dict(manifest.facts)
        if "places" in tree:  # as version 0.1 called it
            tree["positions"] = tree.pop("places")
        try:
            facts = load_settings(ExportFacts, tree, str(folder))
        except ConfigError as error:
            raise CheckpointError(f"{error}; not an export of s2s") from error
        return cls(folder, manifest, facts)

    def unsupported(self, settings: SearchSettings) -> list[str]:
        """Return the flags of these settings that CTranslate2 does not support."""
        found = [
            flag_of(name)
            for name, declared in SearchSettings.model_fields.items()
            if name not in SEARCHED and getattr(settings, name) != declared.get_default()
        ]
        longest = longest_output(self.facts.max_source_tokens + 1, settings)
        if longest > self.facts.positions:
            found.append(
                f"outputs of {longest:,} tokens (it was exported for {self.facts.positions:,})"
            )
        return found


def load(folder: Path, device: str = "auto") -> Translator:
    """Read and verify an export, which may come from anywhere.

    Raises:
        MissingInputError: there is no export.
        CheckpointError: a file is missing or damaged, or the parts do not belong together.
        TokenizerError: a tokenizer is damaged.
        ConfigError: there is no such device.
        MissingExtraError: CTranslate2 is not installed.
    """

    def read() -> CTranslate2Engine:
        export = Export.of(folder, verify_folder(folder, TARGET.kind))
        tokenizers = Tokenizers.load(folder)
        if export.manifest.made_from.get("tokenizer") != tokenizers.digest:
            raise CheckpointError(f"{folder}: its tokenizer is not the one of the model")
        TARGET.check(folder, tokenizers, export.facts.positions)
        return CTranslate2Engine(TARGET.open(folder, device), tokenizers, export.facts)

    engine = in_one_generation(folder, read)
    return Translator.of(engine, engine.tokenizers)


@dataclass(frozen=True)
class CTranslate2Engine:
    """CTranslate2 with an exported model.

    Attributes:
        program: a `ctranslate2.Translator`.
        tokenizers: whose pieces it reads and writes.
        facts: of the model.
    """

    program: Any
    tokenizers: Tokenizers
    facts: ExportFacts

    @property
    def settings(self) -> SearchSettings:
        """The recipe's search settings."""
        return self.facts.search

    @property
    def max_source_tokens(self) -> int:
        """Tokens of the longest source that the model was trained on."""
        return self.facts.max_source_tokens

    def positions(self, length: int) -> int:
        """Return the length: a token is an encoder state."""
        return length

    @property
    def attention_shape(self) -> None:
        """None: CTranslate2 returns the attention weights of one layer at most."""
        return

    @property
    def is_latent(self) -> bool:
        """A latent model cannot be exported."""
        return False

    def search(
        self, sources: Sequence[Values], settings: SearchSettings, wanted: Wanted
    ) -> list[tuple[Hypothesis, ...]]:
        """Return the `n_best` best outputs of each source, best first.

        Hypotheses have token scores if attention is wanted. With a beam of 1 scores take extra
        time: without `wanted.scores` they are 0.
        """
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
        """Score given targets: a hypothesis each, with the scores of its tokens."""
        written = [self._target_pieces(ids) for ids in targets]
        scores = self._score([self._source_pieces(ids) for ids in sources], written)
        return [
            Hypothesis((*map(int, ids), EOS_ID), ranking_score(row, settings), row, None)
            for ids, row in zip(targets, scores, strict=True)
        ]

    def _results(
        self, sources: Sequence[list[str]], settings: SearchSettings, with_score: bool
    ) -> list[Any]:
        """Return what CTranslate2 finds for each source within the source's own limit.

        A batch has one limit, that of its longest source. A source with an output that reaches
        the source's own, lower limit is searched again, in a batch of sources with that limit.
        """
        limits = [longest_output(len(source) + 1, settings) for source in sources]
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
        """Search batches of sources, all workers at once, and yield each with its results."""
        running = [
            (indices, self._start([sources[index] for index in indices], settings, with_score))
            for indices in batches
        ]
        for indices, results in running:
            yield indices, [result.result() for result in results]

    def _start(
        self, sources: Sequence[list[str]], settings: SearchSettings, with_score: bool
    ) -> Sequence[Any]:
        """Start to search a batch; the results are futures."""
        vocabulary = self.tokenizers.texts[1].vocabulary
        results: Sequence[Any] = self.program.translate_batch(
            sources,
            beam_size=settings.beam_size,
            num_hypotheses=settings.beam_size,  # if the best is cut, another may have ended
            length_penalty=settings.length_penalty,
            min_decoding_length=0,
            max_decoding_length=longest_output(max(map(len, sources)) + 1, settings),
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
        """Return the `n_best` that were found, best first, each with an end token.

        CTranslate2 cuts an output at its limit, where the PyTorch search forces the end token: here
        it is replaced by the end token too, and scored with it. Duplicates are dropped.
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
        """Return the log-probability of each token of given targets, end tokens included."""
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


def ranking_score(token_scores: Sequence[float], settings: SearchSettings) -> float:
    """Return the ranking score of a hypothesis whose tokens have these log-probabilities."""
    exponent, offset = settings.length_penalty, settings.length_offset
    return normalise(sum(token_scores), len(token_scores), exponent, offset)
