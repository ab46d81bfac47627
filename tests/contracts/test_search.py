"""Laws of the search: a beam of 1 is greedy, a wide beam is exhaustive, batches change nothing."""

import itertools
import math
from dataclasses import dataclass
from typing import cast

import pytest
import torch

from s2scli.data.batch import make_batch, make_source
from s2scli.errors import ConfigError
from s2scli.model.decoder.transformer import TransformerState
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.states import DecoderStep
from s2scli.search.forced import force
from s2scli.search.limits import longest_output
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, load_settings
from s2scli.special_ids import BOS_ID, EOS_ID, PAD_ID
from tests.models import MODELS, each_model, ids, make_model

SOURCES = [ids(4, 5, 6, 7), ids(8, 9), ids(10, 4, 4, 9, 9, 5), ids(5)]


def greedy(model: Seq2Seq, source: list[int], longest: int) -> list[int]:
    """The plain loop: the most probable token, until the end."""
    tokens = torch.tensor([source])
    output: list[int] = []
    state = model.start(model.encode(tokens, torch.tensor([len(source)])))
    last = BOS_ID
    while len(output) < longest:
        step = model.step(torch.tensor([last]), state)
        scores = step.logits[0].clone()
        scores[[PAD_ID, BOS_ID]] = float("-inf")
        state, last = step.state, int(scores.argmax())
        output.append(EOS_ID if len(output) == longest - 1 else last)
        if last == EOS_ID:
            break
    return output


@each_model
def test_a_beam_of_one_is_greedy(tree: Tree) -> None:
    model = make_model(tree)
    source, lengths = make_source(SOURCES)
    settings = SearchSettings(beam_size=1)
    found = search(model, source, lengths, settings)
    for row, length in enumerate(lengths.tolist()):
        longest = longest_output(length, settings)
        assert list(found[row][0].token_ids) == greedy(
            model, source[row, :length].tolist(), longest
        )


@each_model
@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_a_wide_beam_is_exhaustive(tree: Tree, penalty: float) -> None:
    vocab_size, longest = 7, 4
    model = make_model(tree, vocab_size).double()
    source, lengths = make_source([ids(4, 5)])
    words = [token for token in range(vocab_size) if token not in (PAD_ID, BOS_ID, EOS_ID)]
    outputs = [
        (*body, EOS_ID) for size in range(longest) for body in itertools.product(words, repeat=size)
    ]
    scored = []
    for start in range(0, len(outputs), 64):
        some = outputs[start : start + 64]
        batch = make_batch([ids(4, 5)] * len(some), [ids(*body[:-1]) for body in some])
        scored += force(model, batch, penalty)
    best = sorted(scored, key=lambda hypothesis: -hypothesis.score)[:5]
    settings = SearchSettings(
        beam_size=len(outputs), n_best=5, length_penalty=penalty, max_length=longest
    )
    found = search(model, source, lengths, settings)[0]
    assert [hypothesis.token_ids for hypothesis in found] == [each.token_ids for each in best]
    for mine, theirs in zip(found, best, strict=True):
        assert mine.score == pytest.approx(theirs.score, abs=1e-5)
        assert mine.token_scores == pytest.approx(theirs.token_scores, abs=1e-5)


@each_model
def test_a_batch_equals_its_sentences(tree: Tree) -> None:
    model, settings = make_model(tree), SearchSettings(beam_size=4, n_best=3)
    together = search(model, *make_source(SOURCES), settings)
    turned = search(model, *make_source(SOURCES[::-1]), settings)[::-1]
    for row, source in enumerate(SOURCES):
        alone = search(model, *make_source([source]), settings)[0]
        for others in (together[row], turned[row]):
            assert [h.token_ids for h in others] == [h.token_ids for h in alone]
            for mine, theirs in zip(others, alone, strict=True):
                assert mine.score == pytest.approx(theirs.score, abs=1e-4)


@each_model
def test_scores_equal_forced_decoding(tree: Tree) -> None:
    model, settings = (
        make_model(tree).double(),
        SearchSettings(beam_size=3, n_best=3, length_penalty=0.7),
    )
    for source in SOURCES:
        for found in search(model, *make_source([source]), settings)[0]:
            batch = make_batch([source], [ids(*found.token_ids[:-1])])
            forced = force(model, batch, settings.length_penalty)[0]
            assert found.score == pytest.approx(forced.score, abs=1e-4)
            assert found.token_scores == pytest.approx(forced.token_scores, abs=1e-4)
            total = sum(found.token_scores) / len(found.token_ids) ** 0.7
            assert found.score == pytest.approx(total, abs=1e-4)
            if model.attention_shape:
                assert found.attention_weights is not None
                assert forced.attention_weights is not None
                assert found.attention_weights == pytest.approx(forced.attention_weights, abs=1e-5)


