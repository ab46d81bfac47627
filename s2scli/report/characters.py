"""Byte pieces merged into the characters that they spell.

A tokenizer with byte fallback writes a character that it does not know as its UTF-8 bytes, such as
`<0xE4>`, `<0xBD>`, `<0xA0>` for 你.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from s2scli.report.heads import AttentionHeads

BYTE = re.compile(r"<0x([0-9A-F]{2})>")
LONGEST = 4  # bytes of one character in UTF-8


def merge_bytes(heads: AttentionHeads, *, add: bool = False) -> AttentionHeads:
    """Merge the byte pieces of each character into one column or one row.

    Weights are summed over the bytes of a source character and averaged over those of a target
    character, so rows still sum to 1; with `add`, they are summed there, too. The scores of a
    target character's bytes are added up. A character was copied from where its first byte was
    copied from.
    """
    sources, source_starts = _merged(heads.source_pieces)
    targets, target_starts = _merged(heads.target_pieces)
    if (sources, targets) == (heads.source_pieces, heads.target_pieces):
        return heads
    counts = np.diff([*target_starts, len(heads.target_pieces)])
    summed = np.add.reduceat(heads.weights, source_starts, axis=-1)  # [L, H, T, s]
    weights = np.add.reduceat(summed, target_starts, axis=-2)  # [L, H, t, s]
    weights = weights if add else weights / counts[:, None]
    scores = heads.token_scores
    if scores is not None:
        scores = tuple(np.add.reduceat(scores, target_starts).tolist())
    return replace(
        heads,
        source_pieces=sources,
        target_pieces=targets,
        weights=weights.astype(np.float32),
        token_scores=scores,
        **_merged_copies(heads, source_starts, target_starts),
    )


def _merged_copies(
    heads: AttentionHeads, source_starts: Sequence[int], target_starts: Sequence[int]
) -> Mapping[str, Any]:
    """Return the fields about copying, where each character has the values of its first byte."""
    if not heads.p_copy:
        return {}
    column = np.searchsorted(source_starts, np.arange(len(heads.source_pieces)), "right") - 1
    indices = [heads.copied_from[start] for start in target_starts]
    return {
        "p_copy": tuple(heads.p_copy[start] for start in target_starts),
        "copied_from": tuple(None if index is None else int(column[index]) for index in indices),
    }


def _merged(pieces: Sequence[str]) -> tuple[tuple[str, ...], list[int]]:
    """Return the merged pieces, and the index in `pieces` at which each of them starts."""
    merged, starts, index = [], [], 0
    while index < len(pieces):
        character, length = _character(pieces[index : index + LONGEST])
        merged.append(character)
        starts.append(index)
        index += length
    return tuple(merged), starts


def _character(pieces: Sequence[str]) -> tuple[str, int]:
    """Return the character that the first pieces spell in bytes, and their number.

    The first piece is returned as it is if the pieces do not begin with a whole character.
    """
    spelled = b""
    for length, piece in enumerate(pieces, start=1):
        byte = BYTE.fullmatch(piece)
        if not byte:
            break
        spelled += bytes.fromhex(byte[1])
        try:
            return spelled.decode(), length
        except UnicodeDecodeError:
            continue
    return pieces[0], 1
