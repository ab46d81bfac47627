"""The largest sums of hypothesis scores and token log-probabilities, found block by block."""

import torch
from torch import Tensor

BLOCK = 64


def largest_sums(scores: Tensor, log_probs: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the largest values of scores + log_probs and their indices, in descending order.

    The vocabulary is divided into blocks. Each result is in a block whose maximum is among the
    `count` largest maxima, so only these blocks are searched. Computing and sorting all sums would
    take as long as a layer of the model.

    Args:
        scores: [B, K].
        log_probs: [B, K, V].
        count: the number of results for each sentence, C; fewer if K x V is smaller.

    Returns:
        The values [B, C] and their indices in the flattened K x V sums [B, C].
    """
    sentences, beam, vocab_size = log_probs.shape
    blocks = vocab_size // BLOCK
    if beam * blocks <= count:
        total = (scores[:, :, None] + log_probs).flatten(1)  # [B, K x V]
        found = total.topk(min(count, total.shape[1]), dim=1)
        return found.values, found.indices
    whole = log_probs[..., : blocks * BLOCK].view(sentences, beam, blocks, BLOCK)
    maxima = (scores[:, :, None] + whole.amax(3)).flatten(1)  # [B, K x blocks]
    best = maxima.topk(count, dim=1).indices
    parent = best // blocks
    first = parent * vocab_size + best % blocks * BLOCK  # [B, C]
    every = torch.arange(beam * vocab_size, device=scores.device).view(beam, vocab_size)
    inside = (first[:, :, None] + every[0, :BLOCK]).flatten(1)  # [B, C x BLOCK]
    found_inside = log_probs.flatten(1).gather(1, inside).view(sentences, count, BLOCK)
    rest = every[:, blocks * BLOCK :].flatten().expand(sentences, -1)
    indices = torch.cat([inside, rest], 1)
    sums = torch.cat(
        [
            (scores.gather(1, parent)[:, :, None] + found_inside).flatten(1),
            (scores[:, :, None] + log_probs[..., blocks * BLOCK :]).flatten(1),
        ],
        1,
    )
    found = sums.topk(count, dim=1)
    return found.values, indices.gather(1, found.indices)
