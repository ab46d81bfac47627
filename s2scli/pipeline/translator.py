"""A model that translates text: tokenizer, search and detokenizer around the network."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
import torch

from s2scli.config import Recipe
from s2scli.data.batch import make_batch, make_source
from s2scli.data.cleaning import is_blank, tidy
from s2scli.data.example import TokenIds
from s2scli.errors import ConfigError, UsageError
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.kernels.layout import lay_out
from s2scli.model.kernels.machine import this_machine
from s2scli.model.seq2seq import pick_device
from s2scli.pipeline.batches import similar_batches
from s2scli.pipeline.model_folder import LoadedModel, load_model_folder
from s2scli.pipeline.records import one_line
from s2scli.pipeline.translation import TargetText, Translation
from s2scli.search.ensemble import Ensemble
from s2scli.search.forced import force
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import Notice, search
from s2scli.search.model import Model
from s2scli.search.settings import SearchSettings
from s2scli.settings import load_settings
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.tokenizer.sentencepiece import SentencePiece
from s2scli.tokenizer.tokenizers import Tokenizers

Found = TypeVar("Found")
BATCH_TOKENS = 6144
MAX_WORKERS = 8  # batches in memory at once
SEARCH_KERNELS = 1024  # small ones, for batches that shrink as their sentences end


@dataclass(frozen=True)
class Translator:
    """A trained model with its tokenizers; `load` makes one from a model folder, or several.

    Attributes:
        recipe: of the model; of an ensemble's first one, which says how to search.
        model: the model, or an ensemble.
        tokenizers: of both sides.
        device: where the model is.
        others: the recipes of an ensemble's further models.
    """

    recipe: Recipe
    model: Model[Any]
    tokenizers: Tokenizers
    device: torch.device
    others: tuple[Recipe, ...] = ()

    @classmethod
    def load(cls, folder: Path, *others: Path, device: str = "auto", int8: bool = False) -> Self:
        """Read a model folder; with others, an ensemble of their models.

        Args:
            folder: of the model.
            others: of further ones.
            device: auto, cpu, cuda or cuda:N.
            int8: multiply by weights of 8 bits: quicker, and nearly the same.

        Raises:
            MissingInputError: there is no model in a folder.
            CheckpointError: a folder is damaged or was written by a newer version.
            UsageError: the models do not share a tokenizer.
            ConfigError: there is no such device, or it has no products of 8 bits.
        """
        keep_freed_memory(SEARCH_KERNELS)
        place = pick_device(device)
        if int8:
            _require_int8(place)
        first, *more = (load_model_folder(path, place) for path in (folder, *others))
        for one in (first, *more):
            lay_out(one.model, int8=int8)
        for other, path in zip(more, others, strict=True):
            _check_tokenizers(first, folder, other, path)
        model = Ensemble([one.model for one in (first, *more)]) if more else first.model
        recipes = tuple(one.recipe for one in more)
        return cls(first.recipe, model, first.tokenizers, place, recipes)

    @property
    def search_settings(self) -> SearchSettings:
        """How the recipe searches unless told otherwise."""
        return self.recipe.search

    @property
    def max_source_tokens(self) -> int:
        """Tokens of the longest source that every model was trained on."""
        return min(recipe.training.max_length for recipe in (self.recipe, *self.others))

    @property
    def has_attention(self) -> bool:
        """Whether the model attends, so that there are weights to show."""
        return self.model.attention_shape is not None

    def count_tokens(self, text: str) -> int:
        """Return the source tokens of `text`, without the end token."""
        return len(self._encode(text))

    def count_longer_side(self, source: str, target: str) -> int:
        """Return the tokens of the longer side of a pair, without the end token."""
        return max(self.count_tokens(source), len(token_ids(target, self.tokenizers.target)))

    @property
    def is_latent(self) -> bool:
        """Whether a model writes from a vector that has a distribution, here its mean."""
        recipes = (self.recipe, *self.others)
        return any(recipe.model.connection.kind == "latent" for recipe in recipes)

    def translate(self, texts: Sequence[str], **settings: Any) -> list[str]:
        """Return the best translation of each text; an empty text gives an empty one.

        Args:
            texts: lines of plain text.
            settings: of the search, such as `beam_size=1`.

        Raises:
            ConfigError: no such setting, or a wrong value.
            UsageError: `texts` is one text instead of a list of them.
        """
        if isinstance(texts, str):
            raise UsageError("translate: expected a list of texts, found one text; put it in [ ]")
        tree = {**self.search_settings.model_dump(), **settings}
        search = load_settings(SearchSettings, tree, "translate")
        places = [place for place, text in enumerate(texts) if not is_blank(text)]
        results = [""] * len(texts)
        found = self.search([texts[place] for place in places], search)
        for place, translation in zip(places, found, strict=True):
            results[place] = translation.hypotheses[0].text if translation.hypotheses else ""
        return results

    def search(
        self,
        texts: Sequence[str],
        settings: SearchSettings,
        *,
        with_attention: bool = True,
        with_scores: bool = True,
    ) -> list[Translation]:
        """Search translations of texts, in batches of similar length; results in input order.

        The scores are there, asked for or not: the search ranks by them.
        """
        sources = [self._encode(text) for text in texts]

        def search_batch(
            places: Sequence[int], before_step: Notice
        ) -> list[tuple[Hypothesis, ...]]:
            source, lengths = make_source([sources[place] for place in places])
            return search(
                self.model,
                source.to(self.device),
                lengths,
                settings,
                attention=with_attention,
                before_step=before_step,
            )

        found = side_by_side(search_batch, self._batches(sources, settings.width), self._threads)
        return [
            self._translation(text, ids, found[place])
            for place, (text, ids) in enumerate(zip(texts, sources, strict=True))
        ]

    def force(
        self, sources: Sequence[str], targets: Sequence[str], *, with_attention: bool = True
    ) -> list[Translation]:
        """Score given targets: one hypothesis each, with token scores and attention weights."""
        source_ids = [self._encode(text) for text in sources]
        target_ids = [token_ids(text, self.tokenizers.target) for text in targets]
        longest = [max(a, b, key=len) for a, b in zip(source_ids, target_ids, strict=True)]

        def force_batch(places: Sequence[int], _: Notice) -> list[Hypothesis]:
            batch = make_batch(
                [source_ids[place] for place in places], [target_ids[place] for place in places]
            )
            return force(
                self.model,
                batch.to(self.device),
                self.search_settings.length_penalty,
                self.search_settings.length_offset,
                attention=with_attention,
            )

        found = side_by_side(force_batch, self._batches(longest, 1), self._threads)
        return [
            self._translation(text, ids, (found[place],))
            for place, (text, ids) in enumerate(zip(sources, source_ids, strict=True))
        ]

    @property
    def _threads(self) -> int:
        return torch.get_num_threads() if self.device.type == "cpu" else 1

    def _batches(self, sources: Sequence[TokenIds], width: int) -> list[list[int]]:
        """Return batches for hypotheses of `width` for each source."""
        budget = max(1, BATCH_TOKENS // min(width, 4))
        workers = min(self._threads, MAX_WORKERS)
        return similar_batches([len(source) for source in sources], budget, workers)

    def _encode(self, text: str) -> TokenIds:
        return token_ids(text, self.tokenizers.source)

    def _translation(
        self, text: str, ids: TokenIds, hypotheses: Sequence[Hypothesis]
    ) -> Translation:
        tokenizer = self.tokenizers.source
        pieces = (*(tokenizer.piece(int(i)) for i in ids), tokenizer.piece(EOS_ID))
        return Translation(
            text,
            pieces,
            tuple(target_text(found, self.tokenizers.target, len(pieces)) for found in hypotheses),
            int((ids == UNK_ID).sum()),
            self.model.attention_shape or (1, 1),
        )


def target_text(found: Hypothesis, tokenizer: SentencePiece, source_length: int) -> TargetText:
    """Return a hypothesis as text; of its attention, what falls on the source's own tokens."""
    text = tokenizer.decode([i for i in found.token_ids if i != EOS_ID])
    weights = found.attention_weights
    return TargetText(
        one_line(text),
        found.score,
        tuple(tokenizer.piece(i) for i in found.token_ids),
        found.token_scores,
        None if weights is None else weights[..., :source_length],
        found.first_choices,
        found.token_ids.count(UNK_ID),
    )


