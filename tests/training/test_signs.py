"""What a validation measures for a diagnosis, against counts made by hand."""

import math

import numpy as np
import pytest
import torch

from s2scli.data.batch import Batch, make_batch
from s2scli.special_ids import UNK_ID
from s2scli.training.signs import model_signs, output_signs, unigram_entropy
from tests.models import (
    COPYING_MODELS,
    MODELS,
    VOCAB_SIZE,
    each_model,
    ids,
    make_model,
    pad_copying,
    transformer_tree,
)
from tests.training.runs import training_settings


def test_unigram_entropy_counts_the_end_tokens_too() -> None:
    assert unigram_entropy([ids(4, 4), ids(5, 6)]) == pytest.approx(
        -(2 * (2 / 6) * math.log(2 / 6) + 2 * (1 / 6) * math.log(1 / 6))
    )
    assert unigram_entropy([ids(), ids()]) == 0


def test_unigram_entropy_is_the_loss_of_the_token_frequencies() -> None:
    random = np.random.default_rng(3)
    targets = [ids(*random.integers(4, 9, random.integers(0, 7))) for _ in range(50)]
    tokens = torch.cat([*(torch.tensor(target) for target in targets), torch.full((50,), 3)])
    logits = torch.bincount(tokens).log().expand(len(tokens), -1)
    expected = float(torch.nn.functional.cross_entropy(logits, tokens))
    assert unigram_entropy(targets) == pytest.approx(expected, rel=1e-5)


def test_shares_of_outputs() -> None:
    sources = ["a b c", "d e", "f", "g"]
    outputs = ["a b x", "a b x", "xyxyxyxy", "⁇ ⁇"]
    references = ["x y", "x z", "f", "h"]
    signs = output_signs(sources, outputs, references)
    assert signs["same"] == 0.5 and signs["same_reference"] == 0.25
    assert signs["copied"] == 2 / 9, "a and b, once"
    assert signs["copied_reference"] == 1 / 6
    assert signs["unknown"] == 2 / 9 and signs["unknown_reference"] == 0
    assert signs["repeated"] == pytest.approx(1 / 3), "xyxyxy, yxyxyx, and again xyxyxy"
    assert signs["repeated_reference"] == 0


def test_outputs_of_nothing_have_signs() -> None:
    signs = output_signs(["a", "b"], ["", ""], ["c", "d"])
    assert signs["same"] == 1
    assert {signs[name] for name in ("copied", "unknown", "repeated")} == {0}


def eight() -> Batch:
    random = np.random.default_rng(1)
    source, target = ([ids(*random.integers(4, 11, 3 + n)) for n in range(8)] for _ in range(2))
    return make_batch(source, target)


@each_model
def test_every_model_with_attention_has_all_signs(tree: dict[str, object]) -> None:
    model = make_model(tree)
    signs = model_signs(model, eight(), training_settings())
    expected = ["source_gain"] + ["attention_change"] * bool(model.attention_shape)
    assert [*signs] == expected and all(map(math.isfinite, signs.values()))


@pytest.mark.parametrize("tree", [MODELS["gru-general-after"], transformer_tree()])
def test_attention_that_is_the_same_at_every_step_does_not_change(tree: dict[str, object]) -> None:
    model, batch = make_model(tree), eight()
    assert 0.01 < model_signs(model, batch, training_settings())["attention_change"] <= 1
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "attention" in name:
                weight.zero_()
    change = model_signs(model, batch, training_settings())["attention_change"]
    assert change == pytest.approx(0, abs=1e-6)


def test_a_source_that_is_not_used_gains_nothing() -> None:
    model, batch = make_model(MODELS["gru-additive-after"]), eight()
    assert model_signs(model, batch, training_settings())["source_gain"] != 0
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.startswith(("connection", "decoder.attention")) or "source" in name:
                weight.zero_()
        for weight in model.encoder.parameters():
            weight.zero_()
    assert model_signs(model, batch, training_settings())["source_gain"] == 0


def test_too_few_examples_have_no_signs() -> None:
    model = make_model(MODELS["gru-additive-after"])
    assert model_signs(model, eight().part(slice(3)), training_settings()) == {}
    short = make_batch([ids(4)] * 5, [ids(4)] * 5)
    assert model_signs(model, short, training_settings()).keys() == {"source_gain"}


def test_a_model_that_copies_has_signs_though_another_source_lacks_what_it_copies() -> None:
    model = make_model(COPYING_MODELS["pointer-after"])
    sources = [ids(4, VOCAB_SIZE + n, 5) for n in range(4)]
    targets = [ids(-1 - VOCAB_SIZE - n, 4, 5) for n in range(4)]
    signs = model_signs(model, make_batch(sources, targets, pad_copying), training_settings())
    assert all(map(math.isfinite, signs.values()))


def test_what_only_the_source_knows_counts_as_unknown() -> None:
    assert unigram_entropy([ids(-12, 4)]) == unigram_entropy([ids(UNK_ID, 4)])
