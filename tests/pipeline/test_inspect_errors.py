"""The groups of mistakes: every output is in one group of a table."""

from hypothesis import given
from hypothesis import strategies as st

from s2scli.metrics.sentences import Sentence
from s2scli.pipeline.inspect_errors import ORDERS, Mistake, Order, _by_length, _by_rare


def mistake(words: int, rare: int, chrf: float = 50.0, output: str = "a") -> Mistake:
    source = " ".join(["w"] * words)
    return Mistake(Sentence(1, source, "abcd", output, chrf), (), ("r",) * rare)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 6)), min_size=1, max_size=20))
def test_every_output_is_in_one_group(sizes: list[tuple[int, int]]) -> None:
    mistakes = [mistake(*pair) for pair in sizes]
    for groups in (_by_length(mistakes), _by_rare(mistakes)):
        assert sum(group.sentences for group in groups) == len(mistakes)
        assert all(group.chrf == 50 for group in groups if group.sentences)


def test_outputs_without_sources_have_no_lengths() -> None:
    assert _by_length([Mistake(Sentence(1, None, "a", "a", 100.0), (), ())]) == ()


def test_the_orders() -> None:
    low, short, rare = mistake(3, 0, 10.0, "abcd"), mistake(3, 0, 20.0), mistake(3, 2, 30.0, "abc")
    firsts: dict[Order, Mistake] = {"score": low, "length": short, "rare": rare}
    assert firsts.keys() == ORDERS.keys()
    for name, first in firsts.items():
        assert min((low, short, rare), key=ORDERS[name]) is first
