"""Where word alignments are read: the layer, and the step at which its attention is read.

A decoder writes a token at one step and reads it at the next. In a decoder with several layers,
some layers attend to the source of the token that is read, not of the token that is written. Their
attention aligns better one step later (Shift-Att: Chen et al. 2020, Accurate word alignment
induction from neural machine translation, section 3.1). Others align better at the same step, so
the choice is made for each model.
"""

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from s2scli.report.alignment import align_pieces
from s2scli.report.attention import END, AttentionMap
from s2scli.report.heads import AttentionHeads, choose_map
from s2scli.settings import Settings, setting


class Reading(Settings):
    """The attention weights that alignments are read from."""

    layer: int | None = setting(
        None,
        "Decoder layer, counted from 1, whose heads are averaged; None is the mean of the heads "
        "that align best in each sentence.",
        ge=1,
        le=1000,
    )
    later: bool = setting(False, "Read the weights of a token at the step after it.")

    @property
    def name(self) -> str:
        """The reading in words."""
        which = f"layer {self.layer}" if self.layer else "the heads that align best"
        return f"{which}, {'one step later' if self.later else 'same step'}"

    def map(self, heads: AttentionHeads) -> AttentionMap:
        """Return the attention map to read the alignment of a sentence from."""
        found = choose_map(heads, None if self.layer is None else str(self.layer))
        if not self.later:
            return found
        weights = one_step_later(found.weights, heads.target_pieces, heads.from_right)
        return heads.map(weights, ", ".join(filter(None, (found.name, "one step later"))))


BEST_HEADS = Reading()


def every_reading(num_layers: int) -> list[Reading]:
    """Return all readings of a decoder with this number of layers."""
    layers = [None, *range(1, num_layers + 1)] if num_layers > 1 else [None]
    return [Reading(layer=layer, later=later) for layer in layers for later in (False, True)]


def one_step_later(
    weights: NDArray[np.float32], target_pieces: Sequence[str], from_right: bool = False
) -> NDArray[np.float32]:
    """Return the weights of the step at which the decoder reads each token, [..., T, S].

    End tokens are never read, so they keep their own weights.

    Args:
        weights: the weights of the step at which each token is written, [..., T, S].
        target_pieces: the T target pieces; a line that was split has an end token after each part.
        from_right: whether the pieces of each part are written from the last to the first.
    """
    last = len(target_pieces) - 1
    steps = [
        step if piece == END or step == last else step + 1
        for step, piece in enumerate(target_pieces)
    ]
    if from_right:
        ends = [step for step, piece in enumerate(target_pieces) if piece == END]
        starts = (0, *(end + 1 for end in ends))
        firsts = {one: next((end for end in ends if end > one), one) for one in starts}
        steps = [
            step if piece == END else firsts.get(step, step - 1)
            for step, piece in enumerate(target_pieces)
        ]
    return weights[..., steps, :]


def mutual_information(pairs: Iterable[tuple[Hashable, Hashable]]) -> float:
    """Return the mutual information of linked source and target tokens in bits, 0 without links.

    I = sum over (s, t) of p(s, t) log2(p(s, t) / (p(s) p(t))), with the shares among all links
    (Cover & Thomas 2006, eq. 2.28). Links that pair the same tokens again and again, as a
    dictionary does, have more of it than links to neighbouring tokens.
    """
    both = Counter(pairs)
    total = sum(both.values())
    sources: Counter[Hashable] = Counter()
    targets: Counter[Hashable] = Counter()
    for (source, target), count in both.items():
        sources[source] += count
        targets[target] += count
    return sum(
        count / total * math.log2(count * total / (sources[source] * targets[target]))
        for (source, target), count in both.items()
    )


def linked_pieces(attention: AttentionMap) -> list[tuple[str, str]]:
    """Return each target piece but end tokens with the source piece it is linked to."""
    sources, targets = attention.source_pieces, attention.target_pieces
    links = align_pieces(attention)
    return [(sources[s], targets[t]) for s, t in links if targets[t] != END]
