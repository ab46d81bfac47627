import pytest

from s2scli.metrics.diversity import _tokens, diversity


def test_repeats_are_counted_over_all_texts() -> None:
    found = diversity(["Yes, yes.", "yes , no", " Yes, yes. "])
    assert found.distinct1 == pytest.approx(100 * 4 / 11)  # yes , . no
    assert found.distinct2 == pytest.approx(100 * 4 / 8)  # (yes ,) (, yes) (yes .) (, no)
    assert found.commonest == pytest.approx(200 / 3)
    assert found.commonest_text == "Yes, yes."
    assert found.words == pytest.approx(7 / 3)


def test_the_order_does_not_matter() -> None:
    texts = ["a b", "b a b", "c", "a b"]
    one, other = diversity(texts), diversity(texts[::-1])
    assert one == other


def test_texts_without_words_have_no_diversity() -> None:
    found = diversity(["", ""])
    assert (found.distinct1, found.distinct2, found.commonest) == (0, 0, 100)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("我喜欢猫。", ["我", "喜", "欢", "猫", "。"]),
        ("It's A_1, 3.5!", ["it", "'", "s", "a_1", ",", "3", ".", "5", "!"]),
        ("a\u0301b \u0301c", ["a\u0301b", "\u0301c"]),
        ("用iPhone", ["用", "iphone"]),
    ],
)
def test_marks_are_parts_of_words_and_characters_without_spaces_are_tokens(
    text: str, tokens: list[str]
) -> None:
    assert _tokens(text.lower()) == tokens
