"""A memory is read once for each sentence, by all its rows."""

import torch
from torch import Tensor

from s2scli.model.attention.memory import AttendedMemory, blend


def dot(query: Tensor, keys: Tensor) -> Tensor:
    return query @ keys.transpose(1, 2)


def test_rows_of_a_sentence_read_its_memory_only() -> None:
    torch.manual_seed(0)
    memory = AttendedMemory(torch.randn(2, 5, 4), torch.randn(2, 5, 3), None)
    query = torch.randn(6, 2, 4)  # three rows of each sentence
    found = blend(dot, query, memory)
    assert found.weights is not None
    for row in range(6):
        keys, values = memory.keys[row // 3], memory.values[row // 3]
        weights = (query[row] @ keys.T).softmax(-1)
        torch.testing.assert_close(found.weights[row, :, 0], weights)
        torch.testing.assert_close(found.context[row], weights @ values)


def test_what_is_masked_is_not_read() -> None:
    torch.manual_seed(0)
    keys, values = torch.randn(1, 5, 4), torch.randn(1, 5, 3)
    mask = torch.tensor([[True, True, False, True, False]])
    query, real = torch.randn(1, 2, 4), mask[0]
    masked = blend(dot, query, AttendedMemory(keys, values, mask))
    without = blend(dot, query, AttendedMemory(keys[:, real], values[:, real], None))
    torch.testing.assert_close(masked.context, without.context)


def test_sentences_are_kept_by_index() -> None:
    memory = AttendedMemory(torch.randn(3, 5, 4), torch.randn(3, 5, 4), torch.rand(3, 5) > 0.5)
    kept = memory.keep(torch.tensor([2, 0]))
    assert kept.keys.equal(memory.keys[[2, 0]]) and kept.values.equal(memory.values[[2, 0]])
    assert kept.mask is not None and memory.mask is not None
    assert kept.mask.equal(memory.mask[[2, 0]])
    assert AttendedMemory(memory.keys, memory.values, None).keep(torch.tensor([1])).mask is None
