"""The search: one loop over a batch of sources, whatever is forbidden, chosen and ranked.

Each step runs the model (`model.py`), makes some tokens impossible (`filters.py`), chooses among
the rest (a `Chooser`), and asks whether anything still written can rank (`ranking.py`) above what
has ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from s2scli.model.states import DecoderState
from s2scli.search.beam import Beam
from s2scli.search.choosing import Chooser
from s2scli.search.filters import make_filters
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.live import IMPOSSIBLE, Candidates, Live
from s2scli.search.model import Encoded, Model
from s2scli.search.ranking import best_possible, normalise
from s2scli.search.sampling import Sampler, make_draws
from s2scli.search.settings import SearchSettings

Keys = Sequence[Sequence[int]]
Notice = Callable[[], None]


@dataclass(frozen=True)
class Ending:
    """A finished hypothesis of T tokens.

    Attributes:
        score: its ranking score.
        token_ids: its tokens, [T].
        token_scores: the log-probability of each, [T].
        rows: where each token's step had it, counted through its batch, [T].
    """

    score: float
    token_ids: Tensor
    token_scores: Tensor
    rows: Tensor


@dataclass
class Endings:
    """What has ended of one sentence; `reached` is the n-th best score, -inf where there is none.

    Attributes:
        wanted: n.
        found: in no order.
        reached: what another hypothesis must surpass.
    """

    wanted: int
    found: list[Ending] = field(default_factory=list)
    reached: float = IMPOSSIBLE

    def add(self, ending: Ending) -> None:
        """Add one."""
        self.found.append(ending)
        if len(self.found) >= self.wanted:
            self.reached = self.best()[-1].score

    def best(self) -> list[Ending]:
        """Return the n best, best first; of equals, the first to end."""
        return sorted(self.found, key=lambda ending: -ending.score)[: self.wanted]


def longest_allowed(lengths: Tensor, settings: SearchSettings) -> Tensor:
    """Return the tokens each output may have, end token counted: ratio x source + 10, [B].

    `max_length` has the last word, and as many as `min_length` are always allowed.
    """
    longest = (lengths * settings.max_length_ratio).long() + 10
    longest = longest.clamp(min=settings.min_length)
    return longest if settings.max_length is None else longest.clamp(max=settings.max_length)


@torch.inference_mode()
def search(
    model: Model[Encoded],
    source: Tensor,
    lengths: Tensor,
    settings: SearchSettings,
    *,
    with_attention: bool = True,
    before_step: Notice = lambda: None,
) -> list[tuple[Hypothesis, ...]]:
    """Return the `n_best` best outputs of each source, best first.

    What is drawn at random depends on the seed and the source, and on no other source.

    Args:
        model: in evaluation mode.
        source: source ids, [B, S].
        lengths: real tokens of each, [B].
        settings: what is looked for, and how.
        with_attention: keep attention weights.
        before_step: called before each step; what it raises ends the search.
    """
    state = model.start(model.encode(source, lengths))
    longest = longest_allowed(lengths, settings).to(source.device)
    keys = [ids[:length] for ids, length in zip(source.tolist(), lengths.tolist(), strict=True)]
    return search_from(
        model,
        state,
        longest,
        settings,
        keys,
        with_attention=with_attention,
        before_step=before_step,
    )


@torch.inference_mode()
def search_from(
    model: Model[Encoded],
    state: DecoderState,
    longest: Tensor,
    settings: SearchSettings,
    keys: Keys,
    *,
    with_attention: bool = True,
    before_step: Notice = lambda: None,
) -> list[tuple[Hypothesis, ...]]:
    """Return the `n_best` best outputs of each sentence that a state begins, best first.

    A sentence is finished, and leaves the batch, when no live hypothesis can rank above the
    `n_best` that have ended, or, once `beam_size` have ended, when none does so now. The memory is
    never copied for the beam.

    Args:
        model: in evaluation mode.
        state: before the first token, one row for each sentence.
        longest: tokens each output may have, the end token counted, [B].
        settings: what is looked for, and how.
        keys: what tells each sentence from others where outputs are drawn at random.
        with_attention: keep attention weights.
        before_step: called before each step; what it raises ends the search.
    """
    filters = make_filters(settings)
    chooser = make_chooser(settings, longest, keys)
    endings = [Endings(settings.n_best) for _ in keys]
    weights: list[Tensor | None] = []
    live = Live.begin(longest)
    while len(live.numbers):
        before_step()
        step = model.step(live.last, state, with_attention=with_attention)
        weights.append(step.attention_weights)
        log_probs = step.logits.float().log_softmax(-1).view(*live.scores.shape, -1)
        for rule in filters:
            log_probs = rule(log_probs, live)
        chosen = chooser.choose(log_probs, live)
        _collect(endings, live, chosen.ended, log_probs, settings)
        state = step.state.reorder(_rows(live, chosen.live))
        live = live.grow(chosen.live, log_probs)
        kept = _unfinished([endings[n] for n in live.numbers.tolist()], live, settings)
        if len(kept) < len(live.numbers):
            live, state = live.keep(kept), state.keep(kept)
    return [tuple(_hypothesis(one, weights) for one in found.best()) for found in endings]


def make_chooser(settings: SearchSettings, longest: Tensor, keys: Keys) -> Chooser:
    """Return the way to choose that the settings ask for."""
    if not settings.sample:
        return Beam(settings.beam_size)
    draws = make_draws(settings.seed, keys, settings.n_best, longest.tolist())
    return Sampler(settings, draws.to(longest.device))


def _rows(live: Live, chosen: Candidates) -> Tensor:
    """Return which row of the batch each chosen hypothesis goes on from, [B x K']."""
    count, beam = live.scores.shape
    offsets = torch.arange(count, device=chosen.parent.device) * beam
    return (offsets[:, None] + chosen.parent).flatten()


def _collect(
    endings: Sequence[Endings],
    live: Live,
    ended: Candidates,
    log_probs: Tensor,
    settings: SearchSettings,
) -> None:
    """Add the hypotheses that end at this step to their sentences' endings."""
    sentence, place = (ended.score > IMPOSSIBLE).nonzero(as_tuple=True)
    if not len(sentence):
        return
    whole = live.grow(ended, log_probs)  # [B, C]
    scores = normalise(whole.scores, whole.length, settings.length_penalty, settings.length_offset)
    for number, score, *parts in zip(
        live.numbers[sentence].tolist(),
        scores[sentence, place].tolist(),
        whole.tokens[sentence, place].unbind(),
        whole.token_scores[sentence, place].unbind(),
        whole.rows[sentence, place].unbind(),
        strict=True,
    ):
        endings[number].add(Ending(score, *parts))


def _unfinished(endings: Sequence[Endings], live: Live, settings: SearchSettings) -> Tensor:
    """Return which sentences are searched on, [B'].

    A live hypothesis may still gain by its length: all that is possible, until `beam_size` have
    ended; from then on it counts with the score it has now.
    """
    score, exponent, offset = live.scores.amax(1), settings.length_penalty, settings.length_offset
    enough = [len(one.found) >= settings.beam_size for one in endings]
    bound = torch.where(
        torch.tensor(enough, device=score.device),
        normalise(score, live.length, exponent, offset),
        best_possible(score, live.length, live.longest, exponent, offset),
    )
    reached = torch.tensor([one.reached for one in endings], device=score.device)
    return (reached < bound).nonzero().squeeze(1)


def _hypothesis(ending: Ending, weights: Sequence[Tensor | None]) -> Hypothesis:
    """Return an ending with the attention weights that each of its steps had."""
    rows = ending.rows.tolist()
    seen = [some[row] for row, some in zip(rows, weights, strict=False) if some is not None]
    return Hypothesis(
        tuple(ending.token_ids.tolist()),
        ending.score,
        tuple(ending.token_scores.tolist()),
        torch.stack(seen).float().cpu().numpy() if seen else None,
    )
