"""Forced alignment against all paths."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.search.ctc_alignment import align_best, align_tokens
from s2scli.search.hypothesis import Hypothesis
from s2scli.settings import load_settings
from s2scli.special_ids import EOS_ID, PAD_ID
from tests.models import VOCAB_SIZE, model_tree

TOKENS = 3  # the blank and two more


def random_log_probs(states: int, seed: int, tokens: int = TOKENS) -> NDArray[np.float32]:
    logits = np.random.default_rng(seed).normal(size=(states, tokens))
    log_probs: NDArray[np.float32] = (
        logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    ).astype(np.float32)
    return log_probs


def collapsed(path: Sequence[int]) -> list[int]:
    """Return a path without repetitions, then without blanks."""
    return [symbol for symbol, _ in itertools.groupby(path) if symbol != PAD_ID]


def spans_of(path: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Return where each token of a path begins and ends."""
    spans, start = [], 0
    for symbol, group in itertools.groupby(path):
        end = start + len(list(group))
        if symbol != PAD_ID:
            spans.append((start, end))
        start = end
    return tuple(spans)


def by_brute_force(
    log_probs: NDArray[np.float32], tokens: Sequence[int]
) -> tuple[tuple[int, int], ...] | None:
    """Try every path of symbols."""
    paths = itertools.product(range(log_probs.shape[1]), repeat=len(log_probs))
    fitting = [path for path in paths if collapsed(path) == list(tokens)]
    if not fitting:
        return None
    best = max(fitting, key=lambda path: sum(log_probs[np.arange(len(path)), path].tolist()))
    return spans_of(best)


@pytest.mark.parametrize("states", [1, 2, 3, 5])
@pytest.mark.parametrize(
    "tokens", [[], [1], [2], [1, 2], [1, 1], [2, 1, 2], [1, 1, 1], [1, 2, 2, 1]], ids=str
)
def test_it_is_the_best_of_all_paths(states: int, tokens: list[int]) -> None:
    for seed in range(8):
        log_probs = random_log_probs(states, seed)
        assert align_tokens(log_probs, tokens) == by_brute_force(log_probs, tokens)


def test_tokens_that_do_not_fit_have_no_alignment() -> None:
    log_probs = random_log_probs(2, 0)
    assert align_tokens(log_probs, [1, 1]) is None, "equal tokens need a blank between them"
    assert align_tokens(log_probs, [1, 2]) == ((0, 1), (1, 2))
    assert align_tokens(log_probs, [1, 2, 1]) is None


def test_spans_are_where_the_tokens_are_probable() -> None:
    log_probs = np.full((8, TOKENS), -9.0, np.float32)
    for state, symbol in enumerate([0, 1, 1, 0, 0, 2, 0, 0]):
        log_probs[state, symbol] = -0.1
    assert align_tokens(log_probs, [1, 2]) == ((1, 3), (5, 6))


def make_ctc_model() -> Seq2Seq:
    torch.manual_seed(1)
    settings = load_settings(ModelSettings, {**model_tree(), "ctc_weight": 0.5}, "test")
    return Seq2Seq(settings, VOCAB_SIZE, VOCAB_SIZE, joint=False).eval()


def test_the_best_hypothesis_of_each_source_is_aligned_as_if_alone() -> None:
    model = make_ctc_model()
    rows = [[4, 5, 6, 7, 8, EOS_ID], [5, 6, EOS_ID]]
    lengths = torch.tensor([len(row) for row in rows])
    source = torch.full((2, 6), PAD_ID)
    for row, ids in enumerate(rows):
        source[row, : len(ids)] = torch.tensor(ids)
    best = Hypothesis((5, 6, EOS_ID), -1.0, (), None)
    second = replace(best, score=-2.0)
    found = align_best(model, source, lengths, [(best, second), (best,)])
    assert found[0][1] == second
    every = align_best(model, source, lengths, [(best, second), (best,)], None)
    assert every[0][1].token_spans == found[0][0].token_spans and every[1] == found[1]
    for row, ids in enumerate(rows):
        with torch.inference_mode():
            encoded = model.encode(torch.tensor([ids]), lengths[row : row + 1])
            alone = model.ctc_log_probs(encoded)[0].numpy()
        assert found[row][0].token_spans == align_tokens(alone, [5, 6])
        assert len(found[row][0].token_spans) == 2


def test_an_output_that_does_not_fit_has_no_spans() -> None:
    best = Hypothesis((5, 6, 5, 6, EOS_ID), -1.0, (), None)
    source, lengths = torch.tensor([[4, EOS_ID], [4, EOS_ID]]), torch.tensor([2, 2])
    found = align_best(make_ctc_model(), source, lengths, [(best,), ()])
    assert found == [(best,), ()]