def _require_int8(device: torch.device) -> None:
    """Refuse products of 8 bits where there are none.

    Raises:
        ConfigError: on a GPU, or without oneDNN's.
    """
    if device.type != "cpu":
        raise ConfigError(f"--int8 is for a processor, found {device}; choose --device cpu")
    if not this_machine().has_int8:
        raise ConfigError(
            "--int8: PyTorch has no products of 8 bits for this processor; leave it out"
        )


def _check_tokenizers(first: LoadedModel, folder: Path, other: LoadedModel, path: Path) -> None:
    """Refuse two models whose tokens do not mean the same."""
    mine, theirs = (loaded.tokenizers.digest for loaded in (first, other))
    if mine != theirs:
        raise UsageError(
            f"{path}: its tokenizer ({theirs[:12]}) is not that of {folder} ({mine[:12]}); the "
            "models of an ensemble share one: train them in one workspace"
        )


def token_ids(text: str, tokenizer: SentencePiece) -> TokenIds:
    """Return the ids of a text that is tidied as the corpus was."""
    return np.array(tokenizer.encode(tidy(text, tokenizer.normalization)), dtype=np.int32)


def side_by_side(
    work: Callable[[Sequence[int], Notice], Sequence[Found]],
    batches: Sequence[Sequence[int]],
    threads: int,
) -> dict[int, Found]:
    """Return what the work finds for each place of the batches.

    Each thread takes a batch: that is quicker than to share the operations of one. Where there are
    fewer batches, each has several threads.

    Args:
        work: what is done with the places of a batch; it calls its second argument now and then,
            which raises where there is no use in going on.
        batches: of places, what takes longest first.
        threads: to compute with.
    """
    workers = max(1, min(threads, len(batches), MAX_WORKERS))
    if workers == 1:
        results: Sequence[Sequence[Found]] = [work(places, lambda: None) for places in batches]
    else:
        results = _in_threads(work, batches, workers, threads)
    return dict(
        pair
        for places, found in zip(batches, results, strict=True)
        for pair in zip(places, found, strict=True)
    )


def _in_threads(
    work: Callable[[Sequence[int], Notice], Sequence[Found]],
    batches: Sequence[Sequence[int]],
    workers: int,
    threads: int,
) -> list[Sequence[Found]]:
    """Do the work of each batch, so many at once; what ends one, or an interruption, ends all."""
    over = threading.Event()

    def go_on() -> None:
        if over.is_set():
            raise CancelledError

    share = (threads // workers,)
    try:
        with ThreadPoolExecutor(workers, "search", torch.set_num_threads, share) as pool:
            try:
                return list(pool.map(lambda places: work(places, go_on), batches))
            except BaseException:
                over.set()
                raise
    finally:
        torch.set_num_threads(threads)  # the share would be that of every later thread too
