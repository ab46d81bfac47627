"""Beam search over a batch of sources; a beam of 1 is greedy search."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from s2scli.model.states import DecoderState
from s2scli.search.choosing import Candidates, alive, ended, expand
from s2scli.search.filters import end_where, forbid
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.model import Encoded, Model
from s2scli.search.ranking import best_possible, normalise
from s2scli.search.settings import SearchSettings
from s2scli.special_ids import BOS_ID, EOS_ID


@dataclass(frozen=True)
class Choice:
    """What one step chose for the K rows of each sentence.

    Attributes:
        token: the token each row took, [B, K].
        parent: the row of the step before that it continues, [B, K].
        log_prob: of that token, [B, K].
        attention_weights: of the rows of the step before, [B, K', A, S], or None.
    """

    token: Tensor
    parent: Tensor
    log_prob: Tensor
    attention_weights: Tensor | None

    def keep(self, sentences: Tensor) -> "Choice":
        """Return the choices of these sentences only, [B']."""
        weights = self.attention_weights
        return Choice(
            self.token[sentences],
            self.parent[sentences],
            self.log_prob[sentences],
            None if weights is None else weights[sentences],
        )


@dataclass(frozen=True)
class Ending:
    """A finished hypothesis: where it ended, and the way back is in the choices.

    Attributes:
        score: its ranking score.
        step: the number of choices before its end token.
        row: the row it ended from.
        log_prob: of the end token.
        attention_weights: with which the end token was chosen, [A, S], or None.
    """

    score: float
    step: int
    row: int
    log_prob: float
    attention_weights: Tensor | None


def longest_allowed(lengths: Tensor, settings: SearchSettings) -> Tensor:
    """Return the tokens each output may have, end token counted: ratio x source + 10, [B]."""
    longest = (lengths * settings.max_length_ratio).long() + 10
    return longest if settings.max_length is None else longest.clamp(max=settings.max_length)


@torch.inference_mode()
def beam_search(
    model: Model[Encoded],
    source: Tensor,
    lengths: Tensor,
    settings: SearchSettings,
    *,
    with_attention: bool = True,
) -> list[tuple[Hypothesis, ...]]:
    """Return the `n_best` best outputs of each source, best first.

    Args:
        model: in evaluation mode.
        source: source ids, [B, S].
        lengths: real tokens of each, [B].
        settings: beam size, n-best, length penalty, longest output.
        with_attention: keep attention weights.
    """
    state = model.start(model.encode(source, lengths))
    longest = longest_allowed(lengths, settings).to(source.device)
    return search_from(model, state, longest, settings, with_attention=with_attention)


@torch.inference_mode()
def search_from(
    model: Model[Encoded],
    state: DecoderState,
    longest: Tensor,
    settings: SearchSettings,
    *,
    with_attention: bool = True,
) -> list[tuple[Hypothesis, ...]]:
    """Return the `n_best` best outputs of each sentence that a state begins, best first.

    A sentence is finished, and leaves the batch, when no live hypothesis can rank above the
    `n_best` that have ended, or, once `beam_size` have ended, when none does so now. The memory is
    never copied for the beam.

    Args:
        model: in evaluation mode.
        state: before the first token, one row for each sentence.
        longest: tokens each output may have, the end token counted, [B].
        settings: beam size, n-best, length penalty.
        with_attention: keep attention weights.
    """
    device, sentences = longest.device, len(longest)
    numbers = list(range(sentences))  # of the sentences still in the batch
    endings: list[list[Ending]] = [[] for _ in numbers]
    results: list[tuple[Hypothesis, ...]] = [()] * sentences
    tokens = torch.full((sentences, 1), BOS_ID, device=device)  # [B, K]
    scores = torch.zeros(sentences, 1, device=device)  # [B, K]
    history: list[Choice] = []
    while numbers:
        step = model.step(tokens.flatten(), state, with_attention=with_attention)
        log_probs = step.logits.float().log_softmax(-1).view(*tokens.shape, -1)  # [B, K, V]
        log_probs = end_where(forbid(log_probs), longest <= len(history) + 1)
        weights = step.attention_weights
        if weights is not None:
            weights = weights.view(*tokens.shape, *weights.shape[1:])  # [B, K, A, S]
        candidates = expand(scores, log_probs, settings.beam_size)
        _collect(endings, numbers, candidates, log_probs, weights, len(history), settings)
        live = alive(candidates, settings.beam_size)
        history.append(_choice(live, log_probs, weights))
        done = _done([endings[n] for n in numbers], live, len(history), longest, settings)
        for row in done.nonzero().flatten().tolist():
            results[numbers[row]] = _trace(endings[numbers[row]], history, row, settings.n_best)
        kept = (~done).nonzero().flatten()
        numbers = [numbers[row] for row in kept.tolist()]
        if numbers:
            offsets = torch.arange(len(done), device=device)[:, None] * tokens.shape[1]
            state = step.state.reorder((offsets + live.parent).flatten())
            if len(kept) < len(done):
                state = state.keep(kept)
                history = [choice.keep(kept) for choice in history]
            tokens, scores, longest = live.token[kept], live.score[kept], longest[kept]
    return results


def _choice(live: Candidates, log_probs: Tensor, weights: Tensor | None) -> Choice:
    chosen = log_probs.flatten(1).gather(1, live.parent * log_probs.shape[-1] + live.token)
    return Choice(live.token, live.parent, chosen, weights)


def _collect(
    endings: Sequence[list[Ending]],
    numbers: Sequence[int],
    candidates: Candidates,
    log_probs: Tensor,
    weights: Tensor | None,
    step: int,
    settings: SearchSettings,
) -> None:
    """Add the hypotheses that end at this step to their sentences' endings."""
    scores = normalise(ended(candidates, settings.beam_size), step + 1, settings.length_penalty)
    for sentence, place in scores.isfinite().nonzero().tolist():
        row = int(candidates.parent[sentence, place])
        endings[numbers[sentence]].append(
            Ending(
                float(scores[sentence, place]),
                step,
                row,
                float(log_probs[sentence, row, EOS_ID]),
                None if weights is None else weights[sentence, row],
            )
        )


def _done(
    endings: Sequence[list[Ending]],
    live: Candidates,
    length: int,
    longest: Tensor,
    settings: SearchSettings,
) -> Tensor:
    """Return which sentences are finished, [B].

    A live hypothesis may still gain by its length: all that is possible, until `beam_size` have
    ended; from then on it counts with the score it has now.
    """
    score, exponent = live.score[:, 0], settings.length_penalty
    enough = [len(found) >= settings.beam_size for found in endings]
    bound = torch.where(
        torch.tensor(enough, device=score.device),
        normalise(score, length, exponent),
        best_possible(score, length, longest, exponent),
    )
    reached = [_nth_best(found, settings.n_best) for found in endings]
    return torch.tensor(reached, device=score.device) >= bound


def _nth_best(endings: Sequence[Ending], n: int) -> float:
    """Return the score of the n-th best ending, -inf if there are not so many."""
    scores = sorted((ending.score for ending in endings), reverse=True)
    return scores[n - 1] if len(scores) >= n else float("-inf")


def _trace(
    endings: Sequence[Ending], history: Sequence[Choice], row: int, n_best: int
) -> tuple[Hypothesis, ...]:
    """Return the best hypotheses of the sentence at batch row `row`, best first."""
    mine = [choice.keep(torch.tensor([row])) for choice in history]
    best = sorted(endings, key=lambda ending: -ending.score)[:n_best]
    return tuple(_hypothesis(ending, mine) for ending in best)


def _hypothesis(ending: Ending, history: Sequence[Choice]) -> Hypothesis:
    """Walk back from an ending through the choices of its sentence."""
    tokens, scores, weights = [EOS_ID], [ending.log_prob], [ending.attention_weights]
    row = ending.row
    for choice in reversed(history[: ending.step]):
        tokens.append(int(choice.token[0, row]))
        scores.append(float(choice.log_prob[0, row]))
        row = int(choice.parent[0, row])
        if choice.attention_weights is not None:
            weights.append(choice.attention_weights[0, row])
    return Hypothesis(
        tuple(reversed(tokens)), ending.score, tuple(reversed(scores)), _stacked(weights[::-1])
    )


def _stacked(
    weights: Sequence[Tensor | None],
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None:
    """Return the weights of each step as [T, A, S] on the CPU, or None where there are none."""
    known = [weight for weight in weights if weight is not None]
    return torch.stack(known).float().cpu().numpy() if known else None
