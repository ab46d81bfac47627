"""The attention maps of all layers and heads: how well they align, and which to show."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from s2scli.errors import UsageError
from s2scli.report.attention import END, AttentionMap

WAYS = ("mean", "max", "best")


@dataclass(frozen=True)
class AttentionHeads:
    """How much each target piece looked at each source piece, for every layer and head.

    Attributes:
        source_pieces: the S pieces of the source, with the end token.
        target_pieces: the T pieces of the target, with the end token.
        weights: [L, H, T, S]; each row is a distribution over the source.
        token_scores: the log-probability of each target piece, [T], or None.
        source: the source as text; if empty, its pieces are joined.
        target: the target as text; if empty, its pieces are joined.
        source_axis: what the source pieces count, such as seconds; empty if they are tokens.
        p_copy: the probability of copying at each target piece, [T]; empty if the model does not
            copy.
        copied_from: the index of the source piece that each target piece was copied from, or
            None, [T]; empty as `p_copy` is.
        from_right: whether the model writes the pieces from the last to the first, and then the
            end token.
    """

    source_pieces: tuple[str, ...]
    target_pieces: tuple[str, ...]
    weights: NDArray[np.float32]
    token_scores: tuple[float, ...] | None = None
    source: str = ""
    target: str = ""
    source_axis: str = ""
    p_copy: tuple[float, ...] = ()
    copied_from: tuple[int | None, ...] = ()
    from_right: bool = False

    @property
    def num_layers(self) -> int:
        """The number of layers, L."""
        return int(self.weights.shape[0])

    @property
    def num_heads(self) -> int:
        """The number of heads in each layer, H."""
        return int(self.weights.shape[1])

    @functools.cached_property
    def qualities(self) -> NDArray[np.float64]:
        """How well each map aligns, from 0 to 1, [L, H]."""
        return alignment_quality(self._inside)

    @functools.cached_property
    def diagonalities(self) -> NDArray[np.float64]:
        """The diagonality of each map, from -1 to 1, [L, H]."""
        return diagonality(self._inside)

    @functools.cached_property
    def entropies(self) -> NDArray[np.float64]:
        """The mean entropy of each map in bits, [L, H]."""
        weights = self.weights.astype(np.float64)
        logs = np.log2(weights, out=np.zeros_like(weights), where=weights > 0)
        bits: NDArray[np.float64] = np.abs((weights * logs).sum(axis=-1)).mean(axis=-1)
        return bits

    @functools.cached_property
    def best(self) -> tuple[int, int]:
        """The indices of the layer and head that aligns best; the first one in a tie."""
        layer, head = divmod(int(self.qualities.argmax()), self.num_heads)
        return layer, head

    def map(self, weights: NDArray[np.float32], name: str = "") -> AttentionMap:
        """Return one map of these pieces with weights [T, S]."""
        return AttentionMap(
            self.source_pieces,
            self.target_pieces,
            weights,
            self.token_scores,
            self.source,
            self.target,
            name,
            self.source_axis,
            self.p_copy,
            self.copied_from,
        )

    @property
    def _inside(self) -> NDArray[np.float32]:
        """The weights without end tokens; a line that was split has one after each part."""
        rows, columns = (
            [index for index, piece in enumerate(pieces) if piece != END]
            for pieces in (self.target_pieces, self.source_pieces)
        )
        return self.weights[..., rows, :][..., columns]


def choose_map(
    heads: AttentionHeads, layer: str | None = None, head: str | None = None
) -> AttentionMap:
    """Return the map of one head, or several maps combined.

    The default is the mean of the H heads with the highest `alignment_quality` among all layers,
    where H is the number of heads per layer. This mean aligns better than any layer or any single
    head.

    Args:
        heads: all maps.
        layer: the number of a layer, counted from 1, or `all`. If only a head is given, the
            second to last layer is used, which aligns best (Garg et al. 2019, section 4.2);
            the head `best` is then chosen from all layers.
        head: the number of a head, counted from 1 (averaged over the layers); `mean`; `max`, the
            largest weights, scaled so that rows sum to 1; or `best`, the head with the highest
            `alignment_quality`. If only a layer is given, it is `mean`.

    Raises:
        UsageError: there is no such layer or head; the message lists the choices.
    """
    if layer is None and head is None:
        return _best_few(heads)
    way = head or "mean"
    layers = _layers(heads, layer, way)
    numbers = (
        range(heads.num_heads) if way in WAYS else [_number("head", way, heads.num_heads, *WAYS)]
    )
    chosen = heads.weights[np.ix_(layers, numbers)]  # [l, h, T, S]
    if way == "best":
        qualities = heads.qualities[np.ix_(layers, numbers)]
        one, two = divmod(int(qualities.argmax()), len(numbers))
        layers, numbers, chosen = [layers[one]], [two], chosen[one : one + 1, two : two + 1]
    weights = chosen.max(axis=(0, 1)) if way == "max" else chosen.mean(axis=(0, 1))
    if way == "max":
        weights = weights / np.maximum(weights.sum(axis=-1, keepdims=True), 1e-12)
    return heads.map(weights.astype(np.float32), _name(heads, layers, numbers, way))


def alignment_quality(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return how well maps [..., T, S] without end tokens align: sharpness x coverage, [...].

    Sharpness is the mean over the target of the largest weight. Coverage is the mean over the
    source of min(1, attention received), as in the coverage penalty of Wu et al. 2016 (equation
    14). Uniform weights are not sharp; weights on one source index, or on the end token, cover
    little. No gold alignment is needed.

    Args:
        weights: each row is a distribution over the source, the end token included.
    """
    kept = weights.astype(np.float64)
    if not kept.size:
        return np.zeros(weights.shape[:-2])
    sharpness = kept.max(axis=-1).mean(axis=-1)
    coverage = np.minimum(kept.sum(axis=-2), 1.0).mean(axis=-1)
    quality: NDArray[np.float64] = sharpness * coverage
    return quality


