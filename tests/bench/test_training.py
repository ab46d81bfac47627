"""Target tokens a second, share of the machine's peak, and memory: s2s and its peers.

    pytest -m bench tests/bench/test_training.py -s
    pytest -m bench tests/bench/test_training.py -s -k "transformer and float32"

prints one JSON document for each table. Contenders have the same shape, the same batches and the
same threads (OMP_NUM_THREADS), each a process of its own; they take turns. S2S_BENCH_WORKSPACE
names a workspace with an encoded corpus of a joint vocabulary; else the pairs are made up.
S2S_BENCH_DEVICE (cpu) is where all train, such as cuda.
S2S_BENCH_ROUNDS (9) and S2S_BENCH_UPDATES (4, a turn) say how long.
"""

import importlib.metadata

import pytest

from tests.bench.contenders import Entry
from tests.bench.race import (
    PRODUCTS,
    against_the_machine,
    compare,
    describe,
    race,
    race_length,
    setting,
)
from tests.bench.showing import show

PEERS = {
    "transformer": ("marian", "marian, tuned", "nn.Transformer, tuned"),
    "lstm-before": ("LSTMCell", "LSTMCell, tuned"),
    "lstm-after": ("LSTMCell", "LSTMCell, tuned", "nn.LSTM, tuned"),
}
EXTRA = {"lstm-after": {"s2s, scaled dot-product attention": "lstm-dot"}}
RECIPES = ("lstm-attention", "bahdanau2015", "luong2015", "transformer-tiny")
pytestmark = [pytest.mark.bench, pytest.mark.timeout(0)]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", PEERS)
def test_against_peers(shape: str, precision: str) -> None:
    versions = {}
    if any(name.startswith("marian") for name in PEERS[shape]):
        pytest.importorskip("transformers", reason='needs the peer: pip install -e ".[bench]"')
        versions["transformers"] = importlib.metadata.version("transformers")
    length = race_length()
    own = {"s2s": shape, **EXTRA.get(shape, {})}
    contenders = {
        **{label: ("s2s", recipe) for label, recipe in own.items()},
        "s2s, torch's products": ("s2s, torch's products", shape),
        **{name: (name, shape) for name in (*PEERS[shape], *PRODUCTS)},
    }
    entries = {
        label: Entry(name, recipe, precision, length.total)
        for label, (name, recipe) in contenders.items()
    }
    outcomes = race(entries, length)
    trained = {label: each for label, each in outcomes.items() if label not in PRODUCTS}
    table = {
        "table": f"{shape} {precision}",
        **setting(outcomes, length),
        **versions,
        **against_the_machine(shape, precision, length, outcomes),
        **compare(trained, [label for label in trained if label not in PEERS[shape]]),
        "contenders": {label: describe(outcome) for label, outcome in trained.items()},
    }
    show(table)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_recipes(precision: str) -> None:
    """What a user of the built-in recipes gets; their shapes differ, and there is no peer."""
    length = race_length()
    entries = {name: Entry("s2s", name, precision, length.total) for name in RECIPES}
    outcomes = race(entries, length)
    described = {label: describe(outcome) for label, outcome in outcomes.items()}
    table = {"table": f"recipes {precision}", **setting(outcomes, length), "contenders": described}
    show(table)
