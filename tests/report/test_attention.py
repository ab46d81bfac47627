import json

import numpy as np
import pytest

from s2scli.report.attention import (
    AttentionMap,
    attention_document,
    join_pieces,
    join_words,
    link_words,
    summarize,
)
from tests.report.maps import diagonal, make_map


def test_a_diagonal_has_no_entropy_and_covers_everything() -> None:
    summary = summarize(diagonal(8))
    assert summary.mean_entropy_bits == 0.0
    assert summary.max_entropy_bits == 3.0
    assert summary.coverage == 1.0


def test_uniform_attention_has_the_entropy_of_a_uniform_distribution() -> None:
    uniform = AttentionMap(("a",) * 7 + ("</s>",), ("x",) * 2, np.full((2, 8), 1 / 8, np.float32))
    summary = summarize(uniform)
    assert summary.mean_entropy_bits == pytest.approx(3.0)
    assert summary.coverage == pytest.approx(2 / 8)
    assert summary.end_mass == pytest.approx(1 / 8)


def test_entropy_is_that_of_a_plain_loop() -> None:
    attention = make_map("abcd", "xyz")
    for row, bits in zip(attention.weights.tolist(), attention.entropies, strict=True):
        assert bits == pytest.approx(-sum(w * np.log2(w) for w in row if w > 0), abs=1e-6)


def test_weights_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 1\)"):
        AttentionMap(("a",), ("b",), np.ones((2, 1), np.float32))


@pytest.mark.parametrize(
    ("pieces", "words"),
    [
        (["▁A", "▁lit", "tle", "▁dog", ".", "</s>"], ["A", "little", "dog", ".", "</s>"]),
        (["▁", "dog", "s", "▁run"], ["dogs", "run"]),
        (["▁", "一只", "小", "狗", "。", "</s>"], ["一只", "小", "狗", "。", "</s>"]),
        (["▁Python", "是", "什么"], ["Python", "是", "什么"]),
        (["▁c", "a", "t", "</s>"], ["c", "a", "t", "</s>"]),
        (["▁it", "'", "s", "▁me"], ["it", "'s", "me"]),
        (
            ["▁A", "▁dog", ".", "</s>", "▁It", "run", "</s>"],
            ["A", "dog", ".", "</s>", "Itrun", "</s>"],
        ),
        (["a", "b", "</s>", "c", "</s>"], ["a", "b", "</s>", "c", "</s>"]),
        (["▁a", "b", "</s>", "▁c", "d", "</s>"], ["ab", "</s>", "cd", "</s>"]),
        (["▁▁", "▁"], ["▁", "▁"]),
    ],
)
def test_pieces_are_joined_to_words(pieces: list[str], words: list[str]) -> None:
    joined = join_words(pieces)
    assert [word.text for word in joined] == words
    assert [word.start for word in joined] == [0, *(word.stop for word in joined[:-1])]
    assert joined[-1].stop == len(pieces)


def test_joined_text_leaves_the_end_token_out() -> None:
    assert join_pieces(["▁a", "b", "▁c", "</s>"]) == "ab c"


def test_word_weights_are_summed_over_the_source_and_averaged_over_the_target() -> None:
    attention = AttentionMap(
        ("▁a", "b", "▁c"),
        ("▁x", "y", "▁z"),
        np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.0, 0.0, 1.0]], np.float32),
    )
    first, second = link_words(attention, 0.25)
    assert [(word.text, round(w, 6)) for word, w in first.sources] == [("ab", 0.5), ("c", 0.5)]
    assert [(word.text, w) for word, w in second.sources] == [("c", 1.0)]
    assert all(
        sum(w for _, w in link.sources) == pytest.approx(1) for link in link_words(attention, 0)
    )


def test_only_weights_that_reach_the_threshold_link() -> None:
    attention = make_map(["▁a", "▁b", "▁c"], ["▁x", "▁y"], seed=3)
    weights = [w for link in link_words(attention, 0.4) for _, w in link.sources]
    assert sorted(weights) == sorted(w for w in attention.weights.ravel().tolist() if w >= 0.4)


def test_the_json_document_holds_the_map_exactly() -> None:
    attention = make_map(["▁a", "<script>", "\x1b"], ["▁x", "</s>"])
    document = json.loads(json.dumps(attention_document(attention, 0.2)))
    again = AttentionMap(
        tuple(document["source_pieces"]),
        tuple(document["target_pieces"]),
        np.array(document["weights"], np.float32),
        tuple(document["token_scores"]),
    )
    assert (again.weights == attention.weights).all()
    assert (again.source_pieces, again.target_pieces, again.token_scores) == (
        attention.source_pieces,
        attention.target_pieces,
        attention.token_scores,
    )


def test_the_document_says_what_was_copied() -> None:
    attention = make_map("ab", "xyz", copies=True)
    document = attention_document(attention, 0.2)
    assert document["p_copy"] == list(attention.p_copy)
    assert document["copied_from"] == [0, None, 0]
    assert "p_copy" not in attention_document(make_map("ab", "xyz"), 0.2)
