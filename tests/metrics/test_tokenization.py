import pytest

from s2scli.metrics.settings import MetricSettings
from s2scli.metrics.tokenization import choose_tokenization


@pytest.mark.parametrize(
    ("references", "expected"),
    [
        (["a little dog"], "13a"),
        (["1, 2, 3", ""], "13a"),
        ([], "13a"),
        (["маленькая собака"], "13a"),
        (["작은 개가 뛴다"], "13a"),  # Korean has spaces between words
        (["一只小狗在跑。", "NBA 比赛"], "zh"),
        (["小さな犬が走る"], "char"),
        (["หมาตัวเล็กวิ่ง"], "char"),
        (["小さな 犬 が 走る"], "13a"),  # already cut into words
        (["The word 狗 means dog"], "13a"),
    ],
)
def test_the_references_decide(references: list[str], expected: str) -> None:
    assert choose_tokenization(MetricSettings(), references) == expected


def test_the_users_choice_wins() -> None:
    assert choose_tokenization(MetricSettings(tokenize="13a"), ["一只小狗"]) == "13a"
