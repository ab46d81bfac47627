import math

import numpy as np
import pytest
from hypothesis import given
from numpy.typing import NDArray

from s2scli.errors import UsageError
from s2scli.report.attention import END, summarize
from s2scli.report.heads import AttentionHeads, alignment_quality, choose_map, diagonality
from tests.report.maps import HEADS, diagonal_heads, make_heads


def quality_loop(weights: list[list[float]]) -> float:
    """The criterion written out, for a map whose last row and column are end tokens."""
    rows = [row[:-1] for row in weights[:-1]]
    sharpness = sum(max(row) for row in rows) / len(rows)
    columns = list(zip(*rows, strict=True))
    coverage = sum(min(1.0, sum(column)) for column in columns) / len(columns)
    return float(sharpness * coverage)


def diagonality_loop(weights: list[list[float]]) -> float:
    """The weighted correlation written out, for a map without end tokens."""
    pairs = [(w, t, s) for t, row in enumerate(weights) for s, w in enumerate(row)]
    total = sum(w for w, _, _ in pairs)
    mean_t = sum(w * t for w, t, _ in pairs) / total
    mean_s = sum(w * s for w, _, s in pairs) / total
    covariance = sum(w * (t - mean_t) * (s - mean_s) for w, t, s in pairs)
    spread = sum(w * (t - mean_t) ** 2 for w, t, _ in pairs)
    spread *= sum(w * (s - mean_s) ** 2 for w, _, s in pairs)
    return float(covariance / math.sqrt(spread))


def test_qualities_and_diagonalities_are_those_of_plain_loops() -> None:
    heads = make_heads(3, 4, 6, 5)
    bare = AttentionHeads(tuple("abcde"), tuple("uvwxyz"), heads.weights)
    for layer, head in np.ndindex(3, 4):
        weights = heads.weights[layer, head].tolist()
        assert heads.qualities[layer, head] == pytest.approx(quality_loop(weights))
        assert bare.diagonalities[layer, head] == pytest.approx(diagonality_loop(weights))
        alone = heads.map(heads.weights[layer, head])
        assert heads.entropies[layer, head] == pytest.approx(alone.entropies.mean())


def test_a_diagonal_is_of_the_best_quality_and_order() -> None:
    eye = np.eye(6, dtype=np.float32)
    assert alignment_quality(eye[..., :-1, :-1]) == pytest.approx(1.0)
    assert diagonality(eye[..., :-1, :-1]) == pytest.approx(1.0)
    assert diagonality(eye[:-1, :-1][::-1]) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    "poor",
    [
        np.full((6, 6), 1 / 6),  # everywhere
        np.eye(6)[[2] * 6],  # always at one piece
        np.eye(6)[[5] * 6],  # at the end token
        np.zeros((6, 6)),
    ],
)
def test_maps_that_do_not_align_are_of_poor_quality(poor: NDArray[np.float64]) -> None:
    weights = poor.astype(np.float32)
    assert alignment_quality(weights[..., :-1, :-1]) < 0.25
    assert diagonality(weights[..., :-1, :-1]) == pytest.approx(0.0, abs=1e-9)


def test_sides_with_nothing_but_an_end_token_have_no_quality() -> None:
    only_end = np.ones((2, 3, 1, 4), np.float32)
    assert alignment_quality(only_end[..., :-1, :-1]).tolist() == [[0.0] * 3] * 2
    assert diagonality(only_end[..., :-1, :-1]).tolist() == [[0.0] * 3] * 2


@given(HEADS)
def test_numbers_stay_in_their_bounds(heads: AttentionHeads) -> None:
    assert ((heads.qualities >= 0) & (heads.qualities <= 1 + 1e-6)).all()
    assert (np.abs(heads.diagonalities) <= 1 + 1e-6).all()


def test_the_best_head_is_the_one_that_aligns() -> None:
    heads = diagonal_heads(3, 4, 8, at=(2, 1))
    assert heads.best == (2, 1)
    chosen = choose_map(heads, head="best")
    assert (chosen.weights == heads.weights[2, 1]).all()
    assert chosen.name == "layer 3, head 2, which aligns best"
    of_one_layer = choose_map(heads, "1", "best")
    assert of_one_layer.name.startswith("layer 1, head ")
    assert (of_one_layer.weights == heads.weights[0, heads.qualities[0].argmax()]).all()


def test_a_layer_and_a_head_are_one_map() -> None:
    heads = make_heads(3, 4, 6, 5)
    chosen = choose_map(heads, "3", "4")
    assert (chosen.weights == heads.weights[2, 3]).all()
    assert chosen.name == "layer 3, head 4"
    assert chosen.texts == heads.map(heads.weights[0, 0]).texts


