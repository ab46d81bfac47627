"""Attention maps to draw in tests."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from s2scli.report.attention import AttentionMap

HOSTILE = ("▁\x1b[31m", "\x07", "[link=x]", "<script>alert(1)</script>", '"&\u202e', "a\nb", "\x85")


def diagonal(size: int) -> AttentionMap:
    """Every target piece looks at the source piece of the same place."""
    pieces = tuple(f"▁{chr(97 + place % 26)}" for place in range(size))
    return AttentionMap(pieces, pieces, np.eye(size, dtype=np.float32))


def make_map(
    source: Sequence[str], target: Sequence[str], *, seed: int = 0, scores: bool = True
) -> AttentionMap:
    """Random weights over given pieces."""
    generator = np.random.default_rng(seed)
    weights = generator.dirichlet(np.full(len(source), 0.3), len(target)).astype(np.float32)
    token_scores = tuple(np.log(generator.uniform(0.1, 1.0, len(target))).tolist())
    return AttentionMap(tuple(source), tuple(target), weights, token_scores if scores else None)


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
)
