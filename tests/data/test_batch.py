"""Pairs become padded ids, and a batch twice is each of its rows twice."""

import torch

from s2scli.data.batch import make_batch, make_source
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID
from tests.models import VOCAB_SIZE, copying_batch, ids, pad_copying, small_batch


def test_sides_are_padded_to_the_longest() -> None:
    batch = make_batch([ids(4, 5), ids(6)], [ids(7), ids(8, 9, 10)])
    assert batch.source.tolist() == [[4, 5, EOS_ID], [6, EOS_ID, PAD_ID]]
    assert batch.source_lengths.tolist() == [3, 2]
    assert batch.target_input.tolist() == [[BOS_ID, 7, EOS_ID, PAD_ID], [BOS_ID, 8, 9, 10]]
    assert batch.target_output.tolist() == [[7, EOS_ID, PAD_ID, PAD_ID], [8, 9, 10, EOS_ID]]
    assert batch.target_mask.sum(1).tolist() == [2, 4]


def test_a_source_may_be_empty() -> None:
    source, lengths = make_source([ids(), ids(4)])
    assert source.tolist() == [[EOS_ID, PAD_ID], [4, EOS_ID]]
    assert lengths.tolist() == [1, 2]


def test_twice_is_every_row_twice() -> None:
    batch = small_batch()
    twice = batch.twice()
    for name in ("source", "source_lengths", "target_input", "target_output", "target_mask"):
        first, second = getattr(twice, name).chunk(2)
        assert torch.equal(first, getattr(batch, name)) and torch.equal(second, first), name


def test_lengths_stay_on_the_processor() -> None:
    moved = small_batch().to(torch.device("meta"))
    assert {moved.source.device.type, moved.target_output.device.type} == {"meta"}
    assert moved.source_lengths.device.type == "cpu"


def test_what_is_hidden_from_the_encoder_can_still_be_copied() -> None:
    batch = copying_batch()
    hidden = batch.with_source_ids(lambda ids: ids.new_full(ids.shape, UNK_ID))
    assert (hidden.source[..., 0] == UNK_ID).all()
    assert torch.equal(hidden.source[..., 1], batch.source[..., 1])
    plain = small_batch().with_source_ids(lambda ids: ids + 1)
    assert torch.equal(plain.source, small_batch().source + 1)


def test_a_target_points_to_the_first_token_of_its_piece() -> None:
    batch = copying_batch()
    assert batch.target_output[0].tolist() == [VOCAB_SIZE + 3, VOCAB_SIZE + 1, EOS_ID, 0, 0]
    gone = make_batch([ids(4)], [ids(-1 - VOCAB_SIZE, 5)], pad_copying)
    assert gone.target_output.tolist() == [[UNK_ID, 5, EOS_ID]], "noise removed it"