def diagonality(weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the correlation of source and target index, weighted by the attention, [...].

    Each pair of indices is weighted by its attention in the map [..., T, S] without end tokens. 1
    is the order of the source, -1 the reverse, 0 no order or a single source index.

    Args:
        weights: each row is a distribution over the source, the end token included.
    """
    kept = weights.astype(np.float64)
    total = np.maximum(kept.sum(axis=(-2, -1), keepdims=True), 1e-12)
    shares = kept / total
    target = np.linspace(-1, 1, kept.shape[-2])[:, None]
    source = np.linspace(-1, 1, kept.shape[-1])[None, :]

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (shares * values).sum(axis=(-2, -1), keepdims=True)
        return found

    t, s = target - mean(target), source - mean(source)
    spread = np.sqrt(mean(t * t) * mean(s * s))
    flat = spread < 1e-9
    found: NDArray[np.float64] = np.where(flat, 0.0, mean(t * s) / np.where(flat, 1.0, spread))
    return found[..., 0, 0]


def _best_few(heads: AttentionHeads) -> AttentionMap:
    """Return the mean of the H heads that align best."""
    count = heads.num_heads
    order = np.argsort(-heads.qualities.ravel(), kind="stable")[:count]
    chosen = heads.weights[np.unravel_index(order, heads.qualities.shape)]  # [H, T, S]
    if heads.num_layers == 1:
        name = _name(heads, [0], range(count), "mean")
    else:
        found = ", ".join(f"L{index // count + 1} H{index % count + 1}" for index in sorted(order))
        name = f"mean of {count} that align{'s' * (count == 1)} best ({found})"
    return heads.map(chosen.mean(axis=0).astype(np.float32), name)


def _layers(heads: AttentionHeads, layer: str | None, way: str) -> list[int]:
    count = heads.num_layers
    if layer == "all" or (layer is None and way == "best"):
        return list(range(count))
    return [max(0, count - 2) if layer is None else _number("layer", layer, count, "all")]


def _number(what: str, text: str, count: int, *words: str) -> int:
    """Parse a number from 1 to `count`, and return it as an index from 0."""
    if text.isascii() and text.isdigit() and 1 <= int(text) <= count:
        return int(text) - 1
    known = "1" if count == 1 else f"1 to {count}"
    *choices, last = (known, *words)
    raise UsageError(
        f"--{what} {text}: the decoder attends with {count} {what}{'s' * (count > 1)}; "
        f"choose {', '.join(choices)} or {last}"
    )


def _name(heads: AttentionHeads, layers: Sequence[int], numbers: Sequence[int], way: str) -> str:
    """Return a name for the chosen maps; empty if the decoder has only one."""
    if heads.num_layers * heads.num_heads == 1:
        return ""
    where = f"layer {layers[0] + 1}" if len(layers) == 1 else f"all {len(layers)} layers"
    if len(numbers) == 1:
        which = f"head {numbers[0] + 1}" + (", which aligns best" if way == "best" else "")
    else:
        which = f"{way} of {len(numbers)} heads"
    return f"{where}, {which}"
