"""A model that copies learns to write symbols that it has never seen; a plain one cannot."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from s2scli.config import CRITERIA
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
from tests.models import VOCAB_SIZE, pad_copying
from tests.system.test_learns import Pairs

Ids = NDArray[np.int32]
LONGEST, STEPS = 5, 1500
TRAINING: Tree = {
    "batch_tokens": 512,
    "label_smoothing": 0.0,
    "precision": "float32",
    "metric": "exact_match",
    "source_token_dropout": 0.3,
    "validate_every": 100,
    "limits": {"max_steps": STEPS, "patience": 0},
    "optimizer": {"kind": "adam", "learning_rate": 0.005},
    "schedule": {"kind": "inverse_sqrt", "warmup_steps": 100},
}
SMALL: Tree = {"source": {"embedding_dim": 32}, "target": {"embedding_dim": 32}}
DECODERS: dict[str, Tree] = {
    "recurrent": {
        **SMALL,
        "encoder": {"kind": "gru", "model_dim": 32},
        "attention": {"kind": "additive", "attention_dim": 32},
        "decoder": {"kind": "gru", "model_dim": 64},
    },
    "coverage": {
        **SMALL,
        "encoder": {"kind": "gru", "model_dim": 32},
        "attention": {"kind": "additive", "attention_dim": 32, "coverage": True},
        "decoder": {"kind": "gru", "model_dim": 64},
    },
    "transformer": {
        **SMALL,
        "encoder": {"kind": "transformer", "model_dim": 32, "ffn_dim": 64, "num_layers": 2},
        "connection": {"kind": "none"},
        "attention": {"kind": "multi_head", "num_heads": 4},
        "decoder": {"kind": "transformer", "model_dim": 32, "ffn_dim": 64, "num_layers": 2},
    },
}


@dataclass(frozen=True)
class CopyingPairs(Pairs):
    """Pairs whose unknown symbols can be copied."""

    pad = staticmethod(pad_copying)


def sequences(count: int, first: int, symbols: int, seed: int) -> list[Ids]:
    random = np.random.default_rng(seed)
    lengths = random.integers(1, LONGEST + 1, count)
    return [random.integers(first, first + symbols, n).astype(np.int32) for n in lengths]


def unseen_exact_match(model: Seq2Seq, sources: list[Ids]) -> float:
    """The share of sources of unseen symbols that are written as they are."""
    found = search(model.eval(), *pad_copying(sources), SearchSettings(beam_size=1))
    right = []
    for (best, *_), source in zip(found, sources, strict=True):
        written = [id for id in best.token_ids if id != EOS_ID]
        outside = all(id >= VOCAB_SIZE for id in written)
        copied = [int(source[id - VOCAB_SIZE]) for id in written] if outside else None
        right.append(copied == source.tolist())
    return float(np.mean(right))


@pytest.mark.slow
@pytest.mark.parametrize("tree", DECODERS.values(), ids=DECODERS)
def test_it_learns_to_copy_symbols_unseen_in_training(tree: Tree) -> None:
    seen = sequences(3000, EOS_ID + 1, VOCAB_SIZE - EOS_ID - 1, seed=0)
    unseen = sequences(200, VOCAB_SIZE, 9, seed=1)
    settings = load_settings(ModelSettings, {**tree, "output": {"kind": "pointer"}}, "test")
    training = load_settings(TrainingSettings, TRAINING, "test")
    torch.manual_seed(0)
    model = Seq2Seq(settings, VOCAB_SIZE, VOCAB_SIZE, joint=True)
    optimizer = training.optimizer.build(trainable(model))
    criterion = CRITERIA[training.metric]
    run = Run(model, optimizer, training, criterion, torch.device("cpu"), Progress())
    best = 0.0
    for event in train(
        run,
        TrainingBatches(CopyingPairs(seen, seen), training),
        lambda: {"exact_match": unseen_exact_match(model, unseen)},
        lambda progress: None,
        lambda: 0,
    ):
        if isinstance(event, Validation):
            best = max(best, event.scores["exact_match"])
        if best >= 0.98:
            break
    assert best >= 0.98
