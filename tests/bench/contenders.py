"""Who trains: s2s or a peer, each alone in a process, as many updates at a time as it is told.

    python -m tests.bench.contenders '{"name": "s2s", "recipe": "transformer", ...}'

reads numbers of updates from stdin, one a line, and answers each with a line of JSON.
S2S_BENCH_DEVICE (cpu) is the device of all. On a GPU the phases say when the host asked for work;
only the time of a whole turn, at whose end the host waits, is that of the device.
"""

import functools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ParamSpec, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from s2scli.config import Recipe, load_recipe
from s2scli.model.kernels import linear, machine
from s2scli.model.kernels.allocation import keep_freed_memory
from s2scli.model.seq2seq import Seq2Seq, pick_device
from s2scli.special_ids import PAD_ID
from s2scli.training import loop, update
from s2scli.training.epochs import TrainingBatches
from s2scli.training.progress import Progress
from tests.bench.pairs import Corpus, bench_corpus, first_batches
from tests.bench.peers import Marian, TorchLSTM, TorchTransformer

RECIPES = Path(__file__).parent / "recipes"
SHAPES: dict[str, tuple[str, tuple[str, ...]]] = {
    "transformer": ("transformer", ()),
    "lstm-before": ("lstm", ()),
    "lstm-after": ("lstm", ("model.decoder.attend=after",)),
    "lstm-dot": ("lstm", ("model.decoder.attend=after", "model.attention.kind=scaled_dot")),
}
QUIET = ("log_every", "validate_every", "save_every")  # the events of a run that are not timed
NEVER = 10**9
DEVICE = pick_device(os.environ.get("S2S_BENCH_DEVICE", "cpu"))
SQUARE = 2048  # rows of the matrices whose product shows what the machine can do

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Entry:
    """One contender.

    Attributes:
        name: a key of CONTENDERS.
        recipe: a key of SHAPES, or a built-in recipe.
        precision: float32 or bfloat16.
        updates: how many it will be asked for in all.
    """

    name: str
    recipe: str
    precision: str
    updates: int


@dataclass(frozen=True)
class Lap:
    """What some updates took.

    Attributes:
        amount: target tokens, padding not counted (of a matrix product: operations).
        seconds: by the clock.
        cpu_seconds: of all threads of the process.
        phases: seconds by the clock, by what was done.
        resident_mb: memory of the device that the process holds now.
        peak_mb: the most it has held, over its whole life.
    """

    amount: int
    seconds: float
    cpu_seconds: float
    phases: Mapping[str, float]
    resident_mb: float
    peak_mb: float


@dataclass
class Stopwatch:
    """Adds up the time inside some functions; one inside another belongs to the outer one."""

    seconds: dict[str, float] = field(default_factory=dict)
    inside: bool = False

    def timed(self, name: str, function: Callable[P, R]) -> Callable[P, R]:
        """Return the function, timed."""

        @functools.wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            if self.inside:
                return function(*args, **kwargs)
            self.inside, start = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.inside = False
                passed = time.perf_counter() - start
                self.seconds[name] = self.seconds.get(name, 0.0) + passed

        return timed


class Contender(Protocol):
    """Someone who trains."""

    watch: Stopwatch

    def train(self, updates: int) -> int:
        """Make some updates; return their real target tokens."""
        ...


class S2S:
    """The package's own loop, from encoded pairs to new weights."""

    def __init__(self, recipe: Recipe, corpus: Corpus, updates: int) -> None:
        self.watch = Stopwatch()
        settings = recipe.training
        size = corpus.vocab_size
        model = Seq2Seq(recipe.model, size, size, joint=True).to(DEVICE)
        optimizer = settings.optimizer.build(dict(model.named_parameters()))
        self.run = loop.Run(model, optimizer, settings, recipe.criterion, DEVICE, Progress())
        self.batches = TrainingBatches(corpus.pairs, settings)
        self._time("forward", update, "batch_objective")
        self._time("backward", torch.autograd, "backward")
        self._time("clipping", loop, "normalize")
        self._time("optimizer", optimizer, "step")
        self._time("reading", self.batches, "next")

    def train(self, updates: int) -> int:
        """Make some updates, without validating or saving."""
        run, before = self.run, self.run.progress
        limits = run.settings.limits.model_copy(update={"max_steps": before.step + updates})
        run.settings = run.settings.model_copy(update={"limits": limits})
        for _ in loop.train(run, self.batches, lambda: {"loss": 0.0}, lambda _: None, lambda: 0):
            pass
        assert run.progress.step == before.step + updates and not run.progress.skipped
        return run.progress.logged_tokens - before.logged_tokens

    def _time(self, phase: str, owner: object, name: str) -> None:
        setattr(owner, name, self.watch.timed(phase, getattr(owner, name)))


class Plain:
    """A plain loop around another model, over the same batches, padded beforehand."""

    def __init__(
        self, model: nn.Module, recipe: Recipe, corpus: Corpus, updates: int, *, fused: bool | None
    ) -> None:
        self.watch = Stopwatch()
        self.model, self.settings = model.to(DEVICE).train(), recipe.training
        self.optimizer = torch.optim.Adam(
            model.parameters(), lr=recipe.training.optimizer.learning_rate, fused=fused
        )
        self.batches = first_batches(corpus, recipe.training, updates)
        self.autocast = torch.autocast(
            DEVICE.type, torch.bfloat16, enabled=recipe.training.precision == "bfloat16"
        )
        self.done = 0
        self.forward = self.watch.timed("forward", self._loss)
        self.backward = self.watch.timed("backward", torch.autograd.backward)
        self.step = self.watch.timed("optimizer", self.optimizer.step)

    def train(self, updates: int) -> int:
        """Make some updates."""
        tokens = 0
        for number in range(self.done, self.done + updates):
            self.backward(self.forward(number))
            self.step()
            self.optimizer.zero_grad()
            tokens += int(self.batches[number].target_mask.sum())
        self.done += updates
        return tokens

    def _loss(self, number: int) -> Tensor:
        batch = self.batches[number].to(DEVICE)
        with self.autocast:
            logits = self.model(batch)  # [B, T, V]
        return F.cross_entropy(
            logits.flatten(0, 1).float(),
            batch.target_output.flatten(),
            ignore_index=PAD_ID,
            label_smoothing=self.settings.label_smoothing,
        )


