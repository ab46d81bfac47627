from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s2scli.report.attention import END
from s2scli.report.characters import merge_bytes
from s2scli.report.heads import AttentionHeads

NI, HAO = ["<0xE4>", "<0xBD>", "<0xA0>"], ["<0xE5>", "<0xA5>", "<0xBD>"]


def heads_of(source: list[str], target: list[str], *, scores: bool = True) -> AttentionHeads:
    generator = np.random.default_rng(1)
    weights = generator.dirichlet(np.full(len(source), 0.3), (2, 3, len(target)))
    logs = tuple(np.log(generator.uniform(0.1, 1.0, len(target))).tolist()) if scores else None
    return AttentionHeads(tuple(source), tuple(target), weights.astype(np.float32), logs)


def test_a_character_has_one_column_and_one_row() -> None:
    heads = heads_of(["▁", *NI, *HAO, "!", END], ["a", *NI, END])
    merged = merge_bytes(heads)
    assert merged.source_pieces == ("▁", "你", "好", "!", END)
    assert merged.target_pieces == ("a", "你", END)
    assert merged.weights.shape == (2, 3, 3, 5)
    assert merged.weights[..., 0, 1] == pytest.approx(heads.weights[..., 0, 1:4].sum(-1))
    assert merged.weights[..., 1, 0] == pytest.approx(heads.weights[..., 1:4, 0].mean(-1))
    assert merged.weights.sum(axis=-1) == pytest.approx(1.0)
    added = merge_bytes(heads, add=True).weights
    assert added[..., 1, 0] == pytest.approx(heads.weights[..., 1:4, 0].sum(-1))
    assert merged.token_scores is not None and heads.token_scores is not None
    assert merged.token_scores[1] == pytest.approx(sum(heads.token_scores[1:4]))


@pytest.mark.parametrize(
    "pieces",
    [
        ["▁dog", "s", END],
        ["<0xE4>", "<0xBD>", END],  # the last byte is missing
        ["<0xBD>", "<0xBD>"],
        ["<0xe4>", "<0xbd>", "<0xa0>"],  # not how SentencePiece writes bytes
        ["<0xE4>", "a", "<0xBD>", "<0xA0>"],
    ],
)
def test_other_pieces_stay_as_they_are(pieces: list[str]) -> None:
    heads = heads_of(pieces, pieces, scores=False)
    assert merge_bytes(heads) is heads


@given(st.text(min_size=1, max_size=6))
def test_the_bytes_of_a_text_are_its_characters(text: str) -> None:
    pieces = [f"<0x{byte:02X}>" for byte in text.encode()]
    assert merge_bytes(heads_of(["a"], pieces)).target_pieces == tuple(text)


def test_a_character_was_copied_from_where_its_first_byte_was() -> None:
    pieces = ["a", "<0xE4>", "<0xBD>", "<0xA0>", END]
    shares, indices = (0.5, 0.9, 0.8, 0.7, 0.0), (0, 1, 2, 3, None)
    merged = merge_bytes(replace(heads_of(pieces, pieces), p_copy=shares, copied_from=indices))
    assert merged.target_pieces == ("a", "你", END)
    assert merged.p_copy == (0.5, 0.9, 0.0)
    assert merged.copied_from == (0, 1, None)
