"""The plain output is a linear layer whose loss is the fused one."""

import pytest
import torch

from s2scli.model.kernels.cross_entropy import label_smoothed_cross_entropy
from s2scli.model.kernels.layout import lay_out
from tests.machines import needs_int8
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


@pytest.mark.parametrize("int8", [None, False, pytest.param(True, marks=needs_int8)])
def test_a_part_of_it_has_the_logits_of_its_tokens(int8: bool | None) -> None:
    model = make_model(model_tree())
    if int8 is not None:
        lay_out(model, int8=int8)
    tokens = torch.tensor([3, 5, 9])
    with torch.inference_mode():
        hidden = model(small_batch()).hidden
        narrow = model.narrowed_output(tokens)
        torch.testing.assert_close(narrow.logits(hidden), model.logits(hidden)[..., tokens])
    assert (narrow.layout is None) == (model.output.layout is None)
