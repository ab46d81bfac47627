import torch

from s2scli.search.filters import end_where, forbid
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID


def test_padding_and_begin_are_never_written() -> None:
    log_probs = torch.zeros(1, 2, 6)
    filtered = forbid(log_probs)
    assert filtered[..., [PAD_ID, BOS_ID]].eq(float("-inf")).all()
    assert filtered[..., [UNK_ID, EOS_ID, 4, 5]].eq(0).all()
    assert log_probs.eq(0).all()


def test_a_sentence_that_must_end_can_only_end() -> None:
    filtered = end_where(torch.zeros(2, 1, 6), torch.tensor([True, False]))
    assert filtered[0, 0, EOS_ID] == 0 and filtered[0].isfinite().sum() == 1
    assert filtered[1].eq(0).all()
