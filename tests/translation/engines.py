"""Engines of exported models beside the model in PyTorch, on the same texts."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from s2scli.config import Recipe
from s2scli.data.codecs import source_codec
from s2scli.data.stream import Line
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.search.settings import SearchSettings
from s2scli.translation.export_engine import ExportFacts
from s2scli.translation.model_search import ModelSearch
from s2scli.translation.options import Options, Wanted
from s2scli.translation.pairs import pairs_of
from s2scli.translation.results import Translation
from s2scli.translation.torch_engine import TorchEngine
from s2scli.translation.translator import Translator
from tests.export.varieties import POSITIONS, TARGETS, TEXTS, letters

FACTS = ExportFacts(
    name="test",
    quantization="none",
    max_source_tokens=32,
    positions=POSITIONS,
    search=SearchSettings(),
)


def in_torch(name: str, settings: ModelSettings, model: Seq2Seq) -> Translator:
    """Return a model of the letters in PyTorch."""
    tokenizers = letters()
    recipe = Recipe(name=name, model=settings)
    codec = source_codec(tokenizers.source)
    engine = TorchEngine((recipe,), ModelSearch(model, torch.device("cpu"), codec))
    return Translator.of(engine, tokenizers)


def search(
    translator: Translator,
    settings: SearchSettings,
    texts: Sequence[str] = TEXTS,
    wanted: Wanted = Wanted(attention=True),  # noqa: B008
) -> list[Translation]:
    lines = [Line("f", number, text) for number, text in enumerate(texts, 1)]
    records = translator.translate(lines, Options(settings, wanted=wanted))
    return [record.translation for record in records if record.translation]


def force(translator: Translator) -> list[Translation]:
    records = translator.score(pairs_of("f", TEXTS, TARGETS))
    return [record.translation for record in records if record.translation]


def largest_difference(ours: list[Translation], theirs: list[Translation]) -> float:
    """Return the largest difference of a token's score between the same hypotheses."""
    pairs = [
        (one.hypotheses[0].token_scores, other.hypotheses[0].token_scores)
        for one, other in zip(ours, theirs, strict=True)
    ]
    return max(float(np.abs(np.subtract(one, other)).max()) for one, other in pairs)


def assert_same(one: Translation, other: Translation) -> None:
    """Check that two engines found one best output, and gave it the same scores."""
    assert other.source_pieces == one.source_pieces
    mine, found = one.hypotheses[0], other.hypotheses[0]
    assert found.pieces == mine.pieces
    assert found.text == mine.text
    assert found.score == pytest.approx(mine.score, abs=1e-4)
    assert found.token_scores == pytest.approx(mine.token_scores, abs=1e-4)
