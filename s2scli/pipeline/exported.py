"""An exported model that translates text: tokenizer and detokenizer around CTranslate2, no torch.

The scores are those of the PyTorch search: sums of log-probabilities / length^a, the end token
counted. CTranslate2 shares the probability of the tokens that are never written (padding, begin)
out among the others, which the PyTorch search does not; of a trained model that is next to nothing.
It stops a sentence once `beam_size` hypotheses have ended, where the PyTorch search also waits for
what ranks above them.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from s2scli.data.cleaning import tidy
from s2scli.errors import CheckpointError, ConfigError
from s2scli.export.extra import require_ctranslate2
from s2scli.export.model_bin import check_model
from s2scli.manifest import Manifest, verify_folder
from s2scli.pipeline.batches import similar_batches
from s2scli.pipeline.records import one_line
from s2scli.pipeline.translation import TargetText, Translation
from s2scli.search.ranking import normalise
from s2scli.search.settings import SearchSettings
from s2scli.settings import Settings, load_settings, setting
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers

KIND = "ctranslate2"
BATCH_TOKENS = 1024  # of sources, padding counted
SEARCHED = ("beam_size", "n_best", "length_penalty", "max_length_ratio", "max_length")


class ExportFacts(Settings):
    """What the manifest of an export says of the model, for use without its recipe."""

    name: str = setting(..., "The recipe's name.")
    quantization: str = setting(..., "Of the weights, by CTranslate2's names.")
    max_source_tokens: int = setting(..., "Tokens of the longest source.", "tokens", ge=1)
    places: int = setting(..., "Tokens that a source or target may have.", "tokens", ge=1)
    search: SearchSettings = setting(..., "How the recipe searches unless told otherwise.")


@dataclass(frozen=True)
class Export:
    """An export's folder and what its manifest says.

    Attributes:
        folder: where it is.
        manifest: the folder's.
        facts: of the model.
    """

    folder: Path
    manifest: Manifest
    facts: ExportFacts

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> Self:
        """Read what a manifest says.

        Raises:
            CheckpointError: not what the manifest of an export says.
        """
        try:
            facts = load_settings(ExportFacts, manifest.facts, str(folder))
        except ConfigError as error:
            raise CheckpointError(f"{error}; not an export of s2s") from error
        return cls(folder, manifest, facts)

    def beyond(self, search: SearchSettings) -> list[str]:
        """Return what of these settings the search of CTranslate2 has no equal of."""
        found = [
            f"--{name.replace('_', '-')}"
            for name, declared in SearchSettings.model_fields.items()
            if name not in SEARCHED and getattr(search, name) != declared.get_default()
        ]
        longest = longest_allowed(self.facts.max_source_tokens, search)
        if longest > self.facts.places:
            found.append(
                f"outputs of {longest:,} tokens (it was exported for {self.facts.places:,})"
            )
        return found


@dataclass(frozen=True)
class ExportedTranslator:
    """CTranslate2 with an exported model, and the tokenizers around it.

    Attributes:
        engine: a `ctranslate2.Translator`.
        tokenizers: of both sides.
        facts: of the model.
    """

    engine: Any
    tokenizers: Tokenizers
    facts: ExportFacts

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Self:
        """Read and verify an export, which may come from anywhere.

        Raises:
            MissingInputError: there is no export.
            CheckpointError: a file is missing or damaged, or the parts do not belong together.
            TokenizerError: a tokenizer is damaged.
            ConfigError: there is no such device.
            MissingExtraError: CTranslate2 is not installed.
        """
        export = Export.of(folder, verify_folder(folder, KIND))
        tokenizers = Tokenizers.load(folder)
        if export.manifest.made_from.get("tokenizer") != tokenizers.digest:
            raise CheckpointError(f"{folder}: its tokenizer is not the one of the model")
        check_model(folder, tokenizers, export.facts.places)
        return cls(open_engine(folder, device), tokenizers, export.facts)

    @property
    def search_settings(self) -> SearchSettings:
        """How the recipe searches unless told otherwise."""
        return self.facts.search

    @property
    def max_source_tokens(self) -> int:
        """Tokens of the longest source that the model was trained on."""
        return self.facts.max_source_tokens

    @property
    def has_attention(self) -> bool:
        """Whether there are weights to show: CTranslate2 gives those of one layer at most."""
        return False

    def count_tokens(self, text: str) -> int:
        """Return the source tokens of `text`, without the end token."""
        return len(encode(text, self.tokenizers.source))

    def search(
        self,
        texts: Sequence[str],
        settings: SearchSettings,
        *,
        with_attention: bool = True,
        with_scores: bool = True,
    ) -> list[Translation]:
        """Search translations of texts, in batches of similar length; results in input order.

        The scores of the single tokens are there if attention is asked for, which is not. Of one
        hypothesis the score takes longer than it would alone: it is 0 if it is not asked for.
        """
        sources = [self._pieces(text) for text in texts]
        scored = with_attention or with_scores or settings.beam_size > 1
        results = self._results(sources, settings, scored)
        return [
            self._translation(text, pieces, self._end(pieces, result, settings, with_attention))
            for text, pieces, result in zip(texts, sources, results, strict=True)
        ]

    def force(
        self, sources: Sequence[str], targets: Sequence[str], *, with_attention: bool = True
    ) -> list[Translation]:
        """Score given targets: one hypothesis each, with the scores of its tokens."""
        read = [self._pieces(text) for text in sources]
        ids = [encode(text, self.tokenizers.target) for text in targets]
        written = [[self._target_words[id] for id in target] for target in ids]
        scores = self._score(read, written)
        exponent = self.search_settings.length_penalty
        return [
            self._translation(
                text, pieces, [_Found((*words, self._end_word), ranked(row, exponent), row)]
            )
            for text, pieces, words, row in zip(sources, read, written, scores, strict=True)
        ]

    def _results(
        self, sources: Sequence[list[str]], settings: SearchSettings, scored: bool
    ) -> list[Any]:
        """Return what CTranslate2 finds for each source within the source's own limit.

        A batch has one limit, that of its longest source. What comes to its own limit before that
        is searched again, among sources of the same limit.
        """
        limits = [longest_allowed(len(source), settings) for source in sources]
        found: list[Any] = [None] * len(sources)
        too_long: dict[int, list[int]] = {}
        lengths, workers = [len(source) for source in sources], self.engine.num_translators
        batches = similar_batches(lengths, BATCH_TOKENS, workers)
        for places, results in self._search(sources, batches, settings, scored):
            most = max(limits[place] for place in places)
            for place, result in zip(places, results, strict=True):
                found[place] = result
                if max(map(len, result.hypotheses)) >= limits[place] < most:
                    too_long.setdefault(limits[place], []).append(place)
        for places, results in self._search(sources, too_long.values(), settings, scored):
            for place, result in zip(places, results, strict=True):
                found[place] = result
        return found

    def _search(
        self,
        sources: Sequence[list[str]],
        batches: Iterable[Sequence[int]],
        settings: SearchSettings,
        scored: bool,
    ) -> Iterator[tuple[Sequence[int], list[Any]]]:
        """Search batches of sources, all workers at once, and yield each with its results."""
        running = [
            (places, self._start([sources[place] for place in places], settings, scored))
            for places in batches
        ]
        for places, results in running:
            yield places, [result.result() for result in results]

    def _start(
        self, sources: Sequence[list[str]], settings: SearchSettings, scored: bool
    ) -> Sequence[Any]:
        """Begin to search translations of a batch; the results are to come."""
        results: Sequence[Any] = self.engine.translate_batch(
            sources,
            beam_size=settings.beam_size,
            num_hypotheses=settings.beam_size,  # among them one that ends, where the best is cut
            length_penalty=settings.length_penalty,
            min_decoding_length=0,
            max_decoding_length=longest_allowed(max(map(len, sources)), settings),
            max_input_length=0,
            suppress_sequences=[[self._target_words[id]] for id in (PAD_ID, BOS_ID)],
            return_scores=scored,
            return_end_token=True,
            asynchronous=True,
        )
        return results

    def _end(
        self, source: list[str], result: Any, settings: SearchSettings, with_token_scores: bool
    ) -> list["_Found"]:
        """Return the `n_best` that were found, best first, each with an end.

        CTranslate2 cuts what is longest where the PyTorch search ends it: here it is ended there
        too, and ranked by what that costs. What is the same then is there once.
        """
        written = result.hypotheses
        outputs = [(*words[:-1], self._end_word) for words in written]
        if not result.scores:
            return [_Found(words, 0.0, ()) for words in outputs]
        cut = [words[-1] != self._end_word for words in written]
        scores: list[tuple[float, ...]] = [()] * len(outputs)
        if with_token_scores or any(cut):
            scores = self._score([source] * len(outputs), [list(words[:-1]) for words in outputs])
        found: dict[tuple[str, ...], _Found] = {}
        for words, score, tokens, shortened in zip(
            outputs, result.scores, scores, cut, strict=True
        ):
            own = ranked(tokens, settings.length_penalty) if shortened else score
            found.setdefault(words, _Found(words, own, tokens if with_token_scores else ()))
        return sorted(found.values(), key=lambda one: -one.score)[: settings.n_best]

    def _score(
        self, sources: Sequence[list[str]], targets: Sequence[list[str]]
    ) -> list[tuple[float, ...]]:
        """Return the log-probability of each token of given targets, end tokens included."""
        results = self.engine.score_batch(
            sources, targets, max_batch_size=BATCH_TOKENS, batch_type="tokens", max_input_length=0
        )
        return [tuple(result.log_probs) for result in results]

    def _pieces(self, text: str) -> list[str]:
        words = self._source_words
        return [words[id] for id in encode(text, self.tokenizers.source)]

    def _translation(
        self, text: str, pieces: Sequence[str], found: Sequence["_Found"]
    ) -> Translation:
        hypotheses = tuple(self._target_text(one) for one in found)
        unknown = pieces.count(self._source_words[UNK_ID])
        source_pieces = (*pieces, self._source_words[EOS_ID])
        return Translation(text, source_pieces, hypotheses, unknown)

    def _target_text(self, found: "_Found") -> TargetText:
        ids = map(self._target_ids.__getitem__, found.words[:-1])
        text = one_line(self.tokenizers.target.decode(ids))
        return TargetText(text, found.score, found.words, found.token_scores, None)

    @property
    def _source_words(self) -> list[str]:
        return self.tokenizers.source.vocabulary

    @property
    def _target_words(self) -> list[str]:
        return self.tokenizers.target.vocabulary

    @functools.cached_property
    def _target_ids(self) -> dict[str, int]:
        return {word: id for id, word in enumerate(self._target_words)}

    @property
    def _end_word(self) -> str:
        return self._target_words[EOS_ID]


@dataclass(frozen=True)
class _Found:
    """A hypothesis: its pieces with the end token, its score, and those of its tokens if known."""

    words: tuple[str, ...]
    score: float
    token_scores: tuple[float, ...]


def encode(text: str, tokenizer: SentencePiece) -> list[int]:
    """Return the ids of a text that is tidied as the corpus was."""
    return tokenizer.encode(tidy(text, tokenizer.normalization))


def ranked(token_scores: Sequence[float], exponent: float) -> float:
    """Return the ranking score of a hypothesis whose tokens have these log-probabilities."""
    return normalise(sum(token_scores), len(token_scores), exponent)


def longest_allowed(tokens: int, settings: SearchSettings) -> int:
    """Return the tokens an output may have, end token counted, as the PyTorch search reckons.

    Args:
        tokens: of the source, without the end token.
        settings: of the search.
    """
    ratio = np.float32(settings.max_length_ratio)
    longest = int(np.float32(tokens + 1) * ratio) + 10
    return min(longest, settings.max_length or longest)


def open_engine(folder: Path, device: str, compute_type: str = "default") -> Any:
    """Return a `ctranslate2.Translator` of the model in a folder, one worker for each core.

    Args:
        folder: of an export, checked.
        device: auto (a GPU where there is one), cpu, cuda or cuda:N.
        compute_type: of the arithmetic; `default` is that of the weights.

    Raises:
        CheckpointError: CTranslate2 cannot read it.
        ConfigError: there is no such device, or it lacks the arithmetic.
        MissingExtraError: CTranslate2 is not installed.
    """
    ctranslate2 = require_ctranslate2()
    place, number = _place(device, ctranslate2.get_cuda_device_count())
    workers = 1 if place == "cuda" else _cores()
    try:
        return ctranslate2.Translator(
            str(folder),
            device=place,
            device_index=number,
            compute_type=compute_type,
            inter_threads=workers,
            intra_threads=1,
        )
    except ValueError as error:
        raise ConfigError(f"{folder}: {error}") from error
    except RuntimeError as error:
        raise CheckpointError(f"{folder}: CTranslate2 cannot read it ({error!s:.200})") from error


def _place(device: str, gpus: int) -> tuple[str, int]:
    """Return the device of this name, and which of its kind it is.

    Raises:
        ConfigError: no such device, or it is not there.
    """
    if device == "auto":
        return ("cuda" if gpus else "cpu"), 0
    if device == "cpu":
        return device, 0
    named = re.fullmatch(r"cuda(?::(\d{1,3}))?", device)
    if named and int(named[1] or 0) < gpus:
        return "cuda", int(named[1] or 0)
    found = f"CTranslate2 finds {gpus or 'no'} GPU{'s' * (gpus > 1)} to use" if named else "unknown"
    raise ConfigError(f"--device {device}: {found}; choose auto, cpu, cuda or cuda:N")


def _cores() -> int:
    """Return how many threads may compute: OMP_NUM_THREADS, or the cores of this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    mine = getattr(os, "sched_getaffinity", None)
    return len(mine(0)) if mine else os.cpu_count() or 1