def test_unless_told_it_is_the_mean_of_the_heads_that_align_best() -> None:
    heads = make_heads(3, 2, 6, 5)
    ranked = sorted(np.ndindex(3, 2), key=lambda index: -heads.qualities[index])[:2]
    chosen = choose_map(heads)
    mean = sum(heads.weights[index] for index in ranked) / 2
    assert chosen.weights == pytest.approx(mean)
    names = ", ".join(f"L{layer + 1} H{head + 1}" for layer, head in sorted(ranked))
    assert chosen.name == f"mean of 2 that align best ({names})"
    of_one_layer = choose_map(make_heads(1, 3, 6, 5))
    assert of_one_layer.weights == pytest.approx(make_heads(1, 3, 6, 5).weights[0].mean(axis=0))
    assert of_one_layer.name == "layer 1, mean of 3 heads"
    assert (
        choose_map(diagonal_heads(3, 1, 8, at=(1, 0))).name == "mean of 1 that aligns best (L2 H1)"
    )


@pytest.mark.parametrize(("layers", "expected"), [(1, 0), (2, 0), (3, 1), (6, 4)])
def test_heads_without_a_layer_are_those_of_the_last_but_one(layers: int, expected: int) -> None:
    heads = make_heads(layers, 4, 6, 5)
    chosen = choose_map(heads, head="mean")
    assert chosen.weights == pytest.approx(heads.weights[expected].mean(axis=0))
    assert chosen.name == f"layer {expected + 1}, mean of 4 heads"
    one = choose_map(heads, head="2")
    assert (one.weights == heads.weights[expected, 1]).all()


def test_all_layers_together() -> None:
    heads = make_heads(3, 2, 6, 5)
    mean = choose_map(heads, "all")
    assert mean.weights == pytest.approx(heads.weights.mean(axis=(0, 1)))
    assert mean.name == "all 3 layers, mean of 2 heads"
    second = choose_map(heads, "all", "2")
    assert second.weights == pytest.approx(heads.weights[:, 1].mean(axis=0))
    assert second.name == "all 3 layers, head 2"


def test_the_largest_weights_are_scaled_to_distributions() -> None:
    heads = make_heads(2, 3, 6, 5)
    largest = heads.weights[1].max(axis=0)
    chosen = choose_map(heads, "2", "max")
    assert chosen.weights == pytest.approx(largest / largest.sum(axis=1, keepdims=True))
    assert chosen.weights.sum(axis=1) == pytest.approx(np.ones(6))
    assert chosen.name == "layer 2, max of 3 heads"


@given(HEADS)
def test_every_choice_is_a_map_of_distributions(heads: AttentionHeads) -> None:
    for head in (None, "1", "mean", "max", "best"):
        for layer in (None, "1", "all"):
            sums = choose_map(heads, layer, head).weights.sum(axis=1)
            assert sums == pytest.approx(np.ones(len(sums)), abs=1e-4)


def test_the_only_map_needs_no_name() -> None:
    heads = make_heads(1, 1, 3, 4)
    for choice in ((None, None), ("1", "1"), ("all", "best"), (None, "max")):
        chosen = choose_map(heads, *choice)
        assert chosen.name == ""
        assert chosen.weights == pytest.approx(heads.weights[0, 0], abs=1e-6)


@pytest.mark.parametrize(
    ("layer", "head", "message"),
    [
        ("4", None, "--layer 4: the decoder attends with 3 layers; choose 1 to 3 or all"),
        ("0", None, "--layer 0: "),
        ("mean", None, "--layer mean: "),
        (None, "5", "--head 5: the decoder attends with 4 heads; choose 1 to 4, mean, max or best"),
        ("1", "-1", "--head -1: "),
        ("all", "²", "--head ²: "),
    ],
)
def test_what_is_not_there_is_told_with_what_is(
    layer: str | None, head: str | None, message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        choose_map(make_heads(3, 4, 6, 5), layer, head)
    assert str(caught.value).startswith(message)


def test_one_layer_is_one_layer() -> None:
    with pytest.raises(UsageError, match=r"with 1 layer; choose 1 or all$"):
        choose_map(make_heads(1, 1, 2, 2), "2")
    assert make_heads(1, 1, 2, 2).source_pieces[-1] == END


def test_every_end_token_of_a_line_that_was_split_is_left_out() -> None:
    pieces = ("a", END, "b", END)
    weights = np.zeros((1, 1, 4, 4), np.float32)
    weights[..., 0, 0] = weights[..., 2, 2] = 1  # the other rows look nowhere
    heads = AttentionHeads(pieces, pieces, weights)
    assert heads.qualities[0, 0] == heads.diagonalities[0, 0] == pytest.approx(1.0)
    at_ends = np.zeros((4, 4), np.float32)
    at_ends[:, 1] = at_ends[:, 3] = 0.5
    assert summarize(heads.map(at_ends)).end_mass == pytest.approx(1.0)
