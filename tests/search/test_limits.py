"""The longest output, in numbers."""

import pytest
import torch

from s2scli.search.limits import longest_output
from s2scli.search.settings import SearchSettings


@pytest.mark.parametrize("ratio", [0.1, 0.7, 1.0, 1.1, 1.37, 2.0, 3.3, 1000.0])
def test_is_the_product_of_float32_and_ten_more(ratio: float) -> None:
    lengths = torch.cat([torch.arange(1, 3000), torch.tensor([10**6, 2**24 + 1, 10**8])])
    settings = SearchSettings(max_length_ratio=ratio)
    expected = (lengths * ratio).long() + 10  # which PyTorch computes in float32
    assert [longest_output(length, settings) for length in lengths.tolist()] == expected.tolist()


def test_the_shortest_output_is_always_allowed() -> None:
    settings = SearchSettings(min_length=40, max_length_ratio=0.1)
    assert [longest_output(length, settings) for length in (3, 9, 400)] == [40, 40, 50]


def test_a_maximum_has_the_last_word() -> None:
    settings = SearchSettings(min_length=5, max_length=12)
    assert [longest_output(length, settings) for length in (1, 2, 100)] == [12, 12, 12]
