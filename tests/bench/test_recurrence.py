"""Recurrent layers in training: ours, and PyTorch's for packed and for padded sequences.

    pytest -m bench tests/bench/test_recurrence.py -s

prints JSON: medians of the CPU seconds of interleaved rounds, forwards and backwards, and PyTorch's
over ours in the same round. The layers are those of a bidirectional encoder. PyTorch's layers for
padded sequences, one call for all steps, read the padding too, so that their states differ.
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from s2scli.model.recurrence import Cell, make_recurrence, run_packed
from tests.bench.race import median_ratio
from tests.bench.showing import show

ROUNDS = int(os.environ.get("S2S_BENCH_ROUNDS", "7"))
SHAPES = {  # sequences, steps, inputs, units
    "documents": (14, 290, 128, 256),
    "sentences": (100, 30, 256, 256),
    "sentences, wide": (128, 25, 256, 512),
}

Run = Callable[[], Tensor]


def contenders(cell: Cell, shape: Sequence[int]) -> dict[str, Run]:
    """Return functions that run the same layers over the same sequences."""
    rows, steps, inputs, units = shape
    torch.manual_seed(0)
    layers = make_recurrence(cell, inputs, units, 1, bidirectional=True, dropout=0.0)
    values = torch.randn(rows, steps, inputs, requires_grad=True)
    lengths = torch.linspace(0.8 * steps, steps, rows).long()

    def packed() -> PackedSequence:
        return pack_padded_sequence(values, lengths, batch_first=True, enforce_sorted=False)

    return {
        "s2s": lambda: run_packed(layers, packed())[0].data,
        "packed": lambda: layers(packed())[0].data,
        "padded": lambda: layers(values)[0],
    }


def seconds(run: Run, precision: torch.dtype) -> float:
    """Return the CPU seconds of one pass forwards and backwards."""
    began = time.process_time()
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        outputs = run()
    torch.autograd.backward(outputs.float().sum())
    return time.process_time() - began


@pytest.mark.bench
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_how_long_recurrent_layers_take(cell: Cell, shape: str, precision: torch.dtype) -> None:
    runs = contenders(cell, SHAPES[shape])
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(ROUNDS + 1):
        for name, run in runs.items():
            spent = seconds(run, precision)
            if number:  # the first is to warm up
                times[name].append(spent)
    show(
        {
            "cell": cell,
            "shape": shape,
            "precision": str(precision).removeprefix("torch."),
            "seconds": {name: round(statistics.median(some), 4) for name, some in times.items()},
            "over ours": {
                name: round(median_ratio(times[name], times["s2s"]), 2)
                for name in ("packed", "padded")
            },
        }
    )
