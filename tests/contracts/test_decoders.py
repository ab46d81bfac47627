"""Laws of every model: step by step equals all at once, and rows of a state can be moved."""

import pytest
import torch

from s2scli.settings import Tree
from tests.models import MODELS, VOCAB_SIZE, make_model, small_batch

each_model = pytest.mark.parametrize("tree", MODELS.values(), ids=MODELS.keys())


@each_model
def test_step_by_step_equals_all_at_once(tree: Tree) -> None:
    model, batch = make_model(tree), small_batch()
    output = model(batch, with_attention=True)
    logits = model.logits(output.hidden)
    assert logits.shape == (3, 5, VOCAB_SIZE)
    state = model.start(model.encode(batch.source, batch.source_lengths))
    for place in range(batch.target_input.shape[1]):
        step = model.step(batch.target_input[:, place], state, with_attention=True)
        torch.testing.assert_close(step.logits, logits[:, place], atol=1e-4, rtol=1e-3)
        if step.attention_weights is not None:
            assert output.attention_weights is not None
            torch.testing.assert_close(
                step.attention_weights, output.attention_weights[:, place], atol=1e-4, rtol=1e-3
            )
        state = step.state
    assert (output.attention_weights is None) == (model.attention_shape is None)
    if output.attention_weights is not None and model.attention_shape is not None:
        layers, heads = model.attention_shape
        assert output.attention_weights.shape == (3, 5, layers * heads, 5)
        torch.testing.assert_close(
            output.attention_weights.sum(-1), torch.ones(3, 5, layers * heads)
        )
    assert model(batch).attention_weights is None


@each_model
def test_many_steps_go_on_from_any_place(tree: Tree) -> None:
    model, batch = make_model(tree), small_batch()
    whole = model(batch).hidden
    state = model.start(model.encode(batch.source, batch.source_lengths))
    embedded = model.target(batch.target_input)
    first = model.decoder(embedded[:, :2], state, with_attention=False)
    rest = model.decoder(embedded[:, 2:], first.state, with_attention=False)
    torch.testing.assert_close(
        torch.cat([first.hidden, rest.hidden], 1), whole, atol=1e-4, rtol=1e-3
    )


@each_model
def test_a_batch_equals_its_rows(tree: Tree) -> None:
    model, batch = make_model(tree), small_batch()
    together = model.logits(model(batch).hidden)
    for row in range(3):
        alone = type(batch)(
            batch.source[row : row + 1, : batch.source_lengths[row]],
            batch.source_lengths[row : row + 1],
            batch.target_input[row : row + 1],
            batch.target_output[row : row + 1],
        )
        torch.testing.assert_close(
            model.logits(model(alone).hidden)[0], together[row], atol=1e-4, rtol=1e-3
        )


@each_model
def test_reorder_then_step_equals_step_then_reorder(tree: Tree) -> None:
    model, batch = make_model(tree), small_batch()
    start = model.start(model.encode(batch.source, batch.source_lengths))
    beams = start.reorder(torch.arange(3).repeat_interleave(2))
    first = model.step(torch.tensor([4, 5, 6, 7, 8, 9]), beams).state
    swap = torch.tensor([1, 0, 2, 2, 5, 4])
    tokens = torch.tensor([9, 4, 5, 6, 7, 10])
    moved = model.step(tokens[swap], first.reorder(swap))
    stayed = model.step(tokens, first)
    torch.testing.assert_close(moved.logits, stayed.logits[swap])
    torch.testing.assert_close(
        model.step(tokens, moved.state).logits,
        model.step(tokens, stayed.state.reorder(swap)).logits,
    )


@each_model
def test_sentences_can_leave(tree: Tree) -> None:
    model, batch = make_model(tree), small_batch()
    start = model.start(model.encode(batch.source, batch.source_lengths))
    beams = start.reorder(torch.arange(3).repeat_interleave(2))
    tokens = torch.tensor([4, 5, 6, 7, 8, 9])
    all_rows = model.step(tokens, beams).logits
    kept = model.step(tokens[[0, 1, 4, 5]], beams.keep(torch.tensor([0, 2]))).logits
    torch.testing.assert_close(kept, all_rows[[0, 1, 4, 5]], atol=1e-4, rtol=1e-3)


@each_model
def test_gradients_reach_every_weight(tree: Tree) -> None:
    model, batch = make_model(tree).train(), small_batch()
    loss = model.logits(model(batch).hidden).square().sum()
    torch.autograd.backward(loss)
    for name, weight in model.named_parameters():
        assert weight.grad is not None and weight.grad.abs().sum() > 0, name
