"""Constrained beam search: equal to exhaustive search, and no demand is ever missed."""

import re

import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.model.seq2seq import Seq2Seq
from s2scli.search.constrained import _turn
from s2scli.search.demands import is_met
from s2scli.search.loop import search
from s2scli.search.rules import Demand, Phrase, Rules
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree
from s2scli.special_ids import EOS_ID
from tests.models import MODELS, each_model, ids, make_model
from tests.search.exhaustive import (
    SOURCE,
    SPELLING,
    VOCAB_SIZE,
    all_outputs,
    best_where,
    text_of,
    tiny_model,
    wide,
    would_end,
)

A, B, C, ONE = 4, 5, 6, 7
PHRASES = {
    "a": Phrase(((A,),)),
    "ab c": Phrase(((A, B, C),)),
    "c c": Phrase(((C,),), times=2),
    "1": Phrase(((ONE,), (A, ONE))),
    "exact": Phrase(((C,),), exact=True),
}


def count(text: str, phrase: Phrase) -> int:
    """How often a phrase stands in a text by itself, in any of its spellings."""
    ends = set()
    for way in phrase.spellings:
        written = text_of(way)
        before = r"(?<!\w)" if written[0].isalnum() else ""
        after = r"(?!\w)" if written[-1].isalnum() else ""
        ends |= {
            m.start(1) + len(written) for m in re.finditer(f"(?={before}({written}){after})", text)
        }
    return len(ends)


def allowed(tokens: tuple[int, ...], demand: Demand) -> bool:
    if tokens[: len(demand.prefix)] != demand.prefix:
        return False
    text = text_of(tokens)
    return all(
        count(text, each) == each.times if each.exact else count(text, each) >= each.times
        for each in demand.phrases
    )


def rambles(model: Seq2Seq, tokens: tuple[int, ...], demand: Demand) -> bool:
    """Whether the model would have ended, a phrase was missing, and no phrase came next."""
    for at, ends in enumerate(would_end(model, tokens)[: len(tokens)]):
        begun = tokens[:at]
        missing = [e for e in demand.phrases if count(text_of(begun), e) < e.times]
        if at < len(demand.prefix) or not ends or not missing:
            continue
        if tokens[at] not in {token for each in missing for token in following(begun, each)}:
            return True
    return False


def following(begun: tuple[int, ...], phrase: Phrase) -> set[int]:
    """The tokens that begin or continue a phrase after some tokens."""
    found = set()
    for way in phrase.spellings:
        sizes = [n for n in range(1, len(way)) if begun[-n:] == way[:n] and len(begun) >= n]
        for size in (0, max(sizes, default=0)):
            before, glues = text_of(begun[: len(begun) - size])[-1:], text_of(way)[0].isalnum()
            if not (before.isalnum() and glues):
                found.add(way[size])
    return found


DEMANDS = [
    Demand(phrases=(PHRASES["a"],)),
    Demand(phrases=(PHRASES["ab c"],)),
    Demand(phrases=(PHRASES["c c"], PHRASES["a"])),
    Demand(phrases=(PHRASES["1"],)),
    Demand(phrases=(PHRASES["exact"], PHRASES["a"])),
    Demand((B, C)),
    Demand((C,), (PHRASES["a"], PHRASES["1"])),
    Demand(),
]


@pytest.mark.parametrize("name", ["gru-additive-after", "transformer-multi_head"])
def test_a_wide_beam_finds_the_best_outputs_that_meet_the_demands(name: str) -> None:
    model = tiny_model(name)
    outputs = all_outputs(model)
    for demand in DEMANDS:
        rules = Rules([demand], None, SPELLING)
        (found,) = search(model, *make_source([SOURCE]), wide(), rules=rules)

        def fits(body: tuple[int, ...], own: Demand = demand) -> bool:
            return allowed(body, own) and not rambles(model, body, own)

        expected = best_where(outputs, fits, 5)
        assert [one.token_ids[:-1] for one in found] == expected, demand
        scores = {one.token_ids: one.score for one in outputs}
        for one in found:
            assert one.score == pytest.approx(scores[one.token_ids], abs=1e-5)


