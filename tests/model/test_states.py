"""The values that parts of a model pass to each other."""

import torch

from s2scli.model.states import EncoderOutput, Gaussian, beam_rows, length_mask


def test_draws_have_the_mean_and_the_variance_they_should() -> None:
    torch.manual_seed(0)
    latent = Gaussian(torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, -2.0]]))
    draws = latent.at(torch.randn(20_000, 2))
    torch.testing.assert_close(draws.mean(0), latent.mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(draws.var(0), latent.log_variance[0].exp(), atol=0.03, rtol=0)


def test_a_mask_is_true_at_real_tokens() -> None:
    found = length_mask(torch.tensor([3, 1, 0]), 3, torch.device("cpu"))
    assert found.tolist() == [[True] * 3, [True, False, False], [False] * 3]


def test_attention_needs_a_mask_where_there_is_padding() -> None:
    memory, mask = torch.zeros(2, 3, 4), torch.ones(2, 3) > 0
    assert EncoderOutput(memory, mask, (), padded=True).attention_mask is mask
    assert EncoderOutput(memory, mask, (), padded=False).attention_mask is None


def test_the_rows_of_a_sentence_stand_together() -> None:
    assert beam_rows(torch.tensor([2, 0]), 3).tolist() == [6, 7, 8, 0, 1, 2]
