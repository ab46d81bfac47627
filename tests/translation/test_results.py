import numpy as np

from s2scli.translation.results import TargetText, Translation


def test_maps_are_counted_layer_by_layer() -> None:
    """Map l x H + h of [T, A, S] is that of layer l and head h."""
    layers, heads, target, source = 3, 2, 4, 5
    weights = np.random.default_rng(0).random((target, layers * heads, source), np.float32)
    found = TargetText("x", -1.0, ("x",) * target, (-0.25,) * target, weights)
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
    found = TargetText("x", -1.0, ("x",), (-1.0,), None)
    assert Translation("s", ("s",), (found,)).heads(found) is None


def test_alignments_are_pairs_of_indices_or_none_without_weights() -> None:
    weights = np.zeros((2, 1, 3), np.float32)
    weights[0, 0, 1] = weights[1, 0, 0] = 1.0
    found = TargetText("x y", -1.0, ("▁x", "▁y"), (-0.5, -0.5), weights)
    translation = Translation("a b", ("▁a", "▁b", "</s>"), (found,))
    assert translation.token_alignment(found) == [(1, 0), (0, 1)]
    assert sorted(translation.word_alignment(found) or ()) == [(0, 1), (1, 0)]
    assert translation.word_alignment(found, threshold=1.5) == []
    blind = TargetText("x y", -1.0, ("▁x", "▁y"), (-0.5, -0.5), None)
    assert translation.token_alignment(blind) is translation.word_alignment(blind) is None
