import pytest

from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.ter import ter

BARE = MetricSettings(resamples=0)


def test_one_edit_in_four_words_is_a_quarter() -> None:
    assert ter(["a b c x"], ["a b c d"], BARE).value == pytest.approx(25.0)


def test_a_block_that_moves_is_one_edit() -> None:
    assert ter(["c d a b"], ["a b c d"], BARE).value == pytest.approx(25.0)


def test_case_is_ignored() -> None:
    assert ter(["A B"], ["a b"], BARE).value == 0.0


def test_words_are_characters_where_there_are_no_spaces() -> None:
    references = ["我喜欢喝茶和咖啡", "今天天气很好"]
    hypotheses = ["我喜欢喝水和咖啡", "今天天气很好"]
    assert ter(hypotheses, references, BARE).value == pytest.approx(100 * 1 / 14)