class MatrixProduct:
    """The product of two square matrices: what the machine can do at most.

    Args:
        recipe: its precision is that of the matrices.
        multiply: makes the product.
    """

    def __init__(self, recipe: Recipe, multiply: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.watch, self.multiply = Stopwatch(), multiply
        dtype = torch.bfloat16 if recipe.training.precision == "bfloat16" else torch.float32
        self.left, self.right = (torch.randn(SQUARE, SQUARE).to(DEVICE, dtype) for _ in range(2))

    def train(self, updates: int) -> int:
        """Multiply, five times for each update; return the operations."""
        times = 5 * updates
        for _ in range(times):
            self.multiply(self.left, self.right)
        return times * 2 * SQUARE**3


def plain(
    make: Callable[..., nn.Module], *, tuned: bool, **options: bool
) -> Callable[[Recipe, Corpus, int], Contender]:
    """Return a maker of peers.

    Args:
        make: the model's class.
        tuned: give it what is known to help on a processor: the fused Adam, and a C library that
            keeps freed memory.
        options: of the class.
    """

    def build(recipe: Recipe, corpus: Corpus, updates: int) -> Contender:
        if tuned:
            keep_freed_memory()
        model = make(recipe.model, corpus.vocab_size, **options)
        return Plain(model, recipe, corpus, updates, fused=tuned or None)

    return build


def s2s(recipe: Recipe, corpus: Corpus, updates: int) -> Contender:
    """Return s2s, begun as `s2s train` begins."""
    keep_freed_memory()
    torch.manual_seed(recipe.training.seed)
    return S2S(recipe, corpus, updates)


def s2s_by_torch(recipe: Recipe, corpus: Corpus, updates: int) -> Contender:
    """Return s2s with PyTorch's choice of library for its products, which is that of the peers."""
    by_default = replace(machine.this_machine(), vendor="")
    setattr(machine, "this_machine", lambda: by_default)  # noqa: B010
    return s2s(recipe, corpus, updates)


CONTENDERS: dict[str, Callable[[Recipe, Corpus, int], Contender]] = {
    "s2s": s2s,
    "s2s, torch's products": s2s_by_torch,
    "torch's product": lambda recipe, corpus, updates: MatrixProduct(recipe, torch.matmul),
    "s2s's product": lambda recipe, corpus, updates: MatrixProduct(recipe, linear.multiply),
    "marian": plain(Marian, tuned=False),
    "marian, tuned": plain(Marian, tuned=True),
    "nn.Transformer": plain(TorchTransformer, tuned=False),
    "nn.Transformer, tuned": plain(TorchTransformer, tuned=True),
    "LSTMCell": plain(TorchLSTM, tuned=False),
    "LSTMCell, tuned": plain(TorchLSTM, tuned=True),
    "nn.LSTM, tuned": plain(TorchLSTM, tuned=True, at_once=True),
}


def bench_recipe(name: str, precision: str) -> Recipe:
    """Return a shape of SHAPES, or a built-in recipe, without pauses."""
    file, assignments = SHAPES.get(name, ("", ()))
    path = str(RECIPES / f"{file}.toml") if file else name
    quiet = [f"training.{event}={NEVER}" for event in QUIET]
    common = [f"training.precision={precision}", "training.metric=loss"]
    return load_recipe(path, [*common, *quiet, *assignments])


def go(contender: Contender, updates: int) -> Lap:
    """Make some updates and say what they took."""
    contender.watch.seconds.clear()
    start, cpu_start = time.perf_counter(), time.process_time()
    amount = contender.train(updates)
    if DEVICE.type == "cuda":
        torch.cuda.synchronize(DEVICE)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    phases = dict(contender.watch.seconds)
    return Lap(amount, seconds, cpu_seconds, phases, *memory_mb())


def memory_mb() -> tuple[float, float]:
    """Return the memory held now and at most so far: of the GPU, or of the process without one."""
    if DEVICE.type == "cuda":
        held = (torch.cuda.memory_allocated(DEVICE), torch.cuda.max_memory_allocated(DEVICE))
        return held[0] / 1e6, held[1] / 1e6
    return resident_mb("VmRSS"), resident_mb("VmHWM")


def resident_mb(line: str) -> float:
    """Return the memory held now (VmRSS) or at most so far (VmHWM), in MB of 10^6 bytes.

    Where the system has no /proc, both are the most so far.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
    words = next(row for row in status.read_text().splitlines() if row.startswith(line)).split()
    return int(words[1]) * 1024 / 1e6


def main() -> None:
    """Build one contender and train as it is told."""
    entry = Entry(**json.loads(sys.argv[1]))
    start = time.perf_counter()
    recipe = bench_recipe(entry.recipe, entry.precision)
    contender = CONTENDERS[entry.name](recipe, bench_corpus(), entry.updates)
    facts = {
        "threads": torch.get_num_threads(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "build_seconds": time.perf_counter() - start,
        "device": str(DEVICE) if DEVICE.type == "cpu" else torch.cuda.get_device_name(DEVICE),
        "resident_mb": memory_mb()[0],
    }
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(asdict(go(contender, int(line)))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
