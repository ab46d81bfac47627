import random
import re
import sys
from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.errors import MissingExtraError
from s2scli.metrics import METRICS
from s2scli.metrics.rouge import characters, rouge1, rouge2, rouge_l, rouge_rule, words
from s2scli.metrics.settings import MetricSettings

PLAIN = MetricSettings(resamples=0)


def f1_of(hits: int, found: int, expected: int) -> float:
    return 2 * hits / (found + expected) if hits else 0.0


def ngram_f1(found: Sequence[str], expected: Sequence[str], size: int) -> float:
    """ROUGE-N as Lin 2004, section 2, defines it, as F1."""
    one, two = (
        Counter(tuple(text[at : at + size]) for at in range(len(text) - size + 1))
        for text in (found, expected)
    )
    return f1_of((one & two).total(), one.total(), two.total())


def lcs(one: Sequence[str], two: Sequence[str]) -> int:
    """The length of the longest common subsequence, by its recurrence."""
    table = [[0] * (len(two) + 1) for _ in range(len(one) + 1)]
    for i, a in enumerate(one):
        for j, b in enumerate(two):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


@given(st.lists(st.tuples(*[st.text("abc ", max_size=20)] * 2), min_size=1, max_size=4))
def test_it_is_the_mean_of_the_definition(pairs: list[tuple[str, str]]) -> None:
    hypotheses, references = ([pair[side] for pair in pairs] for side in (0, 1))
    split = [(one.split(), two.split()) for one, two in pairs]
    expected = [
        [ngram_f1(one, two, 1) for one, two in split],
        [ngram_f1(one, two, 2) for one, two in split],
        [f1_of(lcs(one, two), len(one), len(two)) for one, two in split],
    ]
    for metric, values in zip((rouge1, rouge2, rouge_l), expected, strict=True):
        found = metric(hypotheses, references, PLAIN).value
        assert found == pytest.approx(100 * sum(values) / len(values))


@given(st.text(st.characters(max_codepoint=127), max_size=60))
def test_words_of_ascii_are_those_of_the_library(text: str) -> None:
    assert words(text) == re.findall("[a-z0-9]+", text.lower())


def test_words_of_all_scripts_count() -> None:
    assert words("Été à l'école: Привет, мир! हिन्दी") == [
        "été",
        "à",
        "l",
        "école",
        "привет",
        "мир",
        "हिन्दी",
    ]
    assert rouge1(["Привет мир"], ["привет, друг"], PLAIN).value == pytest.approx(50)


def test_text_without_spaces_is_counted_by_its_characters() -> None:
    score = rouge1(["宮城県 で地震"], ["宮城県で強い地震"], PLAIN)
    assert score.value == pytest.approx(100 * 2 * 6 / (6 + 8))
    assert "tok:characters" in score.signature
    assert "tok:words" in rouge1(["a"], ["a"], PLAIN).signature
    assert characters(" Aあ い") == ["a", "あ", "い"]


@pytest.mark.parametrize(
    ("tokenize", "value"), [("none", 50.0), ("13a", 100.0), ("char", 100.0), ("auto", 100.0)]
)
def test_tokenize_says_what_is_counted(tokenize: str, value: float) -> None:
    settings = MetricSettings.model_validate({"tokenize": tokenize, "resamples": 0})
    assert rouge1(["The cat"], ["the cat"], settings).value == pytest.approx(value)


def test_it_does_not_depend_on_the_order_of_sentences() -> None:
    pairs = [("a b c", "a c"), ("x", "y"), ("c c", "c"), ("b a", "a b")]
    mixed = random.Random(1).sample(pairs, len(pairs))
    for metric in (rouge1, rouge2, rouge_l):
        first, second = (
            metric([one for one, _ in some], [two for _, two in some]) for some in (pairs, mixed)
        )
        assert first.value == pytest.approx(second.value)


REFERENCES = [("a b c d", "d c a x", "b a")]  # best for ROUGE-1, and for ROUGE-2


def test_of_several_references_the_best_one_counts() -> None:
    hypotheses = ["d c a b"]
    own, by_rouge1 = PLAIN, MetricSettings(resamples=0, rouge_reference="rouge1")
    for name in ("rouge1", "rouge2", "rougeL"):
        metric = METRICS[name]
        (best,) = metric.references(own).choose(hypotheses, REFERENCES, own)
        values = [metric.function(hypotheses, [one], own).value for one in REFERENCES[0]]
        assert metric.function(hypotheses, [best], own).value == max(values)
        rule = metric.references(by_rouge1)
        assert rule.choose(hypotheses, REFERENCES, own) == ["a b c d"]
        assert rule.name == "best-rouge1"
    assert rouge_rule("ROUGE-2")(own).choose(hypotheses, REFERENCES, own) == ["d c a x"]


def test_the_library_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    with pytest.raises(MissingExtraError, match=r"pip install 's2scli\[metrics\]'"):
        rouge1(["a"], ["a"])
