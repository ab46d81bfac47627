"""The objective of a batch against plain twins of its formulas."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from s2scli.data.batch import Batch, make_batch
from s2scli.special_ids import BOS_ID, PAD_ID
from s2scli.training.loss import coverage_loss, score_batch
from s2scli.training.objective import batch_objective, with_guesses, with_tokens_cut
from tests.models import COPYING_MODELS, MODELS, VOCAB_SIZE, copying_batch, ids, small_batch
from tests.training.runs import make_run, training_settings

OWN_GUESSES_ONLY = {"kind": "linear", "start": 0.0, "slope": 0.0, "floor": 0.0}


def with_dropout() -> dict[str, object]:
    tree = MODELS["gru-additive-after"]
    return {**tree, "decoder": {**tree["decoder"], "dropout": 0.4}}


def test_padding_has_no_part_in_the_objective() -> None:
    run = make_run(training_settings())
    run.model.eval()
    pairs = [(ids(4, 5, 6), ids(7)), (ids(8), ids(9, 4, 5, 6)), (ids(5), ids())]

    def objective(*rows: int) -> Tensor:
        sources, targets = zip(*(pairs[row] for row in rows), strict=True)
        return batch_objective(run.model, make_batch(sources, targets), run.settings, 1)

    torch.testing.assert_close(objective(0, 1, 2), objective(0) + objective(1) + objective(2))


def plain_r_drop(first: Tensor, second: Tensor, target: Tensor, alpha: float) -> float:
    """Sum over tokens of half of -log p(t) - log q(t) + alpha / 2 [KL(p || q) + KL(q || p)]."""
    total = 0.0
    for one, other, right in zip(first.double(), second.double(), target.tolist(), strict=True):
        p, q = one.softmax(-1).tolist(), other.softmax(-1).tolist()
        total += -torch.tensor(p[right]).log().item() - torch.tensor(q[right]).log().item()
        for a, b in zip(p, q, strict=True):
            ratio = torch.tensor(a / b).log().item()
            total += alpha / 2 * (a * ratio - b * ratio)
    return total / 2


@pytest.mark.parametrize("alpha", [0.5, 5.0])
def test_r_drop_is_its_formula_over_two_readings(alpha: float) -> None:
    """The two halves of one call are two readings; the model itself is asked for them again."""
    run = make_run(training_settings(r_drop=alpha, label_smoothing=0.0), with_dropout())
    run.model.train()
    batch = small_batch()
    torch.manual_seed(3)
    found = batch_objective(run.model, batch, run.settings, 1).detach()
    torch.manual_seed(3)
    hidden, mask = run.model(batch.twice()).hidden, batch.target_mask
    first, second = (run.model.logits(half[mask]) for half in hidden.chunk(2))
    assert not torch.equal(first, second), "dropout makes them differ"
    expected = plain_r_drop(first, second, batch.target_output[mask], alpha)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_without_dropout_r_drop_is_the_plain_objective() -> None:
    """Each token counts once, so the loss is comparable."""
    run = make_run(training_settings(label_smoothing=0.1))
    dropping = training_settings(label_smoothing=0.1, r_drop=5.0)
    run.model.eval()
    plain = batch_objective(run.model, small_batch(), run.settings, 1)
    torch.testing.assert_close(batch_objective(run.model, small_batch(), dropping, 1), plain)


def test_r_drop_pulls_two_readings_together() -> None:
    """Gradients go through both readings, and lessen what they differ by."""
    run = make_run(training_settings(), with_dropout())
    run.model.train()

    def disagreement() -> Tensor:
        objectives = []
        for alpha in (1.0, 2.0):
            torch.manual_seed(5)
            settings = training_settings(r_drop=alpha)
            objectives.append(batch_objective(run.model, small_batch(), settings, 1))
        once, doubled = objectives
        return doubled - once

    before = disagreement()
    torch.autograd.backward(before)
    with torch.no_grad():
        for weight in run.model.parameters():
            if weight.grad is not None:
                weight.sub_(weight.grad, alpha=0.05)
        assert 0 < float(disagreement()) < float(before.detach())


def plain_simcut(first: Tensor, second: Tensor, target: Tensor, alpha: float) -> float:
    """Sum over tokens of -log p(t) + alpha KL(p || q)."""
    total = 0.0
    for one, other, right in zip(first.double(), second.double(), target.tolist(), strict=True):
        p, q = one.detach().softmax(-1), other.detach().softmax(-1)
        total += float(-p[right].log()) + alpha * float((p * (p / q).log()).sum())
    return total


@pytest.mark.parametrize("alpha", [0.5, 3.0])
def test_simcut_is_its_formula_over_the_pair_and_the_cut_pair(alpha: float) -> None:
    settings = training_settings(simcut=alpha, simcut_share=0.4, label_smoothing=0.0)
    run = make_run(settings)
    run.model.eval()
    batch = small_batch()
    torch.manual_seed(3)
    found = batch_objective(run.model, batch, run.settings, 1).detach()
    torch.manual_seed(3)
    cut = with_tokens_cut(run.model, batch, 0.4)
    assert not torch.equal(cut.source, batch.source)
    first, second = (
        run.model.logits(run.model(read).hidden[batch.target_mask]) for read in (batch, cut)
    )
    expected = plain_simcut(first, second, batch.target_tokens, alpha)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_simcut_cuts_tokens_of_both_sides_and_nothing_else() -> None:
    run = make_run(training_settings())
    batch = small_batch()
    torch.manual_seed(1)
    for share, least, most in ((0.0, 0, 0), (1.0, 1, 1), (0.5, 0.1, 0.9)):
        cut = with_tokens_cut(run.model, batch, share)
        for before, after in ((batch.source, cut.source), (batch.target_input, cut.target_input)):
            real = before != PAD_ID
            assert least <= float((after[real] == PAD_ID).float().mean()) <= most
            assert torch.equal(after[after != PAD_ID], before[after != PAD_ID])
        assert torch.equal(cut.target_output, batch.target_output)
        assert torch.equal(cut.source_lengths, batch.source_lengths)


def plain_mix(
    batch: Batch, guesses: Iterator[int], coins: Tensor, truth_share: float
) -> list[list[int]]:
    """Return what the decoder reads, place by place."""
    mixed = []
    for row, (read, right) in enumerate(
        zip(batch.target_input.tolist(), batch.target_output.tolist(), strict=True)
    ):
        said = [next(guesses) if token != PAD_ID else PAD_ID for token in right]
        inputs = [read[0]]
        for place in range(1, len(read)):
            own = said[place - 1]
            keep = float(coins[row, place - 1]) < truth_share or own == PAD_ID
            inputs.append(read[place] if keep else own)
        mixed.append(inputs)
    return mixed


@pytest.mark.parametrize("truth_share", [0.0, 0.3, 0.8, 1.0])
def test_guesses_are_mixed_in_place_by_place(truth_share: float) -> None:
    batch = small_batch()
    count = int(batch.target_mask.sum())
    guesses = torch.randint(3, VOCAB_SIZE, (count,), generator=torch.Generator().manual_seed(1))
    guesses[0] = PAD_ID  # a guess that would hide a token is none
    torch.manual_seed(9)
    found = with_guesses(batch, guesses, truth_share)
    torch.manual_seed(9)
    coins = torch.rand(batch.target_input[:, 1:].shape)
    assert found.target_input.tolist() == plain_mix(
        batch, iter(guesses.tolist()), coins, truth_share
    )
    assert (found.target_input[:, 0] == BOS_ID).all()
    assert torch.equal(found.target_output, batch.target_output), "what is right stays"
    padding = batch.target_input == PAD_ID
    assert torch.equal(found.target_input == PAD_ID, padding)


def test_the_truth_is_kept_as_often_as_it_should_be() -> None:
    batch = make_batch([ids(4)], [ids(*[5] * 20_000)])
    torch.manual_seed(1)
    guesses = torch.full((20_001,), 6)
    read = with_guesses(batch, guesses, 0.7).target_input
    assert float((read == 5).float().mean()) == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())
def test_every_decoder_reads_its_own_guesses(tree: dict[str, object]) -> None:
    """With nothing of the truth it reads what it said of the truth; a plain second reading."""
    run = make_run(training_settings(scheduled_sampling=OWN_GUESSES_ONLY), tree)
    run.model.eval()
    batch = small_batch()
    with torch.no_grad():
        said = run.model.logits(run.model(batch).hidden).argmax(-1)[:, :-1]
        right = batch.target_input[:, 1:]
        said = torch.where((right == PAD_ID) | (said == PAD_ID), right, said)
        read = torch.cat([batch.target_input[:, :1], said], dim=1)
        reading = replace(batch, target_input=read)
        expected = batch_objective(run.model, reading, training_settings(), 1)
        found = batch_objective(run.model, batch, run.settings, 1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_first_reading_takes_no_gradient_from_the_second(precision: str) -> None:
    settings = training_settings(
        scheduled_sampling=OWN_GUESSES_ONLY, r_drop=1.0, precision=precision
    )
    run = make_run(settings, with_dropout())
    run.model.train()
    torch.autograd.backward(batch_objective(run.model, small_batch(), settings, 1))
    without = [n for n, w in run.model.named_parameters() if w.grad is None or not w.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", ["gru-additive-after", "transformer-multi_head"])
def test_coverage_adds_a_loss_on_the_last_layers_attention(name: str) -> None:
    plain, covering = training_settings(), training_settings(coverage=2.0)
    run = make_run(plain, MODELS[name])
    run.model.eval()
    batch = small_batch()
    weights = run.model(batch, attention=True).attention_weights
    assert weights is not None and run.model.attention_shape is not None
    last = weights[:, :, -run.model.attention_shape[1] :].mean(2)
    expected = batch_objective(run.model, batch, plain, 1)
    expected = expected + 2.0 * coverage_loss(last, batch.target_mask)
    torch.testing.assert_close(batch_objective(run.model, batch, covering, 1), expected)


@pytest.mark.parametrize("tree", COPYING_MODELS.values(), ids=COPYING_MODELS)
def test_a_model_that_copies_is_trained_with_every_term(tree: dict[str, object]) -> None:
    """Its loss is that of its own probabilities, and every gradient is finite."""
    changes = {
        "r_drop": 1.0,
        "simcut": 1.0,
        "coverage": 1.0,
        "scheduled_sampling": OWN_GUESSES_ONLY,
    }
    plain, every = training_settings(label_smoothing=0.2), training_settings(**changes)
    run = make_run(plain, tree)
    run.model.eval()
    batch = copying_batch()
    logits = run.model.logits(batch.at_targets(run.model(batch).hidden))
    expected = score_batch(logits, batch.target_tokens, 0.2, VOCAB_SIZE).objective
    torch.testing.assert_close(batch_objective(run.model, batch, plain, 1).detach(), expected)
    torch.autograd.backward(batch_objective(run.model, batch, every, 1))
    for name, weight in run.model.named_parameters():
        assert weight.grad is not None and weight.grad.isfinite().all(), name
