"""A translator without a network: it says everything louder. Run as a program, it is `s2s`."""

import sys
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from s2scli.pipeline.translation import TargetText, Translation

from s2scli.search.settings import SearchSettings


@dataclass
class StubTranslator:
    """Upper-cases; tokens are words; `boom` makes the whole batch fail, `silence` finds nothing.

    Words with a question mark are unknown.
    """

    max_source_tokens: int = 8
    has_attention: bool = True
    is_latent: bool = False
    search_settings: SearchSettings = field(default_factory=SearchSettings)
    batches: list[list[str]] = field(default_factory=list)

    @classmethod
    def load(cls, *folders: Path, device: str = "auto", int8: bool = False) -> "StubTranslator":
        return cls()

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    def count_longer_side(self, source: str, target: str) -> int:
        return max(self.count_tokens(source), self.count_tokens(target))

    def search(
        self,
        texts: Sequence[str],
        settings: SearchSettings,
        *,
        with_attention: bool = True,
        with_scores: bool = True,
    ) -> list[Translation]:
        self.batches.append(list(texts))
        if any("boom" in text for text in texts):
            raise RuntimeError("the network fell over")
        return [self._translation(text, settings.n_best, with_attention) for text in texts]

    def force(
        self, sources: Sequence[str], targets: Sequence[str], *, with_attention: bool = True
    ) -> list[Translation]:
        found = []
        for source, target in zip(sources, targets, strict=True):
            pieces = (*target.split(), "</s>")
            expected = (*source.upper().split(), "</s>")
            hits = tuple(a == b for a, b in zip(pieces, expected, strict=True))
            scores = tuple(float(np.log(0.5 if hit else 0.125)) for hit in hits)
            unknown = sum("?" in word for word in pieces)
            one = TargetText(target, sum(scores), pieces, scores, None, hits, unknown)
            found.append(Translation(source, (*source.split(), "</s>"), (one,)))
        return found

    def _translation(self, text: str, n_best: int, with_attention: bool) -> Translation:
        pieces = (*text.upper().split(), "</s>")
        attention = np.eye(len(pieces), dtype=np.float32)[:, None] if with_attention else None
        hypotheses = tuple(
            TargetText(
                text.upper() + "!" * rank,
                -0.5 * (rank + 1),
                pieces,
                (-0.5 * (rank + 1),) * len(pieces),
                attention,
            )
            for rank in range(n_best if text != "silence" else 0)
        )
        unknown = sum("?" in word for word in text.split())
        return Translation(text, (*text.split(), "</s>"), hypotheses, unknown)


def stub_module() -> types.ModuleType:
    """Return what stands in for `s2scli.pipeline.translator`."""
    module = types.ModuleType("s2scli.pipeline.translator")
    module.Translator = StubTranslator  # type: ignore[attr-defined]
    return module


if __name__ == "__main__":
    from s2scli.__main__ import main

    sys.modules["s2scli.pipeline.translator"] = stub_module()
    main()
