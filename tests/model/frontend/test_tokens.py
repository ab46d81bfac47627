"""Token ids become vectors of a table, which others may share."""

import torch
from torch import nn

from s2scli.model.frontend.tokens import TokenFrontend, TokenFrontendSettings

PAD_ID = 2


def build(**settings: object) -> TokenFrontend:
    torch.manual_seed(0)
    tree = {"embedding_dim": 3, **settings}
    return TokenFrontendSettings.model_validate(tree).build(7, PAD_ID)


def test_each_token_has_its_row() -> None:
    front_end = build()
    vectors = front_end.vectors
    assert vectors is not None
    found = front_end(torch.tensor([[1, 4], [6, 1]]))
    assert torch.equal(found[0, 1], vectors[4]) and torch.equal(found[1, 1], vectors[1])
    assert found.shape == (2, 2, front_end.output_dim)


def test_the_vector_of_padding_is_zero_and_has_no_gradient() -> None:
    front_end = build()
    vectors = front_end.vectors
    assert vectors is not None and not vectors[PAD_ID].any()
    torch.autograd.backward(front_end(torch.tensor([[PAD_ID, 1]])).sum())
    assert vectors.grad is not None
    assert vectors.grad[1].all() and not vectors.grad[PAD_ID].any()


def test_the_vectors_of_another_can_be_shared() -> None:
    front_end, vectors = build(), nn.Parameter(torch.randn(7, 3))
    front_end.share(vectors)
    assert front_end.vectors is vectors
    assert torch.equal(front_end(torch.tensor([[5]]))[0, 0], vectors[5])


def test_what_has_a_row_for_each_token_is_known_by_name() -> None:
    front_end = build()
    assert [front_end.get_parameter(name) is front_end.vectors for name in front_end.rows()] == [
        True
    ]


def test_vectors_are_dropped_in_training_only() -> None:
    front_end, tokens = build(dropout=0.5), torch.full((50, 50), 3)
    assert (front_end(tokens) == 0).any()
    assert not (front_end.eval()(tokens) == 0).any()
