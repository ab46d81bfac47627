"""Batches of padded sources and padded target token ids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from s2scli.data.example import TokenIds, Values
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID, UNK_ID


@dataclass(frozen=True)
class Batch:
    """B examples, padded to the longest one: token ids with `pad_id`, samples and pixels with 0.

    Attributes:
        source: source ids followed by `eos_id`, [B, S]; or 16-bit samples, [B, N]; or columns of
            8-bit pixels, [B, W, H x C]. For a model that copies, source ids and the target ids of
            their copies, [B, S, 2].
        source_lengths: the number of real tokens (with the end token), samples or columns in each
            source, [B]; always on the CPU.
        target_input: the decoder's input: `bos_id` followed by the target ids, [B, T].
        target_output: the decoder's expected output: the target ids followed by `eos_id`, [B, T].
        real: the positions of the real output tokens in `target_output.flatten()`, [tokens].
        rows: the number of each example in its split, from 0, [B]; empty if it is not known.
    """

    source: Tensor
    source_lengths: Tensor
    target_input: Tensor
    target_output: Tensor
    real: Tensor
    rows: tuple[int, ...] = ()

    @property
    def target_mask(self) -> Tensor:
        """Mask that is True at real output tokens, [B, T]."""
        return self.target_output != PAD_ID

    @property
    def target_tokens(self) -> Tensor:
        """The real output tokens, row by row, [tokens]."""
        return self.target_output.flatten().index_select(0, self.real)

    def at_targets(self, values: Tensor) -> Tensor:
        """Return the rows of `values` [B, T, D] at the real output tokens, [tokens, D].

        The positions are known without asking the device for them, as a mask would.
        """
        return values.flatten(0, 1)[self.real]  # on a processor, index_select is slow backward

    def with_source_ids(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Return the batch with changed source ids; what a model that copies can copy stays.

        Args:
            change: takes source ids [B, S], and returns others.
        """
        if self.source.dim() == 2:
            return replace(self, source=change(self.source))
        ids, copies = self.source.unbind(-1)
        return replace(self, source=torch.stack([change(ids), copies], -1))

    def twice(self) -> "Batch":
        """Return the batch with all examples repeated once, 2 x B examples."""
        return Batch(
            torch.cat([self.source, self.source]),
            torch.cat([self.source_lengths, self.source_lengths]),
            torch.cat([self.target_input, self.target_input]),
            torch.cat([self.target_output, self.target_output]),
            torch.cat([self.real, self.real + self.target_output.numel()]),
            2 * self.rows,
        )

    def halves(self) -> "tuple[Batch, Batch]":
        """Split at least two examples on the CPU into two batches, each padded to its longest."""
        middle = len(self.source) // 2
        return self.part(slice(middle)), self.part(slice(middle, None))

    def part(self, rows: slice) -> "Batch":
        """Return some examples of a batch on the CPU, padded to the longest of them."""
        lengths, mask = self.source_lengths[rows], self.target_mask[rows]
        width, target_width = int(lengths.max()), int(mask.sum(1).max())
        return Batch(
            self.source[rows, :width],
            lengths,
            self.target_input[rows, :target_width],
            self.target_output[rows, :target_width],
            mask[:, :target_width].flatten().nonzero()[:, 0],
            self.rows[rows],
        )

    def to(self, device: torch.device) -> "Batch":
        """Return the batch with its ids on `device`; the lengths stay on the CPU.

        Copies to a GPU start from pinned memory, so that the host does not wait for them.
        """
        pin = device.type == "cuda"

        def copy(values: Tensor) -> Tensor:
            return (values.pin_memory() if pin else values).to(device, non_blocking=pin)

        return replace(
            self,
            source=copy(self.source),
            source_lengths=self.source_lengths.pin_memory() if pin else self.source_lengths,
            target_input=copy(self.target_input),
            target_output=copy(self.target_output),
            real=copy(self.real),
        )


Pad: TypeAlias = Callable[[Sequence[Values]], tuple[Tensor, Tensor]]
"""Pads sources into one tensor; returns the tensor and the lengths [B]."""


def make_batch(
    sources: Sequence[Values], targets: Sequence[TokenIds], pad: Pad | None = None
) -> Batch:
    """Pad examples into a batch.

    Args:
        sources: the encoded sources; token ids are without special tokens.
        targets: the target token ids, without special tokens. A negative one is -1 - id, for a
            piece that only the source knows; it becomes the target id of its copy.
        pad: pads the sources; None pads token ids.
    """
    source, lengths = (pad or make_source)(sources)
    width = max(len(ids) for ids in targets) + 2
    target = np.full((len(targets), width), PAD_ID, dtype=np.int64)  # [B, T + 1]
    target[:, 0] = BOS_ID
    for row, ids in zip(target, targets, strict=True):
        row[1 : len(ids) + 1] = ids
        row[len(ids) + 1] = EOS_ID
    if target.min() < 0:
        _point(target, source.numpy())
    padded = torch.from_numpy(target)
    real = torch.from_numpy(np.flatnonzero(target[:, 1:] != PAD_ID))
    return Batch(source, lengths, padded[:, :-1], padded[:, 1:], real)


def _point(target: NDArray[np.int64], source: NDArray[np.int64]) -> None:
    """Replace each -1 - id by the target id of a copy of the source token with this id.

    If noise has removed the token from the source, it becomes the unknown token.

    Args:
        target: ids, changed in place, [B, T + 1].
        source: source ids and the target ids of their copies, [B, S, 2].
    """
    for row, column in zip(*np.nonzero(target < 0), strict=True):
        there = np.flatnonzero(source[row, :, 0] == -1 - target[row, column])
        target[row, column] = source[row, there[0], 1] if len(there) else UNK_ID


def pad_values(sources: Sequence[Values]) -> tuple[Tensor, Tensor]:
    """Pad samples [N], or columns of pixels [W, F], with zeros.

    Returns:
        The padded values, and the length of each source [B].
    """
    lengths = np.array([len(values) for values in sources], dtype=np.int64)
    shape = (len(sources), int(lengths.max()), *sources[0].shape[1:])
    padded = np.zeros(shape, dtype=sources[0].dtype)
    for row, values in zip(padded, sources, strict=True):
        row[: len(values)] = values
    return torch.from_numpy(padded), torch.from_numpy(lengths)


def make_source(sources: Sequence[Values], *, ends: bool = True) -> tuple[Tensor, Tensor]:
    """Add end tokens to source ids and pad them.

    Args:
        sources: the ids of each source.
        ends: whether the model reads end tokens; otherwise none are added.

    Returns:
        The padded ids [B, S], and the number of real tokens in each row [B].
    """
    lengths = np.array([len(ids) + ends for ids in sources], dtype=np.int64)
    source = np.full((len(sources), int(lengths.max())), PAD_ID, dtype=np.int64)
    for row, ids in zip(source, sources, strict=True):
        row[: len(ids)] = ids
        row[len(ids) : len(ids) + ends] = EOS_ID
    return torch.from_numpy(source), torch.from_numpy(lengths)
