"""Models that copy keep the laws of every model and of the search, with copies among the tokens."""

import copy
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from s2scli.data.batch import make_batch
from s2scli.model.kernels.layout import lay_out
from s2scli.model.kernels.machine import this_machine
from s2scli.model.output.pointer import PointerOutput
from s2scli.model.seq2seq import Seq2Seq
from s2scli.search.ensemble import Ensemble
from s2scli.search.forced import force
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree
from s2scli.special_ids import EOS_ID
from tests.laws import LAWS, begin
from tests.models import COPYING_MODELS, VOCAB_SIZE, ids, make_model, pad_copying

SOURCES = [ids(4, 11, 6, 12, 11), ids(8, 9), ids(10, 11, 4), ids(11)]
each_model = pytest.mark.parametrize("tree", COPYING_MODELS.values(), ids=COPYING_MODELS)


def as_target(source: list[int], written: tuple[int, ...]) -> list[int]:
    """An output as targets spell it: a copy of an unknown piece is -1 - its source id."""
    return [t if t < VOCAB_SIZE else -1 - source[t - VOCAB_SIZE] for t in written if t != EOS_ID]


def same(found: Hypothesis, expected: Hypothesis) -> None:
    assert found.token_ids == expected.token_ids
    np.testing.assert_allclose(found.token_scores, expected.token_scores, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.p_copy, expected.p_copy, atol=1e-5)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@each_model
def test_laws(tree: Tree, law: Callable[[Seq2Seq], None]) -> None:
    law(make_model(tree).double())


@each_model
@pytest.mark.parametrize(
    "settings", [SearchSettings(beam_size=3, n_best=3), SearchSettings(sample=True, n_best=2)]
)
def test_batch_and_order_change_nothing(tree: Tree, settings: SearchSettings) -> None:
    model = make_model(tree)
    together = search(model, *pad_copying(SOURCES), settings)
    turned = search(model, *pad_copying(SOURCES[::-1]), settings)[::-1]
    for source, found, again in zip(SOURCES, together, turned, strict=True):
        (alone,) = search(model, *pad_copying([source]), settings)
        for one, two, three in zip(found, again, alone, strict=True):
            same(one, three)
            same(two, three)


@each_model
def test_scores_are_those_of_forced_decoding(tree: Tree) -> None:
    model = make_model(tree)
    assert isinstance(model.output, PointerOutput)
    with torch.no_grad():
        model.output.gate.bias.add_(3.0)  # copies often
    copied = 0
    for source in SOURCES:
        settings = SearchSettings(beam_size=6, n_best=6, max_length=6)
        for found in search(model, *pad_copying([source]), settings)[0]:
            target = as_target(source.tolist(), found.token_ids)
            (forced,) = force(model, make_batch([source], [ids(*target)], pad_copying), 1.0)
            same(found, forced)
            copied += any(id >= VOCAB_SIZE for id in found.token_ids)
    assert copied, "some outputs hold a piece that no vocabulary has"


@each_model
def test_a_wide_beam_finds_the_best_of_all_outputs(tree: Tree) -> None:
    model, source = make_model(tree), SOURCES[0]
    outside = [VOCAB_SIZE + 1, VOCAB_SIZE + 3]
    bodies = [(), *((token,) for token in (1, *range(EOS_ID + 1, VOCAB_SIZE), *outside))]
    settings = SearchSettings(beam_size=20, n_best=5, max_length=2, length_penalty=0.0)
    (found,) = search(model, *pad_copying([source]), settings)
    targets = [ids(*as_target(source.tolist(), body)) for body in bodies]
    every = force(model, make_batch([source] * len(bodies), targets, pad_copying), 0.0)
    best = sorted(every, key=lambda one: -one.score)[:5]
    for one, other in zip(found, best, strict=True):
        same(one, other)


def test_an_ensemble_is_the_mean_of_its_models() -> None:
    trees = [COPYING_MODELS[name] for name in ("pointer-after", "pointer-transformer")]
    models = [make_model(tree, seed=seed) for seed, tree in enumerate(trees)]
    token = torch.tensor([4, 5, 6])
    steps = [model.step(token, begin(model)) for model in models]
    expected = torch.stack([step.logits.exp() for step in steps]).mean(0)
    ensemble = Ensemble(models)
    batch = pad_copying([ids(4, 11, 6, 12, 11), ids(8, 9), ids(10, 4, 4)])
    found = ensemble.step(token, ensemble.start(ensemble.encode(*batch)))
    torch.testing.assert_close(found.logits.exp(), expected)
    assert found.p_copy is not None and steps[0].p_copy is not None
    torch.testing.assert_close(found.p_copy, steps[0].p_copy)


@pytest.mark.skipif(not this_machine().has_int8, reason="no 8-bit products on this processor")
def test_int8_is_near() -> None:
    model = make_model(COPYING_MODELS["pointer-after"])
    quantized = copy.deepcopy(model)
    lay_out(quantized, int8=True)
    settings = SearchSettings(beam_size=1, max_length=5)
    with torch.inference_mode():
        for one, other in zip(
            search(model, *pad_copying(SOURCES), settings),
            search(quantized, *pad_copying(SOURCES), settings),
            strict=True,
        ):
            assert math.isclose(one[0].score, other[0].score, abs_tol=0.3)
