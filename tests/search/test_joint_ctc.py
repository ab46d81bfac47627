"""Joint decoding against all paths of the CTC layer."""

import itertools
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.search.joint_ctc import FLOOR, JointCtc
from s2scli.search.live import Candidates, Live
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.settings import load_settings
from s2scli.special_ids import EOS_ID, PAD_ID
from tests.models import VOCAB_SIZE, model_tree

SYMBOLS = 6  # four special ones, of which the blank is one, and two more
SPOKEN = (4, 5)


def random_log_probs(states: int, seed: int) -> Tensor:
    """Return log-probabilities of the blank and of two tokens; the others have none."""
    logits = torch.randn(states, SYMBOLS, generator=torch.Generator().manual_seed(seed)).double()
    logits[:, 1:4] = -1e6
    return logits.log_softmax(-1)


def probabilities(log_probs: Tensor) -> dict[tuple[int, ...], float]:
    """Return the probability of each output, by adding up all paths."""
    found: dict[tuple[int, ...], float] = {}
    symbols = (PAD_ID, *SPOKEN)
    for path in itertools.product(symbols, repeat=len(log_probs)):
        output = tuple(symbol for symbol, _ in itertools.groupby(path) if symbol != PAD_ID)
        probability = float(log_probs[range(len(path)), path].sum().exp())
        found[output] = found.get(output, 0.0) + probability
    return found


def extended(live: Live, tokens: Sequence[int]) -> Live:
    """Return one hypothesis per sentence, extended by its token."""
    token = torch.tensor(tokens)[:, None]
    chosen = Candidates(torch.zeros(len(tokens), 1), token, torch.zeros_like(token))
    return live.grow(chosen, torch.zeros(len(tokens), 1, SYMBOLS))


def next_tokens(log_probs: Sequence[Tensor], outputs: Sequence[Sequence[int]]) -> Tensor:
    """Return what the rule says of the next token of each output, [B, V]."""
    states = torch.tensor([len(rows) for rows in log_probs])
    padded = torch.nn.utils.rnn.pad_sequence([*log_probs], batch_first=True)
    rule, live = JointCtc(padded, states, 1.0), Live.begin(torch.full((len(outputs),), 99))
    nothing = torch.zeros(len(outputs), 1, SYMBOLS, dtype=torch.float64)
    for tokens in zip(*outputs, strict=True):
        rule(nothing, live)
        live = extended(live, tokens)
    return rule(nothing, live)[:, 0]


@pytest.mark.parametrize("states", [1, 2, 3, 5])
@pytest.mark.parametrize("output", [(), (4,), (4, 5), (4, 4), (5, 4, 5), (5, 5, 4)], ids=str)
def test_the_next_token_has_the_probability_of_all_its_paths(
    states: int, output: tuple[int, ...]
) -> None:
    log_probs = random_log_probs(states, seed=states)
    of_output = probabilities(log_probs)

    def beginning(prefix: tuple[int, ...]) -> float:
        return sum(p for text, p in of_output.items() if text[: len(prefix)] == prefix)

    found = next_tokens([log_probs], [output])[0]
    if not beginning(output):
        assert (found == FLOOR).all()
        return
    expected = {token: beginning((*output, token)) for token in SPOKEN}
    expected[EOS_ID] = of_output.get(output, 0.0)
    for token, probability in expected.items():
        assert found[token].exp() == pytest.approx(probability / beginning(output), abs=1e-12)


def test_padding_and_the_rest_of_the_batch_change_nothing() -> None:
    many = [random_log_probs(states, states) for states in (2, 7, 4)]
    outputs = [(4, 5), (5, 5), (4, 4)]
    together = next_tokens(many, outputs)
    for row, (log_probs, output) in enumerate(zip(many, outputs, strict=True)):
        alone = next_tokens([log_probs], [output])[0]
        torch.testing.assert_close(together[row].clamp(min=-99), alone.clamp(min=-99))


@pytest.mark.parametrize("output", [(4,), (4, 5), (4, 4), (4, 5, 5)], ids=str)
def test_padding_makes_no_room_for_an_output_longer_than_its_states(
    output: tuple[int, ...],
) -> None:
    many = [random_log_probs(states, states) for states in (1, 8)]
    together = next_tokens(many, [output, output])
    alone = next_tokens(many[:1], [output])
    torch.testing.assert_close(together[:1], alone)
    assert (alone == FLOOR).all() or len(output) == 1


def test_long_recordings_lose_no_precision() -> None:
    log_probs = random_log_probs(3000, seed=1)
    tokens = (4, 5, 4) * 60
    target = torch.tensor([tokens])
    loss = torch.nn.functional.ctc_loss(
        log_probs[:, None], target, torch.tensor([3000]), torch.tensor([180]), reduction="sum"
    )
    states = torch.tensor([len(log_probs)])
    rule, live = JointCtc(log_probs[None], states, 1.0), Live.begin(torch.tensor([999]))
    nothing = torch.zeros(1, 1, SYMBOLS, dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for token in (*tokens, EOS_ID):
        total += rule(nothing, live)[0, 0, token]
        live = extended(live, [token])
    torch.testing.assert_close(-total, loss)


def make_model() -> Seq2Seq:
    torch.manual_seed(3)
    settings = load_settings(ModelSettings, {**model_tree(), "ctc_weight": 0.5}, "test")
    return Seq2Seq(settings, VOCAB_SIZE, VOCAB_SIZE, joint=False).eval()


def best(model: Seq2Seq, rows: Sequence[Sequence[int]], weight: float) -> list[tuple[int, ...]]:
    """Return the best output of each source by an almost exhaustive search."""
    lengths = torch.tensor([len(row) for row in rows])
    source = torch.full((len(rows), int(lengths.max())), PAD_ID)
    for row, ids in enumerate(rows):
        source[row, : len(ids)] = torch.tensor(ids)
    settings = SearchSettings(beam_size=400, ctc_weight=weight, length_penalty=0, max_length=4)
    return [found[0].token_ids for found in search(model, source, lengths, settings)]


def test_with_all_the_weight_the_search_finds_the_best_output_of_the_layer() -> None:
    model, row = make_model(), [4, 7, 5, EOS_ID]
    with torch.inference_mode():
        encoded = model.encode(torch.tensor([row]), torch.tensor([len(row)]))
        log_probs = model.ctc_log_probs(encoded).transpose(0, 1)  # [S, 1, V]

    def probability(output: tuple[int, ...]) -> float:
        loss = torch.nn.functional.ctc_loss(
            log_probs,
            torch.tensor([output]),
            torch.tensor([len(row)]),
            torch.tensor([len(output)]),
            reduction="sum",
        )
        return float(-loss)

    tokens = [token for token in range(VOCAB_SIZE) if token not in (PAD_ID, 2, EOS_ID)]
    outputs = [o for size in range(1, 4) for o in itertools.product(tokens, repeat=size)]
    assert best(model, [row], 1.0) == [(*max(outputs, key=probability), EOS_ID)]


def test_the_weight_is_felt_and_batches_are_not() -> None:
    model, rows = make_model(), [[4, 7, 5, EOS_ID], [6, EOS_ID], [5, 6, 7, 4, 4, EOS_ID]]
    for weight in (0.3, 1.0):
        together = best(model, rows, weight)
        assert together == [best(model, [row], weight)[0] for row in rows]
    assert best(model, rows, 1.0) != best(model, rows, 0.0)