def some_demands() -> list[Demand]:
    """One demand for each of four sources; the last one demands nothing."""
    first = Phrase(((A, ONE), (ONE,)))
    return [
        Demand((C, B), (Phrase(((A, B, C),)), Phrase(((C, C),)))),
        Demand(phrases=(first, Phrase(((C,),), exact=True))),
        Demand(phrases=(Phrase(((A, A, C, A, C, C),), times=2),)),
        Demand(),
    ]


SOURCES = [ids(4, 5, 6, 7), ids(7, 7), ids(6, 4, 4, 7, 7, 5), ids(5)]


@each_model
@pytest.mark.parametrize("beam_size", [1, 3])
def test_every_output_meets_its_demand_within_its_length(tree: Tree, beam_size: int) -> None:
    model, demands = make_model(tree, VOCAB_SIZE), some_demands()
    settings = SearchSettings(beam_size=beam_size, n_best=beam_size, max_length=6)
    rules = Rules(demands, None, SPELLING)
    for demand, found in zip(
        demands, search(model, *make_source(SOURCES), settings, rules=rules), strict=True
    ):
        assert found
        for one in found:
            assert one.token_ids[-1] == EOS_ID and allowed(one.token_ids[:-1], demand)
            assert is_met(one.token_ids, demand, SPELLING)
            longest = max(
                6,
                len(demand.prefix) + sum(len(e.spellings[0]) * e.times for e in demand.phrases) + 1,
            )
            assert len(one.token_ids) <= longest


@pytest.mark.parametrize("name", ["gru-additive-after", "transformer-multi_head"])
def test_the_batch_changes_no_output(name: str) -> None:
    model, demands = make_model(MODELS[name], VOCAB_SIZE).double(), some_demands()
    settings = SearchSettings(beam_size=3, n_best=2, max_length=9)
    together = search(model, *make_source(SOURCES), settings, rules=Rules(demands, None, SPELLING))
    turned = search(
        model, *make_source(SOURCES[::-1]), settings, rules=Rules(demands[::-1], None, SPELLING)
    )[::-1]
    for row, (source, demand) in enumerate(zip(SOURCES, demands, strict=True)):
        rules = Rules([demand], None, SPELLING) if demand != Demand() else Rules()
        (alone,) = search(model, *make_source([source]), settings, rules=rules)
        for others in (together[row], turned[row]):
            assert [one.token_ids for one in others] == [one.token_ids for one in alone]


def test_a_demand_is_met_whatever_the_other_rules_forbid() -> None:
    model = make_model(MODELS["gru-additive-after"], VOCAB_SIZE)
    demand = Demand((C, C), (Phrase(((A, A),), times=2),))
    settings = SearchSettings(beam_size=2, no_repeat_ngram=1, min_length=9, repetition_penalty=9.0)
    ((best, *_),) = search(
        model, *make_source([SOURCE]), settings, rules=Rules([demand], None, SPELLING)
    )
    assert allowed(best.token_ids[:-1], demand)


def test_samples_begin_with_the_prefix() -> None:
    model = make_model(MODELS["gru-additive-after"], VOCAB_SIZE)
    settings = SearchSettings(sample=True, n_best=20)
    rules = Rules([Demand((C, B))], None, SPELLING)
    (found,) = search(model, *make_source([SOURCE]), settings, rules=rules)
    assert {one.token_ids[:2] for one in found} == {(C, B)}
    assert len({one.token_ids for one in found}) > 1


def test_memory_does_not_grow_with_the_square_of_the_candidates() -> None:
    """Pairs of a million candidates would need a terabyte."""
    score = torch.arange(1_000_000, 0, -1.0)[None]
    turns = _turn(score, torch.arange(1_000_000)[None] % 5)
    assert torch.equal(turns[0], torch.arange(1_000_000) // 5)
    score, bank = torch.tensor([[3.0, 9.0, 3.0, 5.0]]), torch.tensor([[1, 1, 1, 0]])
    assert _turn(score, bank).tolist() == [[1, 0, 2, 0]]
