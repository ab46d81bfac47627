"""A token was copied if most of its probability comes from copying."""

import numpy as np

from s2scli.search.hypothesis import Hypothesis
from s2scli.special_ids import EOS_ID
from s2scli.translation.copied import with_copies
from s2scli.translation.results import TargetText

TEXT = TargetText("", 0.0, (), ())
COPIES = np.array([4, 5, 4, 12, EOS_ID])  # 12 is outside a vocabulary of 9: source index 3


def hypothesis(*ids: int, p_copy: float, p: float, heads: int = 1) -> Hypothesis:
    """Tokens of probability `p`; the last layer attends as below, the first elsewhere."""
    last = np.array([0.1, 0.2, 0.5, 0.2, 0.0], np.float32)
    weights = np.stack([np.eye(5, dtype=np.float32)[4]] * heads + [last] * heads)
    count = len(ids)
    scores = (float(np.log(p)),) * count
    return Hypothesis(ids, 0.0, scores, np.stack([weights] * count), p_copy=(p_copy,) * count)


def test_of_equal_tokens_the_one_attended_to_most_was_copied() -> None:
    found = with_copies(TEXT, hypothesis(4, 5, 6, p_copy=0.9, p=0.6), COPIES, 1, 9)
    assert found.copied_from == (2, None, None)  # 0.9 x 0.6 of 0.6; 0.9 x 0.2 of 0.6; not there


def test_a_token_mostly_from_the_vocabulary_was_not_copied() -> None:
    found = with_copies(TEXT, hypothesis(4, p_copy=0.4, p=0.6), COPIES, 1, 9)
    assert found.copied_from == (None,)


def test_what_no_vocabulary_has_was_copied() -> None:
    found = with_copies(TEXT, hypothesis(12, p_copy=0.1, p=0.6, heads=2), COPIES, 2, 9)
    assert found.copied_from == (3,)


def test_without_attention_nothing_is_said() -> None:
    assert with_copies(TEXT, Hypothesis((4,), 0.0, (0.0,), None), COPIES, 1, 9) == TEXT
