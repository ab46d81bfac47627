"""A translator without a network: it says everything louder. Run as a program, it is `s2s`."""

import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from s2scli.data.batching import Lengths
from s2scli.data.codecs.text import one_line
from s2scli.data.encoded import pad_ids
from s2scli.data.example import TokenIds, Values
from s2scli.data.overlong import split_text, truncate_text
from s2scli.report.readings import BEST_HEADS, Reading
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import EOS_ID, UNK_ID
from s2scli.translation.options import Wanted
from s2scli.translation.translator import Translator

if TYPE_CHECKING:
    from torch import Tensor

MODULE = "s2scli.translation.torch_engine"
SHOUT, UNKNOWN = "!", "‽"


class WordCodec:
    """Tokens are words, each with the white space before it; words with a ‽ are unknown."""

    reverse = are_words = False

    def __init__(self) -> None:
        self.known = ["<pad>", UNKNOWN, "<s>", "</s>"]
        self.ids = {word: id for id, word in enumerate(self.known)}

    @property
    def tags(self) -> tuple[str, ...]:
        return ()

    def encode(self, cell: str, source: str = "") -> TokenIds:
        words = re.findall(r"\s*\S+(?:\s+$)?", cell)
        return np.array([self._id(word) for word in words], np.int32)

    def pad(self, sources: Sequence[Values]) -> "tuple[Tensor, Tensor]":
        return pad_ids(sources)

    def length(self, values: Values) -> int:
        return len(values) + 1

    def sizes(self, lengths: Lengths) -> Lengths:
        return lengths

    def parts(self, cell: str, most: int) -> Sequence[str]:
        return split_text(cell, lambda text: len(self.encode(text)) <= most)

    def utterances(self, cell: str) -> Sequence[str]:
        return ()

    def truncate(self, cell: str, most: int) -> str:
        return truncate_text(cell, lambda text: len(self.encode(text)) <= most)

    def labels(self, values: Values, positions: int, cell: str = "") -> tuple[str, ...]:
        return self.pieces([*values.tolist(), EOS_ID])

    def unknown(self, values: Values) -> int:
        return int((values == UNK_ID).sum())

    def surfaces(self, cell: str) -> list[str]:
        return cell.split()

    def decode_with(
        self, token_ids: Sequence[int], replaced: Mapping[int, str], source: Sequence[str] = ()
    ) -> str:
        words = (replaced.get(at, self.known[id]) for at, id in enumerate(token_ids))
        return one_line("".join(words))

    def decode(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> str:
        return one_line(self.text(token_ids))

    def pieces(self, token_ids: Sequence[int], source: Sequence[str] = ()) -> tuple[str, ...]:
        return tuple(self.known[id].strip() for id in token_ids)

    def text(self, token_ids: Sequence[int]) -> str:
        return "".join(self.known[id] for id in token_ids if id != EOS_ID)

    def _id(self, word: str) -> int:
        if UNKNOWN in word:
            return UNK_ID
        if word not in self.ids:
            self.ids[word] = len(self.known)
            self.known.append(word)
        return self.ids[word]


@dataclass
class StubEngine:
    """Upper-cases; `boom` makes a batch fail, `silence` finds nothing, `blank` an empty text."""

    max_source_tokens: int = 8
    attention_shape: tuple[int, int] | None = (1, 1)
    is_latent: bool = False
    reading: Reading = BEST_HEADS
    settings: SearchSettings = field(default_factory=SearchSettings)
    codec: WordCodec = field(default_factory=WordCodec)
    batches: list[list[str]] = field(default_factory=list)

    def positions(self, length: int) -> int:
        return length

    def search(
        self,
        sources: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
        rules: Rules = NO_RULES,
    ) -> list[tuple[Hypothesis, ...]]:
        texts = [self.codec.text(ids.tolist()) for ids in sources]
        self.batches.append(texts)
        if any("boom" in text for text in texts):
            raise RuntimeError("the network fell over")
        return [self._hypotheses(text, settings.n_best, wanted.attention) for text in texts]

    def force(
        self,
        sources: Sequence[TokenIds],
        targets: Sequence[TokenIds],
        settings: SearchSettings,
        wanted: Wanted,
    ) -> list[Hypothesis]:
        found = []
        for source, target in zip(sources, targets, strict=True):
            written, read = (self.codec.pieces(ids.tolist()) for ids in (target, source))
            hits = (*(a == b.upper() for a, b in zip(written, read, strict=True)), True)
            scores = tuple(float(np.log(0.5 if hit else 0.125)) for hit in hits)
            ids = (*target.tolist(), EOS_ID)
            found.append(Hypothesis(ids, sum(scores), scores, None, hits))
        return found

    def _hypotheses(self, text: str, n_best: int, attention: bool) -> tuple[Hypothesis, ...]:
        if text == "silence":
            return ()
        found = []
        for rank in range(n_best):
            written = "" if text == "blank" else text.upper() + SHOUT * rank
            ids = (*self.codec.encode(written).tolist(), EOS_ID)
            weights = np.eye(len(ids), dtype=np.float32)[:, None] if attention else None
            scores = (-0.5 * (rank + 1),) * len(ids)
            found.append(Hypothesis(ids, -0.5 * (rank + 1), scores, weights))
        return tuple(found)


def stub_translator(engine: StubEngine | None = None) -> Translator:
    """Return a translator around a stub."""
    engine = engine or StubEngine()
    return Translator(engine, engine.codec, engine.codec)


def stub_module(make: Callable[[], Translator] = stub_translator) -> types.ModuleType:
    """Return what stands in for the module of the PyTorch engine, and loads what `make` makes."""

    def load(
        *folders: Path, device: str = "auto", int8: bool = False, shortlist: bool = False
    ) -> Translator:
        return make()

    module = types.ModuleType(MODULE)
    vars(module)["load"] = load
    return module


if __name__ == "__main__":
    from s2scli.__main__ import main

    sys.modules[MODULE] = stub_module()
    main()
