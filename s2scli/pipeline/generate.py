"""`s2s generate`: write sentences or pictures from vectors instead of sources."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from s2scli.config import Recipe
from s2scli.data.cleaning import is_blank
from s2scli.data.codecs.cell import BadCellError
from s2scli.data.example import Values
from s2scli.errors import UsageError
from s2scli.model.seq2seq import Seq2Seq, pick_device
from s2scli.search.loop import search_from
from s2scli.search.settings import GenerateSettings, SearchSettings
from s2scli.translation.lines import NOT_FOUND, size_of
from s2scli.translation.model_folder import load_model_folder
from s2scli.translation.results import TargetText
from s2scli.translation.torch_engine import translator_of
from s2scli.translation.translator import Translator

VECTORS_AT_ONCE = 64


@dataclass(frozen=True)
class Writer:
    """A model whose decoder sees the source only as a single vector.

    Attributes:
        recipe: the recipe of the model.
        model: the model.
        device: the device of the model.
        translator: the model's text codecs and search settings.
    """

    recipe: Recipe
    model: Seq2Seq
    device: torch.device
    translator: Translator

    @classmethod
    def load(cls, folder: Path, device: str = "auto") -> Self:
        """Load a model folder.

        Raises:
            MissingInputError: there is no model in the folder.
            CheckpointError: the folder is damaged or was written by a newer version.
            ConfigError: the device does not exist.
            UsageError: the decoder attends to the source, so it does not work from one vector.
        """
        on = pick_device(device)
        loaded = load_model_folder(folder, on)
        if not loaded.model.code_dim:
            raise UsageError(
                f"{folder}: the decoder attends to the source (model.attention.kind "
                f"{loaded.recipe.model.attention.kind}), so there is no vector to generate from; "
                "train a model with --recipe vae or autoencoder"
            )
        return cls(loaded.recipe, loaded.model, on, translator_of(loaded, device=on))

    @torch.inference_mode()
    def draw(self, settings: GenerateSettings) -> Tensor:
        """Sample vectors from the prior, [count, Z].

        They are T e with the temperature T and e ~ N(0, 1).

        Raises:
            UsageError: the model has no prior.
        """
        return self._noise(settings)

    @torch.inference_mode()
    def draw_around(self, text: str, settings: GenerateSettings) -> Tensor:
        """Sample vectors from the posterior of a sentence or a picture, [count, Z].

        They are m + T s e with the posterior's mean m and standard deviation s, the temperature T
        and e ~ N(0, 1).

        Raises:
            UsageError: the model has no prior, or the source is empty, unreadable or too long.
        """
        noise = self._noise(settings)
        return self.model.posterior(*self._source([text])).at(noise)

    @torch.inference_mode()
    def interpolate(self, first: str, second: str, settings: GenerateSettings) -> Tensor:
        """Interpolate between the vectors a and b of two sentences or pictures.

        Return a + t (b - a) for t from 0 to 1, [steps, C] (Bowman et al. 2016, section 5.3).

        Raises:
            UsageError: a source is empty, unreadable or too long.
        """
        a, b = self.model.code(*self._source([first, second]))
        return torch.lerp(a, b, torch.linspace(0, 1, settings.steps, device=a.device)[:, None])

    @torch.inference_mode()
    def write(self, codes: Tensor, settings: SearchSettings) -> Iterator[TargetText]:
        """Yield the best output for each vector of `codes`, [N, C].

        Raises:
            UsageError: a search finds no output that meets all demands of the settings.
        """
        own = max(self.recipe.training.max_length, settings.min_length)
        limit = settings.max_length or own
        for start in range(0, len(codes), VECTORS_AT_ONCE):
            some = codes[start : start + VECTORS_AT_ONCE]
            longest = torch.full((len(some),), limit, device=self.device)
            state = self.model.start_from(some)
            keys = [(start + number,) for number in range(len(some))]
            found = search_from(self.model, state, longest, settings, keys, attention=False)
            for outputs in found:
                if not outputs:
                    raise UsageError(NOT_FOUND)
                yield self.translator.text_of(outputs[0], 0)

    def _noise(self, settings: GenerateSettings) -> Tensor:
        """Return T e, [count, Z]; with the same seed, a larger count only appends rows."""
        if not self.model.has_prior:
            raise UsageError(
                f"the model {self.recipe.name} has no distribution to sample vectors from "
                f"(model.connection.kind {self.recipe.model.connection.kind}); use --between A B, "
                "or train a model with --recipe vae"
            )
        random = np.random.default_rng(settings.seed)
        noise = random.standard_normal((settings.count, self.model.code_dim), np.float32)
        return settings.temperature * torch.from_numpy(noise).to(self.device)

    def _source(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Encode and pad sentences or pictures; return them with their lengths."""
        source, lengths = self.translator.source.pad([self._read(text) for text in texts])
        return source.to(self.device), lengths

    def _read(self, text: str) -> Values:
        """Encode a sentence, or read a picture."""
        codec, most = self.translator.source, self.recipe.training.max_length
        if is_blank(text):
            raise UsageError("expected a sentence or a picture file, found empty text")
        try:
            values = codec.encode(text)
        except BadCellError as error:
            raise UsageError(str(error)) from error
        size = size_of(values, codec)
        if size > most:
            raise UsageError(
                f"{text[:40]!r}...: {size} tokens, but the model accepts at most {most}; give a "
                "shorter sentence"
            )
        return values
