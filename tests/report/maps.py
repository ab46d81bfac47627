"""Attention maps to draw in tests."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from s2scli.report.attention import END, AttentionMap
from s2scli.report.heads import AttentionHeads

HOSTILE = ("▁\x1b[31m", "\x07", "[link=x]", "<script>alert(1)</script>", '"&\u202e', "a\nb", "\x85")


def diagonal(size: int) -> AttentionMap:
    """Every target piece looks at the source piece with the same index."""
    pieces = tuple(f"▁{chr(97 + index % 26)}" for index in range(size))
    return AttentionMap(pieces, pieces, np.eye(size, dtype=np.float32))


def make_map(
    source: Sequence[str],
    target: Sequence[str],
    *,
    seed: int = 0,
    scores: bool = True,
    copies: bool = False,
) -> AttentionMap:
    """Random weights over given pieces; with `copies`, every second piece is a copy."""
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(len(source), 0.3), len(target)).astype(np.float32)
    token_scores = tuple(np.log(generator.uniform(0.1, 1.0, len(target))).tolist())
    found = AttentionMap(tuple(source), tuple(target), weights, token_scores if scores else None)
    if not copies:
        return found
    shares = tuple(generator.uniform(size=len(target)).tolist())
    copied = tuple(row % len(source) if row % 2 == 0 else None for row in range(len(target)))
    return replace(found, p_copy=shares, copied_from=copied)


PIECES = st.one_of(
    st.sampled_from(
        ["▁", "▁the", "ing", "狗", "▁一只", "👨\u200d👩\u200d👧", "❤\ufe0f", "e\u0301"]
    ),
    st.sampled_from(["\u0301", "▁كلب", "שלום", "\u200b", "🇩🇪", "</s>", "▁" + "long" * 9, *HOSTILE]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6),
)
MAPS = st.builds(
    make_map,
    st.lists(PIECES, min_size=1, max_size=30),
    st.lists(PIECES, min_size=1, max_size=12),
    seed=st.integers(0, 99),
    scores=st.booleans(),
    copies=st.booleans(),
)


def make_heads(
    layers: int, heads: int, rows: int, columns: int, *, seed: int = 0
) -> AttentionHeads:
    """Random weights of several layers and heads; both sides close with the end token."""
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(columns, 0.3), (layers, heads, rows))
    return AttentionHeads(
        (*(f"▁s{index}" for index in range(columns - 1)), END),
        (*(f"▁t{index}" for index in range(rows - 1)), END),
        weights.astype(np.float32),
    )


def diagonal_heads(layers: int, heads: int, size: int, *, at: tuple[int, int]) -> AttentionHeads:
    """Heads that look everywhere, at the end token or at one piece, and one that aligns."""
    found = make_heads(layers, heads, size, size)
    weights = np.empty_like(found.weights)
    poor = (np.full((size, size), 1 / size), np.eye(size)[[-1] * size], np.eye(size)[[0] * size])
    for index, (layer, head) in enumerate(np.ndindex(layers, heads)):
        weights[layer, head] = poor[index % len(poor)]
    weights[at] = np.eye(size)
    return AttentionHeads(found.source_pieces, found.target_pieces, weights)


HEADS = st.builds(
    make_heads,
    st.integers(1, 4),
    st.integers(1, 9),
    st.integers(1, 12),
    st.integers(1, 30),
    seed=st.integers(0, 99),
)
