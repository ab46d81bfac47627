"""Every recipe, and every encoder with every decoder and attention, learns its first tasks.

The tasks are to copy, to reverse and to sort; what counts is exact sequences that were not in
training. The shape of each recipe is kept (cells, layers, attention, connection, order); widths
are made small, so that the proof takes seconds.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.config import CRITERIA, Recipe, load_recipe, recipe_names
from s2scli.data.encoded import pad_ids
from s2scli.model.combinations import Combination, every_combination
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.search.loop import search
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree, load_settings
from s2scli.special_ids import EOS_ID
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Validation
from s2scli.training.freezing import trainable
from s2scli.training.loop import Run, train
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings

Ids = NDArray[np.int32]
FIRST, SYMBOLS = 4, 8
SOLVED = 0.99  # of the sequences that were not in training
TASKS: dict[str, Callable[[Ids], Ids]] = {
    "copy": np.copy,
    "reverse": lambda ids: ids[::-1].copy(),
    "sort": np.sort,
}
TRAINING: Tree = {
    "batch_tokens": 512,
    "label_smoothing": 0.0,
    "precision": "float32",
    "metric": "exact_match",
}


# Norms after the sublayers of a deep stack want a longer warm-up (Xiong et al. 2020), and time.
NORMS_AFTER: Tree = {
    "accumulate": 1,
    "batch_tokens": 1024,
    "label_smoothing": 0.1,
    "limits": {"max_steps": 6000, "patience": 0},
    "optimizer": {"kind": "adam", "learning_rate": 0.0005, "beta2": 0.98},
    "schedule": {"kind": "inverse_sqrt", "warmup_steps": 500},
}
SLOW = (pytest.mark.slow, pytest.mark.timeout(1800))


@dataclass(frozen=True)
class Pairs:
    """Pairs in memory, read as training reads a corpus."""

    sources: list[Ids]
    targets: list[Ids]

    def __len__(self) -> int:
        return len(self.sources)

    def lengths(self, begin: int, end: int) -> tuple[Ids, Ids]:
        sides = self.sources[begin:end], self.targets[begin:end]
        sources, targets = (np.array([len(ids) for ids in side], np.int32) for side in sides)
        return sources, targets

    def release(self) -> None:
        pass

    pad = staticmethod(pad_ids)

    def gather(self, rows: NDArray[np.int64]) -> tuple[list[Ids], list[Ids]]:
        return [self.sources[row] for row in rows], [self.targets[row] for row in rows]


def make_pairs(sources: list[Ids], task: str) -> Pairs:
    return Pairs(sources, [TASKS[task](ids) for ids in sources])


def draw(count: int, longest: int) -> tuple[list[Ids], list[Ids]]:
    """Random sequences to train with, and some that are not among them."""
    random = np.random.default_rng(0)
    lengths = random.integers(1, longest + 1, count + 300)
    drawn = [random.integers(FIRST, FIRST + SYMBOLS, n).astype(np.int32) for n in lengths]
    seen = {tuple(ids) for ids in drawn[:count]}
    return drawn[:count], [ids for ids in drawn[count:] if tuple(ids) not in seen]


def enumerate_all(symbols: int, longest: int) -> tuple[list[Ids], list[Ids]]:
    """Every sequence there is: four fifths to train with, and the others."""
    every = [
        np.array(ids, dtype=np.int32)
        for length in range(1, longest + 1)
        for ids in itertools.product(range(FIRST, FIRST + symbols), repeat=length)
    ]
    order = np.random.default_rng(0).permutation(len(every)).tolist()
    return [every[i] for i in order[len(every) // 5 :]], [
        every[i] for i in order[: len(every) // 5]
    ]


def exact_match(model: Seq2Seq, pairs: Pairs) -> float:
    source, lengths = pad_ids(pairs.sources)
    found = search(model.eval(), source, lengths, SearchSettings(beam_size=1))
    right = [
        [token for token in best.token_ids if token != EOS_ID] == target.tolist()
        for (best, *_), target in zip(found, pairs.targets, strict=True)
    ]
    return float(np.mean(right))


def learn(
    settings: ModelSettings, training: TrainingSettings, pairs: Pairs, unseen: Pairs
) -> float:
    """Train until the task is solved or a limit is reached; return the best exact match."""
    torch.manual_seed(0)
    model = Seq2Seq(settings, FIRST + SYMBOLS, FIRST + SYMBOLS, joint=True)
    optimizer = training.optimizer.build(trainable(model))
    criterion = CRITERIA[training.metric]
    run = Run(model, optimizer, training, criterion, torch.device("cpu"), Progress())
    best = 0.0
    for event in train(
        run,
        TrainingBatches(pairs, training),
        lambda: {"exact_match": exact_match(model, unseen)},
        lambda progress: None,
        lambda: 0,
    ):
        if isinstance(event, Validation):
            best = max(best, event.scores["exact_match"])
        if best >= SOLVED:
            break
    return best


def narrow(recipe: Recipe) -> Recipe:
    """Return the recipe with small widths and nothing random, everything else as it is."""
    tree = recipe.model_dump(mode="json")
    model = tree["model"]
    for side in ("source", "target"):
        model[side] |= {"embedding_dim": 32, "dropout": 0.0}
    transforms = model["encoder"]["kind"] == "transformer"
    attends = model["attention"]["kind"] != "none"
    soon = attends and not transforms  # may be narrower, and learns faster
    for side in ("encoder", "decoder"):
        model[side] |= {"model_dim": 64 if soon else 96, "dropout": 0.0}
        model[side] |= {"ffn_dim": 192} if transforms else {}
    model["encoder"]["model_dim"] //= 2 if model["encoder"].get("bidirectional") else 1
    model["decoder"] |= {} if transforms else {"readout_dim": None}
    if "attention_dim" in model["attention"]:
        model["attention"]["attention_dim"] = 48
    rate = 0.001 if transforms else 0.006 if attends else 0.002
    tree["training"] |= {
        **TRAINING,
        "validate_every": 50 if soon else 250,
        "limits": {"max_steps": 3000 if attends else 6000, "patience": 0},
        "optimizer": {"kind": "adam", "learning_rate": rate},
        "schedule": {"kind": "inverse_sqrt", "warmup_steps": 100 if soon else 300},
        "noise": {},
        "target_token_dropout": 0.0,
        "kl": {"annealing": {"kind": "constant", "beta": 0.0}},
    }
    if transforms and not model["encoder"]["norm_first"]:
        tree["training"] |= NORMS_AFTER
    return load_settings(Recipe, tree, "test")


QUICK = (("default", "copy"), ("tiny", "reverse"), ("tiny", "sort"))


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(name, task, marks=() if (name, task) in QUICK else SLOW)
        for name in recipe_names()
        if load_recipe(name).model.source.kind == "tokens"
        and not load_recipe(name).model.copies  # see test_learns_copying.py
        for task in TASKS
    ],
)
def test_every_recipe_learns(name: str, task: str) -> None:
    recipe = narrow(load_recipe(name))
    attends = recipe.model.attention.kind != "none"
    seen, unseen = draw(4000, 6) if attends else enumerate_all(SYMBOLS, 4)  # what a vector holds
    pairs, others = make_pairs(seen, task), make_pairs(unseen, task)
    assert learn(recipe.model, recipe.training, pairs, others) >= SOLVED


def plain(attention: str, choices: dict[str, str | bool]) -> bool:
    """Whether attention is alone in showing the source; without it, a vector at every step."""
    after = choices.get("decoder.attend", "after") == "after"
    shown = choices["connection.kind"], choices.get("connection.every_step", False)
    wanted = ("projected", True) if attention == "none" else ("none", False)
    return after and not choices.get("decoder.input_feeding") and shown == wanted


PLAIN = [
    one for one in every_combination() if plain(str(one.choices["attention.kind"]), one.choices)
]


def wide(combination: Combination, dim: int) -> ModelSettings:
    """Return the settings of a model of these parts that is wide enough to learn."""
    sizes = {"model_dim": dim, "num_heads": 4, "ffn_dim": 2 * dim, "attention_dim": dim}
    tree: Tree = {"source": {"embedding_dim": 32}, "target": {"embedding_dim": 32}}
    for part, settings in combination.tree.items():
        tree[part] = settings | {name: sizes[name] for name in sizes if name in settings}
    return load_settings(ModelSettings, tree, "test")


def test_every_encoder_decoder_and_attention_is_there() -> None:
    kinds = [tuple(one.tree[part]["kind"] for part in one.tree)[:3] for one in PLAIN]
    assert len(kinds) == len(set(kinds)) == 4 * 5 * 6


@dataclass(frozen=True)
class Lesson:
    """How a combination learns to copy: one vector has to hold all, and takes longer to fill.

    Attributes:
        symbols: the sequences' tokens are of so many.
        dim: width of the model.
        learning_rate: at the end of the warm-up.
        max_steps: updates.
    """

    symbols: int
    dim: int
    learning_rate: float
    max_steps: int


BY_ATTENTION = Lesson(symbols=5, dim=32, learning_rate=0.01, max_steps=3000)
BY_A_VECTOR = Lesson(symbols=SYMBOLS, dim=96, learning_rate=0.002, max_steps=9000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "combination", PLAIN, ids=lambda one: "-".join(one.tree[part]["kind"] for part in one.tree)
)
def test_every_combination_learns_to_copy(combination: Combination) -> None:
    attends = combination.choices["attention.kind"] != "none"
    lesson = BY_ATTENTION if attends else BY_A_VECTOR
    training = load_settings(
        TrainingSettings,
        {
            **TRAINING,
            "validate_every": 50 if attends else 250,
            "limits": {"max_steps": lesson.max_steps, "patience": 0},
            "optimizer": {"kind": "adam", "learning_rate": lesson.learning_rate},
            "schedule": {"kind": "inverse_sqrt", "warmup_steps": 100 if attends else 300},
        },
        "test",
    )
    seen, unseen = enumerate_all(lesson.symbols, 4)
    pairs, others = make_pairs(seen, "copy"), make_pairs(unseen, "copy")
    assert learn(wide(combination, lesson.dim), training, pairs, others) >= SOLVED
