"""Batches of padded token ids."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2scli.data.example import TokenIds
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID


@dataclass(frozen=True)
class Batch:
    """B examples, padded with `pad_id` to the longest one.

    Attributes:
        source: source ids followed by `eos_id`, [B, S].
        source_lengths: the number of real tokens in each source, with the end token, [B]; always
            on the CPU.
        target_input: the decoder's input: `bos_id` followed by the target ids, [B, T].
        target_output: the decoder's expected output: the target ids followed by `eos_id`, [B, T].
    """

    source: Tensor
    source_lengths: Tensor
    target_input: Tensor
    target_output: Tensor

    @property
    def target_mask(self) -> Tensor:
        """Mask that is True at real output tokens, [B, T]."""
        return self.target_output != PAD_ID

    def twice(self) -> "Batch":
        """Return the batch with all examples repeated once, 2 x B examples."""
        return Batch(
            torch.cat([self.source, self.source]),
            torch.cat([self.source_lengths, self.source_lengths]),
            torch.cat([self.target_input, self.target_input]),
            torch.cat([self.target_output, self.target_output]),
        )

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its ids on `device`; the lengths stay on the CPU."""
        return Batch(
            self.source.to(device, non_blocking=True),
            self.source_lengths,
            self.target_input.to(device, non_blocking=True),
            self.target_output.to(device, non_blocking=True),
        )


def make_batch(sources: Sequence[TokenIds], targets: Sequence[TokenIds]) -> Batch:
    """Pad token ids, without special tokens, into a batch."""
    source, lengths = make_source(sources)
    width = max(len(ids) for ids in targets) + 2
    target = np.full((len(targets), width), PAD_ID, dtype=np.int64)  # [B, T + 1]
    target[:, 0] = BOS_ID
    for row, ids in zip(target, targets, strict=True):
        row[1 : len(ids) + 1] = ids
        row[len(ids) + 1] = EOS_ID
    padded = torch.from_numpy(target)
    return Batch(source, lengths, padded[:, :-1], padded[:, 1:])


def make_source(sources: Sequence[TokenIds]) -> tuple[Tensor, Tensor]:
    """Add end tokens to source ids and pad them.

    Returns:
        The padded ids [B, S], and the number of real tokens in each row [B].
    """
    lengths = np.array([len(ids) + 1 for ids in sources], dtype=np.int64)
    source = np.full((len(sources), int(lengths.max())), PAD_ID, dtype=np.int64)
    for row, ids in zip(source, sources, strict=True):
        row[: len(ids)] = ids
        row[len(ids)] = EOS_ID
    return torch.from_numpy(source), torch.from_numpy(lengths)
