"""The record of a search: nothing changes, and it holds what the search returned."""

import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.search.beam import expand
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.search.trace import Trace
from s2scli.settings import Tree
from tests.models import MODELS, each_model, ids, make_model

SOURCE = [ids(4, 5, 6, 7)]
LONGEST = 7
SETTINGS = SearchSettings(beam_size=3, n_best=2, max_length=LONGEST)


def tokens_of(trace: Trace, index: int | None) -> tuple[int, ...]:
    tokens: tuple[int, ...] = ()
    while index is not None:
        tokens = (trace.branches[index].token, *tokens)
        index = trace.branches[index].parent
    return tokens


@each_model
def test_an_observed_search_is_the_same_and_its_endings_are_recorded(tree: Tree) -> None:
    model, trace = make_model(tree), Trace()
    expected = search(model, *make_source(SOURCE), SETTINGS, attention=False)
    found = search(model, *make_source(SOURCE), SETTINGS, attention=False, observer=trace)
    assert found == expected
    ended = {
        tokens_of(trace, index): branch
        for index, branch in enumerate(trace.branches)
        if branch.fate == "ended"
    }
    for hypothesis in found[0]:
        branch = ended[hypothesis.token_ids]
        assert branch.score == pytest.approx(hypothesis.score)
        assert branch.log_prob == pytest.approx(sum(hypothesis.token_scores), abs=1e-4)
    assert max(branch.score or -99.0 for branch in ended.values()) == found[0][0].score


def test_every_step_keeps_a_beam_and_records_what_it_pruned() -> None:
    model, trace = make_model(MODELS["transformer-multi_head"]), Trace()
    search(model, *make_source(SOURCE), SETTINGS, observer=trace)
    steps = range(1, trace.branches[-1].step + 1)
    for step in steps:
        at = [branch for branch in trace.branches if branch.step == step]
        kept = [branch for branch in at if branch.fate == "kept"]
        pruned = [branch.log_prob for branch in at if branch.fate == "pruned"]
        if step < LONGEST:
            assert len(kept) == SETTINGS.beam_size
            assert max(pruned, default=-99.0) <= min(branch.log_prob for branch in kept) + 1e-6
        for branch in at:
            if branch.parent is None:
                assert step == 1
                continue
            parent = trace.branches[branch.parent]
            assert (parent.step, parent.fate) == (step - 1, "kept")


def test_the_candidates_are_those_of_the_beam() -> None:
    """At the first step: the best continuations of the empty hypothesis, twice the beam."""
    model, trace = make_model(MODELS["gru-additive-after"]), Trace()
    search(model, *make_source(SOURCE), SETTINGS, observer=trace)
    with torch.inference_mode():
        source, lengths = make_source(SOURCE)
        step = model.step(torch.tensor([2]), model.start(model.encode(source, lengths)))
        log_probs = step.logits.log_softmax(-1)
        log_probs[:, [0, 2]] = float("-inf")
        best = expand(torch.zeros(1, 1), log_probs[:, None], SETTINGS.beam_size)
    first = {branch.token for branch in trace.branches if branch.step == 1}
    assert first == set(best.token[0].tolist())
