"""The laws of every model, as checks of one; the tests choose the models."""

from collections.abc import Callable

import torch
from torch import Tensor

from s2scli.data.batch import Batch
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import DecoderState
from tests.models import copying_batch, small_batch

PLAIN, COPYING = small_batch(), copying_batch()
BEAMS = torch.arange(3).repeat_interleave(2)


def batch_for(model: Seq2Seq) -> Batch:
    """The small batch, or for a model that copies, the one with something to copy."""
    return COPYING if model.copies else PLAIN


def begin(model: Seq2Seq) -> DecoderState:
    """The state before the first token of the three sentences of the small batch."""
    batch = batch_for(model)
    return model.start(model.encode(batch.source, batch.source_lengths))


def assert_near(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def steps_equal_all_at_once(model: Seq2Seq) -> None:
    batch, state = batch_for(model), begin(model)
    output = model(batch, attention=True)
    logits, weights = [], []
    for place in range(batch.target_input.shape[1]):
        step = model.step(batch.target_input[:, place], state, attention=True)
        logits.append(step.logits)
        if step.attention_weights is not None:
            weights.append(step.attention_weights)
        state = step.state
    assert_near(torch.stack(logits, 1), model.logits(output.hidden))
    assert (output.attention_weights is None) == (not weights)
    if output.attention_weights is not None:
        assert_near(torch.stack(weights, 1), output.attention_weights)


def weights_are_distributions_over_the_source(model: Seq2Seq) -> None:
    batch = batch_for(model)
    weights = model(batch, attention=True).attention_weights
    assert (weights is None) == (model.attention_shape is None)
    if weights is not None and model.attention_shape is not None:
        layers, heads = model.attention_shape
        assert weights.shape == (3, 5, layers * heads, batch.source.shape[1])
        assert_near(weights.sum(-1), torch.ones_like(weights[..., 0]))
        for row, length in enumerate(batch.source_lengths.tolist()):
            assert not weights[row, :, :, length:].any()


def many_steps_go_on_from_any_place(model: Seq2Seq) -> None:
    batch, state = batch_for(model), begin(model)
    whole = model(batch)
    assert whole.attention_weights is None, "nobody has asked for them"
    embedded = model.target(model.output.readable(batch.target_input))
    first = model.output.decode(model.decoder, embedded[:, :2], state, attention=False)
    rest = model.output.decode(model.decoder, embedded[:, 2:], first.state, attention=False)
    assert_near(torch.cat([first.hidden, rest.hidden], 1), whole.hidden)


def a_batch_equals_its_rows(model: Seq2Seq) -> None:
    batch = batch_for(model)
    together = model.logits(model(batch).hidden)
    for row in range(3):
        alone = Batch(
            batch.source[row : row + 1, : batch.source_lengths[row]],
            batch.source_lengths[row : row + 1],
            batch.target_input[row : row + 1],
            batch.target_output[row : row + 1],
            batch.target_mask[row].nonzero()[:, 0],
        )
        logits = model.logits(model(alone).hidden)[0]
        assert_near(logits, together[row, :, : logits.shape[-1]])


def reordered_steps_are_steps_reordered(model: Seq2Seq) -> None:
    beams = begin(model).reorder(BEAMS)
    first = model.step(torch.tensor([4, 5, 6, 7, 8, 9]), beams).state
    swap = torch.tensor([1, 0, 2, 2, 5, 4])
    tokens = torch.tensor([9, 4, 5, 6, 7, 10])
    moved = model.step(tokens[swap], first.reorder(swap))
    stayed = model.step(tokens, first)
    assert_near(moved.logits, stayed.logits[swap])
    assert_near(
        model.step(tokens, moved.state).logits,
        model.step(tokens, stayed.state.reorder(swap)).logits,
    )


def sentences_can_leave(model: Seq2Seq) -> None:
    beams = begin(model).reorder(BEAMS)
    tokens = torch.tensor([4, 5, 6, 7, 8, 9])
    all_rows = model.step(tokens, beams).logits
    kept = model.step(tokens[[0, 1, 4, 5]], beams.keep(torch.tensor([0, 2]))).logits
    assert_near(kept, all_rows[[0, 1, 4, 5]])


def gradients_reach_every_weight(model: Seq2Seq) -> None:
    model.train()
    logits = model.logits(model(batch_for(model)).hidden)
    loss = logits[logits.isfinite()].square().sum()
    torch.autograd.backward(loss)
    model.eval()
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.any(), name


LAWS: tuple[Callable[[Seq2Seq], None], ...] = (
    steps_equal_all_at_once,
    weights_are_distributions_over_the_source,
    many_steps_go_on_from_any_place,
    a_batch_equals_its_rows,
    reordered_steps_are_steps_reordered,
    sentences_can_leave,
    gradients_reach_every_weight,
)
