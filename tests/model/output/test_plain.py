"""The plain output is a linear layer whose loss is the fused one."""

import torch

from s2scli.model.kernels.cross_entropy import label_smoothed_cross_entropy
from tests.models import make_model, model_tree, small_batch


def test_it_changes_neither_what_is_read_nor_what_is_kept() -> None:
    model, batch = make_model(model_tree()), small_batch()
    output = model.output
    assert not model.copies
    assert output.split(batch.source) == (batch.source, None)
    assert output.readable(batch.target_input) is batch.target_input
    hidden = model(batch).hidden
    assert output.p_copy(hidden) is None
    torch.testing.assert_close(model.logits(hidden), hidden @ output.weight.t() + output.bias)
    rows = batch.at_targets(hidden)
    expected = label_smoothed_cross_entropy(rows, output, batch.target_tokens, 0.1)
    assert model.token_loss(rows, batch.target_tokens, 0.1) == expected


def test_its_weights_have_the_names_of_a_layer() -> None:
    names = [name for name in make_model(model_tree()).state_dict() if name.startswith("output")]
    assert names == ["output.weight", "output.bias"]
