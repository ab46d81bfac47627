"""A shortlist changes which tokens are possible, and nothing else."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from s2scli.data.batch import make_source
from s2scli.data.example import Values
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import DecoderState, DecoderStep
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.search.shortlist import Shortlist, Shortlisted
from s2scli.settings import Tree
from s2scli.special_ids import EOS_ID
from tests.models import MODELS, VOCAB_SIZE, ids, make_model

SOURCES = [ids(4, 5, 6, 7), ids(8, 9), ids(10, 4, 4, 9, 9, 5), ids(5)]
SETTINGS = SearchSettings(beam_size=3, n_best=2)
some_models = pytest.mark.parametrize(
    "tree",
    [MODELS[name] for name in ("transformer-multi_head", "ssru-multi_head", "gru-dot-after")],
)


def some_tokens() -> Shortlist:
    """Each source token allows itself and its neighbour."""
    neighbours = {token: Counter([token, token % 7 + 4]) for token in range(4, VOCAB_SIZE)}
    return Shortlist.of(neighbours, Counter(), VOCAB_SIZE)


class Masked:
    """A second implementation: all logits are computed, and those of other tokens forbidden."""

    def __init__(self, model: Seq2Seq, allowed: Tensor) -> None:
        self.model, self.allowed = model, allowed

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def step(
        self, token_ids: Tensor, state: DecoderState, *, attention: bool = False
    ) -> DecoderStep:
        step = self.model.step(token_ids, state, attention=attention)
        step.logits.masked_fill_(~self.allowed, float("-inf"))
        return step


def search_within(
    model: Seq2Seq, shortlist: Shortlist, sources: Sequence[Values]
) -> list[tuple[Hypothesis, ...]]:
    source, lengths = make_source(sources)
    narrowed = Shortlisted(model, shortlist, source, lengths)
    return narrowed.restore(search(narrowed, source, lengths, SETTINGS))


def assert_same(found: tuple[Hypothesis, ...], expected: tuple[Hypothesis, ...]) -> None:
    assert [one.token_ids for one in found] == [one.token_ids for one in expected]
    assert [one.score for one in found] == pytest.approx([one.score for one in expected], 1e-9)


@some_models
def test_the_whole_vocabulary_changes_nothing(tree: Tree) -> None:
    model = make_model(tree)
    whole = Shortlist(torch.arange(VOCAB_SIZE), torch.full((VOCAB_SIZE, 1), EOS_ID))
    source, lengths = make_source(SOURCES)
    plain = search(model, source, lengths, SETTINGS)
    for found, expected in zip(search_within(model, whole, SOURCES), plain, strict=True):
        assert [one.token_ids for one in found] == [one.token_ids for one in expected]
        assert [one.score for one in found] == [one.score for one in expected]


@some_models
def test_a_sentence_alone_or_in_any_batch_has_the_tokens_it_allows(tree: Tree) -> None:
    model, shortlist = make_model(tree).double(), some_tokens()
    together = search_within(model, shortlist, SOURCES)
    turned = search_within(model, shortlist, SOURCES[::-1])[::-1]
    for one, found, other in zip(SOURCES, together, turned, strict=True):
        alone, length = make_source([one])
        allowed = shortlist.allowed(alone, length, VOCAB_SIZE)
        (expected,) = search(Masked(model, allowed), alone, length, SETTINGS)
        assert_same(found, expected)
        assert_same(other, expected)
        written = {token for each in found for token in each.token_ids}
        assert written <= set(allowed[0].nonzero()[:, 0].tolist())


def test_padding_allows_nothing() -> None:
    source, lengths = make_source(SOURCES)
    both = some_tokens().allowed(source, lengths, VOCAB_SIZE)
    for row, one in zip(both, SOURCES, strict=True):
        assert torch.equal(row, some_tokens().allowed(*make_source([one]), VOCAB_SIZE)[0])


def test_the_most_frequent_are_chosen_and_equal_ones_by_id() -> None:
    counts = Counter({token: 2 if token < 70 else 3 for token in range(10, 110)})
    shortlist = Shortlist.of({5: counts, 6: Counter({9: 1})}, counts, 8)
    chosen = [*range(70, 110), *range(10, 20)]
    assert shortlist.common.tolist() == sorted(chosen)
    assert shortlist.best[5].tolist() == chosen
    assert shortlist.best[6].tolist() == [9] + [EOS_ID] * 49
    assert set(shortlist.best[7].tolist()) == {EOS_ID}
