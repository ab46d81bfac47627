"""The search: one loop over a batch of sources, for beam search and sampling.

Each step runs the model (`model.py`), forbids some tokens (`filters.py`), chooses among the others
(a `Chooser`), and checks whether a live hypothesis can still rank above the finished ones
(`endings.py`; `looking.py` says when).
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from s2scli.model.kernels.in_place import log_softmax
from s2scli.model.states import DecoderState
from s2scli.search.choosing import Chooser
from s2scli.search.constrained import Demanded, make_beam
from s2scli.search.demands import Demands
from s2scli.search.endings import Endings, Seen, make_hypothesis
from s2scli.search.filters import Filter, make_filters
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.joint_ctc import JointCtc
from s2scli.search.limits import longest_output
from s2scli.search.live import Candidates, Live
from s2scli.search.looking import make_looking
from s2scli.search.model import Encoded, Model
from s2scli.search.rules import NO_RULES, Rules
from s2scli.search.sampling import Sampler, make_draws
from s2scli.search.settings import SearchSettings
from s2scli.search.trace import Observer

Keys = Sequence[Sequence[int]]
Notice = Callable[[], None]


@torch.inference_mode()
def search(
    model: Model[Encoded],
    source: Tensor,
    lengths: Tensor,
    settings: SearchSettings,
    *,
    rules: Rules = NO_RULES,
    attention: bool = True,
    before_step: Notice = lambda: None,
    observer: Observer | None = None,
) -> list[tuple[Hypothesis, ...]]:
    """Return the `n_best` best outputs of each source, best first.

    Sampled outputs depend only on the seed and on their source, not on the rest of the batch.

    Args:
        model: a model in evaluation mode.
        source: padded sources: token ids [B, S], samples or pixels.
        lengths: number of real tokens (or samples, or columns of pixels) in each source, [B].
        settings: the search settings.
        rules: what the outputs must contain, and what they must not.
        attention: whether to return attention weights too.
        before_step: called before each step; it may raise an exception to stop the search.
        observer: is told what each step did.
    """
    encoded = model.encode(source, lengths)
    positions = model.positions(lengths)
    there = positions.to(source.device)
    first: list[Filter] = []
    if settings.ctc_weight:
        log_probs = model.ctc_log_probs(encoded)
        first.append(JointCtc(log_probs, there, settings.ctc_weight))
    limits = [longest_output(length, settings) for length in positions.tolist()]
    longest = torch.tensor(limits, dtype=torch.long, device=source.device)
    keys = _keys(source, lengths) if settings.sample else [()] * len(source)
    return search_from(
        model,
        model.start(encoded),
        longest,
        settings,
        keys,
        rules=rules,
        first=first,
        positions=there,
        attention=attention,
        before_step=before_step,
        observer=observer,
    )


@torch.inference_mode()
def search_from(
    model: Model[Encoded],
    state: DecoderState,
    longest: Tensor,
    settings: SearchSettings,
    keys: Keys,
    *,
    rules: Rules = NO_RULES,
    first: Sequence[Filter] = (),
    positions: Tensor | None = None,
    attention: bool = True,
    before_step: Notice = lambda: None,
    observer: Observer | None = None,
) -> list[tuple[Hypothesis, ...]]:
    """Search from a decoder state, and return the `n_best` outputs per sentence, best first.

    A finished sentence leaves the batch; `Looking` decides when. The encoder memory is never
    copied for the beam.

    Args:
        model: a model in evaluation mode.
        state: the state before the first token, one row for each sentence.
        longest: maximum length of each output, end token included, [B].
        settings: the search settings.
        keys: for sampling, ids that identify each sentence and select its random numbers.
        rules: what the outputs must contain, and what they must not.
        first: filters to apply before those of the settings.
        positions: number of encoder states of each source, for the coverage penalty, [B].
        attention: whether to return attention weights too.
        before_step: called before each step; it may raise an exception to stop the search.
        observer: is told what each step did.
    """
    filters, demands = make_filters(settings, rules), None
    if rules.demands:
        demands = Demands.of(rules.demands, rules.spelling, longest.device)
        filters, longest = (Demanded(demands, filters),), demands.lengthen(longest)
    filters = (*first, *filters)
    chooser = make_chooser(settings, longest, keys, demands)
    distinct = settings.beam_groups > 1 and not settings.sample
    endings = [Endings(settings.n_best, distinct) for _ in keys]
    seen, covers = Seen(positions), settings.coverage_penalty > 0
    by_host = bool(observer or rules.demands or rules.banned)  # which reads every step
    looking = make_looking(endings, longest, seen, settings, each_step=by_host)
    live = Live.begin(longest)
    while len(live.numbers):
        before_step()
        step = model.step(live.last, state, attention=attention or covers)
        seen.add(step)
        log_probs = log_softmax(step.logits.float()).view(*live.scores.shape, -1)
        for rule in filters:
            log_probs = rule(log_probs, live)
        chosen = chooser.choose(log_probs, live)
        looking.see(live, chosen.ended, log_probs)
        if observer:
            observer.see(live, log_probs, chosen, endings)
        state = step.state.reorder(_rows(live, chosen.live))
        live = live.grow(chosen.live, log_probs)
        kept = looking.keep(live)
        if kept is not None:
            live, state = live.keep(kept), state.keep(kept)
    shown = seen if attention else Seen()
    return [tuple(make_hypothesis(one, shown) for one in found.best()) for found in endings]


def _keys(source: Tensor, lengths: Tensor) -> Keys:
    """Return what identifies each source: its tokens, or a digest of its sound or picture."""
    rows = [row[:length] for row, length in zip(source.cpu(), lengths.tolist(), strict=True)]
    if source.dtype in (torch.int32, torch.int64):
        return [row.tolist() for row in rows]
    return [list(hashlib.sha256(row.numpy().tobytes()).digest()) for row in rows]


def make_chooser(
    settings: SearchSettings, longest: Tensor, keys: Keys, demands: Demands | None = None
) -> Chooser:
    """Return a beam or a sampler, as the settings say."""
    if not settings.sample:
        return make_beam(settings, demands)
    draws = make_draws(settings.seed, keys, settings.n_best, longest.tolist())
    return Sampler(settings, draws.to(longest.device))


def _rows(live: Live, chosen: Candidates) -> Tensor:
    """Return the row in the batch of the hypothesis that each continuation extends, [B x K']."""
    count, beam = live.scores.shape
    offsets = torch.arange(count, device=chosen.parent.device) * beam
    return (offsets[:, None] + chosen.parent).flatten()
