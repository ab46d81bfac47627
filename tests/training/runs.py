"""A small training run in memory: a split of made-up token ids, a tiny model, counted saves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from s2scli.config import CRITERIA
from s2scli.data.encoded import EncodedSplit, encode_split
from s2scli.data.example import Example
from s2scli.data.store import BatchWriter, TextSplit, batch_rows
from s2scli.model.seq2seq import Seq2Seq
from s2scli.model.settings import ModelSettings
from s2scli.settings import Tree, load_settings
from s2scli.training.epochs import TrainingBatches
from s2scli.training.events import Event
from s2scli.training.freezing import freeze, trainable
from s2scli.training.loop import Run, train
from s2scli.training.progress import Progress
from s2scli.training.settings import TrainingSettings
from tests.models import VOCAB_SIZE, model_tree

CPU = torch.device("cpu")


def write_split(
    folder: Path, rows: int = 24, *, shortest: int = 1, longest: int = 6
) -> EncodedSplit:
    """Write and open a split: sources of ids 4 to 10, targets the same turned round."""
    random = np.random.default_rng(7)
    texts = [
        "".join(
            chr(97 + letter) for letter in random.integers(0, 7, random.integers(shortest, longest))
        )
        for _ in range(rows)
    ]
    with BatchWriter(folder / "text.arrow") as writer:
        for batch in batch_rows(Example(text, text[::-1], 1) for text in texts):
            writer.write(batch)

    def encode(sides: Sequence[str]) -> list[list[int]]:
        return [[ord(letter) - 93 for letter in side] for side in sides]

    text = TextSplit(folder / "text.arrow")
    path = folder / "ids.arrow"
    encode_split(text, path, encode, lambda those, _: encode(those), lambda rows: None)
    return EncodedSplit(folder / "ids.arrow")


def training_settings(**changes: object) -> TrainingSettings:
    """Return settings of a run of small batches, with some of them changed."""
    tree: Tree = {
        "batch_tokens": 16,
        "min_batches": 1,
        "validate_every": 4,
        "save_every": 3,
        "log_every": 2,
        "metric": "loss",
        "precision": "float32",
        "optimizer": {"kind": "adam", "learning_rate": 0.01},
    }
    return load_settings(TrainingSettings, tree | changes, "test")


def make_run(settings: TrainingSettings, model: Tree | None = None) -> Run:
    """Return a run at its beginning."""
    torch.manual_seed(settings.seed)
    tree = load_settings(ModelSettings, model or model_tree(), "test")
    weights = Seq2Seq(tree, VOCAB_SIZE, VOCAB_SIZE, joint=True)
    freeze(weights, settings.freeze)
    optimizer = settings.optimizer.build(trainable(weights))
    return Run(weights, optimizer, settings, CRITERIA[settings.metric], CPU, Progress())


@dataclass
class Session:
    """One call of the loop: validates with given losses, and counts what is saved.

    Attributes:
        run: the run.
        split: where its batches come from.
        losses: of the validations, in turn; the last one for ever.
        stop: called for the signal.
        saves: the steps that were saved.
    """

    run: Run
    split: EncodedSplit
    losses: Iterable[float] = (3.0, 2.0, 1.0)
    stop: Callable[[], int] = lambda: 0
    saves: list[int] = field(default_factory=list)

    def events(self) -> list[Event]:
        """Train to the end; return what happened."""
        batches = TrainingBatches(self.split, self.run.settings, world=self.run.world)
        return list(train(self.run, batches, self._validate, self.save, self.stop))

    def save(self, progress: Progress) -> None:
        """Count a save."""
        self.saves.append(progress.step)

    def _validate(self) -> Mapping[str, float]:
        first, *rest = self.losses
        self.losses = rest or [first]
        return {"loss": first}
