from collections.abc import Sequence

import numpy as np
import pytest

from s2scli.report.readings import Reading
from s2scli.translation.results import TargetText, Translation


def test_maps_are_counted_layer_by_layer() -> None:
    """Map l x H + h of [T, A, S] is that of layer l and head h."""
    layers, heads, target, source = 3, 2, 4, 5
    weights = np.random.default_rng(0).random((target, layers * heads, source), np.float32)
    found = TargetText("x", -1.0, ("x",) * target, (-0.25,) * target, (weights,))
    translation = Translation("s", ("s",) * source, (found,), attention_shape=(layers, heads))
    maps = translation.heads(found)
    assert maps is not None
    assert maps.weights.shape == (layers, heads, target, source)
    for layer in range(layers):
        for head in range(heads):
            expected = weights[:, layer * heads + head]
            np.testing.assert_array_equal(maps.weights[layer, head], expected)
    assert (maps.source, maps.target, maps.token_scores) == ("s", "x", found.token_scores)


def test_without_weights_there_are_no_maps() -> None:
    found = TargetText("x", -1.0, ("x",), (-1.0,))
    assert Translation("s", ("s",), (found,)).heads(found) is None


def test_alignments_are_pairs_of_indices_or_none_without_weights() -> None:
    weights = np.zeros((2, 1, 3), np.float32)
    weights[0, 0, 1] = weights[1, 0, 0] = 1.0
    found = TargetText("x y", -1.0, ("▁x", "▁y"), (-0.5, -0.5), (weights,))
    translation = Translation("a b", ("▁a", "▁b", "</s>"), (found,))
    assert translation.token_alignment(found) == [(1, 0), (0, 1)]
    assert sorted(translation.word_alignment(found) or ()) == [(0, 1), (1, 0)]
    assert translation.word_alignment(found, threshold=1.5) == []
    blind = TargetText("x y", -1.0, ("▁x", "▁y"), (-0.5, -0.5))
    assert translation.token_alignment(blind) is translation.word_alignment(blind) is None


def translation_of(
    source: Sequence[str],
    target: Sequence[str],
    blocks: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.float32]]],
    reading: Reading,
) -> Translation:
    """Return a translation by a model of two layers with two heads."""
    found = TargetText("x", -1.0, tuple(target), (-0.5,) * len(target), tuple(blocks))
    return Translation("s", tuple(source), (found,), attention_shape=(2, 2), reading=reading)


@pytest.mark.parametrize("reading", [Reading(), Reading(layer=2, later=True)])
def test_the_alignment_of_a_split_line_is_that_of_its_parts(
    reading: Reading, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [("▁a", "b", "▁c", "</s>"), ("▁d", "</s>"), ("▁e", "▁f", "g", "</s>")]
    targets = [("▁A", "▁B", "</s>"), ("</s>",), ("C", "▁D", "E", "▁F", "</s>")]
    random = np.random.default_rng(2)
    blocks = [
        random.dirichlet(np.full(len(source), 0.3), (len(target), 4)).astype(np.float32)
        for source, target in zip(sources, targets, strict=True)
    ]
    tokens, words = [], []
    starts = [(0, 0, 0, 0), (4, 3, 2, 2), (6, 4, 3, 2)]  # of tokens and words of each part
    for source, target, block, start in zip(sources, targets, blocks, starts, strict=True):
        part = translation_of(source, target, [block], reading)
        (one,) = part.hypotheses
        tokens += [(start[0] + s, start[1] + t) for s, t in part.token_alignment(one) or ()]
        words += [(start[2] + s, start[3] + t) for s, t in part.word_alignment(one) or ()]

    def refuse(blocks: object) -> None:
        raise AssertionError("the maps of all parts are joined")

    monkeypatch.setattr("s2scli.translation.results._block_diagonal", refuse)
    whole = translation_of(sum(sources, ()), sum(targets, ()), blocks, reading)
    (found,) = whole.hypotheses
    assert whole.token_alignment(found) == tokens
    assert whole.word_alignment(found) == words
