"""What the benchmarks go by: the counts, the shapes that peers share, the figures made of laps."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch import nn

from s2scli.config import Recipe
from s2scli.model.kernels import machine
from s2scli.model.seq2seq import Seq2Seq
from s2scli.special_ids import PAD_ID
from s2scli.training import loop, update
from tests.bench.contenders import (
    CONTENDERS,
    SHAPES,
    Entry,
    Lap,
    Stopwatch,
    bench_recipe,
    go,
    resident_mb,
)
from tests.bench.pairs import Corpus, MadeUpPairs, bench_corpus, first_batches
from tests.bench.peers import Marian, TorchLSTM, TorchTransformer
from tests.bench.race import Length, Outcome, compare, describe, race, rotated
from tests.bench.work import Tokens, Work, count_tokens, count_work, flops_per_target_token
from tests.covering import slow_unless_covering

VOCAB_SIZE = 40


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return Corpus("made up", MadeUpPairs(120, VOCAB_SIZE), VOCAB_SIZE)


def small(shape: str, precision: str = "float32") -> Recipe:
    """A shape of the benchmarks with a sixteenth of the width and small batches."""
    tree = bench_recipe(shape, precision).model_dump(mode="json")
    for part in tree["model"].values():
        if isinstance(part, dict):
            for size in ("embedding_dim", "model_dim", "ffn_dim", "attention_dim"):
                if size in part:
                    part[size] //= 16
    tree["training"] |= {"batch_tokens": 128, "min_batches": 1}
    return Recipe.model_validate(tree)


def matrices(model: nn.Module) -> int:
    """The weights of all matrices that learn, the scoring vector of additive attention left out."""
    return sum(
        weight.numel()
        for weight in model.parameters()
        if weight.requires_grad and weight.dim() == 2 and min(weight.shape) > 1
    )


def own_model(recipe: Recipe) -> Seq2Seq:
    return Seq2Seq(recipe.model, VOCAB_SIZE, VOCAB_SIZE, joint=True)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_count_has_every_matrix_once(shape: str) -> None:
    recipe = small(shape)
    work = count_work(recipe.model, VOCAB_SIZE)
    assert work.source + work.target == matrices(own_model(recipe))


def test_a_count_by_hand() -> None:
    recipe = small("transformer")  # 3 + 3 layers of width 16, inner 64
    work = count_work(recipe.model, VOCAB_SIZE)
    encoder_layer, decoder_layer = 4 * 256 + 2 * 1024, 6 * 256 + 2 * 1024
    assert work == Work(
        source=3 * encoder_layer + 3 * 2 * 256,
        target=3 * decoder_layer + 16 * VOCAB_SIZE,
        source_pairs=96,
        target_pairs=96,
        cross_pairs=96,
    )
    lstm = count_work(small("lstm-before").model, VOCAB_SIZE)  # 2 x 16, 32 with 32 + 16 more in
    assert lstm.source == 2 * 4 * 16 * (16 + 16) + 32 * 32
    assert lstm.target == 4 * 32 * (16 + 32 + 32) + 32 * 32 + 64 * 16 + 16 * VOCAB_SIZE
    assert (lstm.source_pairs, lstm.target_pairs, lstm.cross_pairs) == (0, 0, 64)
    after = count_work(small("lstm-after").model, VOCAB_SIZE)
    assert lstm.target - after.target == 4 * 32 * 32


def test_operations_of_a_target_token() -> None:
    work = Work(source=10, target=100, source_pairs=1, target_pairs=2, cross_pairs=3)
    tokens = Tokens(8, 4, 9, 5, source_pairs=64, target_pairs=10, cross_pairs=32)
    assert flops_per_target_token(work, tokens) == (6 * (20 + 100), 6 * (64 + 20 + 96) / 4)


def test_tokens_are_counted_one_by_one(corpus: Corpus) -> None:
    batches = first_batches(corpus, small("transformer").training, 5)
    tokens = count_tokens(batches)
    places = {"source": 0, "target": 0, "source_pairs": 0, "target_pairs": 0, "cross_pairs": 0}
    for batch in batches:
        for source, target in zip(batch.source.tolist(), batch.target_output.tolist(), strict=True):
            s, t = (sum(token != PAD_ID for token in side) for side in (source, target))
            places["source"] += s
            places["target"] += t
            places["source_pairs"] += s * s
            places["target_pairs"] += sum(range(1, t + 1))
            places["cross_pairs"] += s * t
    assert dataclasses.asdict(tokens) | places == dataclasses.asdict(tokens)
    assert tokens.source_places == sum(batch.source.numel() for batch in batches)
    assert tokens.target_places == sum(batch.target_output.numel() for batch in batches)


def test_the_shapes_are_the_issued_ones() -> None:
    """The work of both yardsticks, in MFLOP for a target token and 0.953 source tokens."""
    tokens = Tokens(953, 1000, 953, 1000, 0, 0, 0)
    for shape, expected in (("transformer", 44.5), ("lstm-before", 38.7)):
        work = count_work(bench_recipe(shape, "float32").model, 8000)
        assert flops_per_target_token(work, tokens)[0] / 1e6 == pytest.approx(expected, abs=0.1)


def peers(shape: str) -> list[str]:
    found = {
        "transformer": ["marian", "marian, tuned", "nn.Transformer", "nn.Transformer, tuned"],
        "lstm-before": ["LSTMCell", "LSTMCell, tuned"],
        "lstm-after": ["LSTMCell", "LSTMCell, tuned", "nn.LSTM, tuned"],
    }
    return found.get(shape, [])


OURS = ("s2s", "s2s, torch's products")
PAIRINGS = [
    {"shape": shape, "name": peer, "precision": precision}
    for shape in SHAPES
    for peer in (*OURS, *peers(shape))
    for precision in ("float32", "bfloat16")
]


@pytest.mark.parametrize(
    ("shape", "name", "precision"),
    [
        pytest.param(*row.values(), marks=marks)
        for row, marks in zip(PAIRINGS, slow_unless_covering(PAIRINGS), strict=True)
    ],
)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_every_contender_learns_from_the_same_tokens(
    shape: str, name: str, precision: str, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("marian"):
        pytest.importorskip("transformers", reason="needs the extra bench")
    for owner, attribute in (  # put back afterwards what a contender times
        (update, "batch_objective"),
        (loop, "normalize"),
        (machine, "this_machine"),
        (torch.autograd, "backward"),
    ):
        monkeypatch.setattr(owner, attribute, getattr(owner, attribute))
    monkeypatch.setattr("tests.bench.contenders.keep_freed_memory", lambda: None)
    recipe = small(shape, precision)
    contender = CONTENDERS[name](recipe, corpus, 6)
    expected = [int(batch.target_mask.sum()) for batch in first_batches(corpus, recipe.training, 6)]
    laps = [go(contender, 2), go(contender, 4)]
    assert [lap.amount for lap in laps] == [sum(expected[:2]), sum(expected[2:])]
    for lap in laps:
        assert {"forward", "backward", "optimizer"} <= lap.phases.keys()
        assert sum(lap.phases.values()) <= lap.seconds
        assert 0 < lap.resident_mb <= lap.peak_mb


@pytest.mark.parametrize(
    ("shape", "peer"),
    [
        ("transformer", Marian),
        ("transformer", TorchTransformer),
        ("lstm-before", TorchLSTM),
        ("lstm-after", TorchLSTM),
    ],
)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_a_peer_has_the_same_matrices(shape: str, peer: type[nn.Module], corpus: Corpus) -> None:
    if peer is Marian:
        pytest.importorskip("transformers", reason="needs the extra bench")
    recipe = small(shape)
    other = peer(recipe.model, VOCAB_SIZE)
    assert matrices(other) == matrices(own_model(recipe))


def test_a_peer_that_goes_at_once_is_the_one_that_goes_step_by_step(corpus: Corpus) -> None:
    recipe = small("lstm-after")
    (batch,) = first_batches(corpus, recipe.training, 1)
    cells = TorchLSTM(recipe.model, VOCAB_SIZE).eval()
    whole = TorchLSTM(recipe.model, VOCAB_SIZE, at_once=True).eval()
    whole.load_state_dict(
        {
            f"{name}_l0" if name.startswith("decoder.") else name: weight
            for name, weight in cells.state_dict().items()
        }
    )
    assert torch.allclose(cells(batch), whole(batch), atol=1e-5)


def test_the_plain_lstm_is_ours(corpus: Corpus) -> None:
    """With our weights it says what our model says."""
    recipe = small("lstm-before")
    (batch,) = first_batches(corpus, recipe.training, 1)
    ours, peer = own_model(recipe).eval(), TorchLSTM(recipe.model, VOCAB_SIZE).eval()
    names = {
        "table.": "target.table.",
        "bias": "output.bias",
        "encoder.": "encoder.recurrence.",
        "query.": "decoder.attention.query.",
        "key.": "decoder.attention.key.",
        "score.": "decoder.attention.weight.",
        "readout.": "decoder.readout.layer.",
    }
    weights = ours.state_dict()

    def own_name(name: str) -> str:
        if name.startswith("decoder."):
            return f"decoder.recurrence.{name.removeprefix('decoder.')}_l0"
        begin = next(begin for begin in names if name.startswith(begin))
        return names[begin] + name.removeprefix(begin)

    peer.load_state_dict({name: weights[own_name(name)] for name in peer.state_dict()})
    with torch.no_grad():
        expected = ours.logits(ours(batch).hidden)
        mask = batch.target_mask
        assert torch.allclose(peer(batch)[mask], expected[mask], atol=1e-5)


def test_an_inner_function_belongs_to_the_outer() -> None:
    watch = Stopwatch()
    inner = watch.timed("inner", lambda: 3)
    outer = watch.timed("outer", lambda: inner() + 1)
    assert outer() == 4
    assert watch.seconds.keys() == {"outer"}
    assert inner() == 3
    assert watch.seconds.keys() == {"outer", "inner"}


def lap(tokens: int, seconds: float, resident_mb: float = 1.0, peak_mb: float = 2.0) -> Lap:
    phases = {"forward": 0.5 * seconds, "backward": 0.25 * seconds, "optimizer": 0.125 * seconds}
    return Lap(tokens, seconds, 2 * seconds, phases, resident_mb, peak_mb)


def outcome(seconds: list[float], peak_mb: float) -> Outcome:
    facts = {
        "build_seconds": 1.0,
        "device": "cpu",
        "float32_matmul_precision": "highest",
        "resident_mb": 1.0,
    }
    laps = [lap(100, passed, 10 * number, peak_mb) for number, passed in enumerate(seconds, 1)]
    return Outcome(facts, lap(100, 9.0), laps)


def test_ratios_are_medians_over_rounds() -> None:
    outcomes = {
        "ours": outcome([1.0, 2.0, 1.0], 30),
        "slow": outcome([4.0, 4.0, 4.0], 20),
        "quick": outcome([2.0, 3.0, 9.0], 40),
    }
    ratios = compare(outcomes, ["ours"])
    assert (ratios["fastest_peer"], ratios["leanest_peer"]) == ("quick", "slow")
    assert ratios["ours"]["times_fastest_peer"] == 2.0  # of 2, 1.5 and 9
    assert ratios["ours"]["times_each_peer"] == {"slow": 4.0, "quick": 2.0}
    assert ratios["ours"]["peak_memory_over_leanest_peer"] == 1.5


def test_a_contender_is_described() -> None:
    described = describe(outcome([1.0, 2.0, 4.0, 4.0, 4.0, 4.0], 30))
    assert described["tokens_per_second"] == 25
    assert described["tokens_per_second_range"] == [25, 100]
    assert described["share_outside_forward_backward_optimizer"] == 0.125
    assert described["memory_mb"] == {
        "before_training": 1,
        "peak": 30,
        "after_thirds": [20, 40, 60],
    }


def test_a_phase_that_nobody_timed_is_an_error() -> None:
    untimed = dataclasses.replace(lap(1, 1), phases={})
    silent = dataclasses.replace(outcome([1.0], 1), laps=[untimed])
    with pytest.raises(AssertionError, match="not all timed"):
        describe(silent)


def test_turns_begin_at_another_one_each_time() -> None:
    assert [rotated(["a", "b", "c"], turn)[0] for turn in range(4)] == ["a", "b", "c", "a"]
    assert rotated(["a", "b", "c"], 1) == ["b", "c", "a"]


@pytest.mark.slow
def test_a_race_of_processes() -> None:
    entry = Entry("torch's product", "transformer", "float32", 2)
    outcomes = race({"a": entry, "b": entry}, Length(1, 1))
    assert {len(each.laps) for each in outcomes.values()} == {1}
    assert outcomes["a"].laps[0].amount == 5 * 2 * 2048**3
    assert outcomes["a"].facts["threads"] >= 1


@pytest.mark.slow
def test_a_contender_that_fails_is_named() -> None:
    with pytest.raises(RuntimeError, match="nobody"):
        race({"a": Entry("nobody", "transformer", "float32", 1)}, Length(1, 1))


def test_memory_is_read() -> None:
    assert 1 < resident_mb("VmRSS") <= resident_mb("VmHWM") < 1e6


def test_made_up_pairs_are_as_long_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("S2S_BENCH_WORKSPACE", raising=False)
    corpus = bench_corpus()
    source_lengths, target_lengths = corpus.pairs.lengths(0, len(corpus.pairs))
    assert target_lengths.mean() == pytest.approx(14.84, rel=0.02)
    assert source_lengths.mean() == pytest.approx(14.33, rel=0.05)
    sources, targets = corpus.pairs.gather(first_rows := torch.arange(50).numpy())
    assert [len(ids) for ids in targets] == target_lengths[first_rows].tolist()
    ids = [int(token) for text in (*sources, *targets) for token in text]
    assert 3 < min(ids) < 20 and 7000 < max(ids) < 8000


def test_a_workspace_is_read(trained_workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2S_BENCH_WORKSPACE", str(trained_workspace))
    assert bench_corpus().vocab_size < 100