@pytest.mark.parametrize("name", ["lstm-before", "transformer-multi_head"])
def test_threads_change_no_output(name: str) -> None:
    model, settings = make_model(MODELS[name]), SearchSettings(beam_size=4, n_best=3)
    threads = torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            outputs = search(model, *make_source(SOURCES), settings)
            found.append([[one.token_ids for one in some] for some in outputs])
    finally:
        torch.set_num_threads(threads)
    assert found[0] == found[1]


@each_model
def test_padding_changes_no_output(tree: Tree) -> None:
    model, settings = make_model(tree), SearchSettings(beam_size=4, n_best=3)
    source, lengths = make_source(SOURCES)
    wider = torch.nn.functional.pad(source, (0, 5), value=PAD_ID)
    found = search(model, source, lengths, settings)
    for row, others in enumerate(search(model, wider, lengths, settings)):
        assert [one.token_ids for one in others] == [one.token_ids for one in found[row]]


@each_model
def test_n_best_are_sorted_and_distinct(tree: Tree) -> None:
    model = make_model(tree)
    for found in search(model, *make_source(SOURCES), SearchSettings(beam_size=8, n_best=8)):
        scores = [hypothesis.score for hypothesis in found]
        assert scores == sorted(scores, reverse=True)
        assert len({hypothesis.token_ids for hypothesis in found}) == len(found)


def test_no_output_is_longer_than_allowed() -> None:
    model = make_model(MODELS["gru-additive-after"])
    with torch.no_grad():
        model.output.bias[EOS_ID] = -100.0
    settings = SearchSettings(beam_size=2, max_length_ratio=1.5)
    found = search(model, *make_source(SOURCES), settings)
    assert [len(each[0].token_ids) for each in found] == [
        math.floor(1.5 * (len(source) + 1)) + 10 for source in SOURCES
    ]


def test_an_output_has_room_for_its_minimum() -> None:
    settings = SearchSettings(min_length=40, max_length_ratio=0.1)
    model = make_model(MODELS["transformer-multi_head"])
    for best, *_ in search(model, *make_source(SOURCES), settings):
        assert len(best.token_ids) == 40


def test_the_memory_is_not_copied_for_the_beam() -> None:
    model = make_model(MODELS["transformer-multi_head"])
    state = model.start(model.encode(*make_source(SOURCES)))
    assert isinstance(state, TransformerState)
    beams = state.reorder(torch.arange(len(SOURCES)).repeat_interleave(5))
    after = model.step(torch.full((5 * len(SOURCES),), 4), beams).state
    assert isinstance(after, TransformerState)
    for memory, first in zip(after.attended, state.attended, strict=True):
        assert memory.keys.data_ptr() == first.keys.data_ptr()
        assert memory.keys.shape[0] == len(SOURCES)


def test_more_answers_than_the_beam_holds_are_refused() -> None:
    with pytest.raises(ConfigError, match="n_best 6 must not be more than beam_size 5"):
        load_settings(SearchSettings, {"beam_size": 5, "n_best": 6}, "test")


@dataclass(frozen=True)
class Steps:
    """The state of `Counting`: the tokens written so far."""

    count: int

    def reorder(self, indices: torch.Tensor) -> "Steps":
        return self

    def keep(self, sentences: torch.Tensor) -> "Steps":
        return self


class Counting:
    """A model that is sure to write token 4 eight times, with the end always its second choice."""

    def encode(self, source: torch.Tensor, lengths: torch.Tensor) -> None:
        return None

    def positions(self, lengths: torch.Tensor) -> torch.Tensor:
        return lengths

    def start(self, encoder_output: None) -> Steps:
        return Steps(0)

    def step(self, token_ids: torch.Tensor, state: Steps, *, attention: bool) -> DecoderStep:
        probs = torch.full((len(token_ids), 8), 0.01)
        probs[:, EOS_ID], probs[:, 4] = (0.04, 0.9) if state.count < 8 else (0.9, 0.04)
        return DecoderStep(probs.log(), Steps(state.count + 1), None)


@pytest.mark.parametrize("beam_size", [1, 2, 5])
def test_poor_endings_do_not_end_the_search(beam_size: int) -> None:
    settings = SearchSettings(beam_size=beam_size)
    found = search(cast(Seq2Seq, Counting()), *make_source(SOURCES), settings)
    assert [best.token_ids for best, *_ in found] == [(4,) * 8 + (EOS_ID,)] * len(SOURCES)
