"""Each finding of a diagnosis, provoked by training a tiny model on a corpus made for it."""

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.data.settings import PrepareSettings
from s2scli.model.seq2seq import Seq2Seq
from s2scli.pipeline import session
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train import TrainRequest, train
from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.report.console import Talk
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.training.metrics_log import MetricsLog
from s2scli.translation.model_folder import build_model
from s2scli.workspace import Workspace

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("quick_fsync")]
Pairs = Iterable[tuple[str, str]]
LETTERS = "abcdefgh"


def write(path: Path, pairs: Pairs) -> tuple[Path]:
    path.write_text("".join(f"{s}\t{t}\n" for s, t in pairs), encoding="utf-8")
    return (path,)


def words(count: int, seed: int, letters: str = LETTERS, shortest: int = 4) -> list[str]:
    """Return different words of random letters."""
    draw = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        found["".join(draw.choices(letters, k=draw.randint(shortest, 2 * shortest)))] = None
    return [*found]


def workspace_of(folder: Path, pairs: Pairs, valid: Pairs) -> Workspace:
    workspace = Workspace(folder / "workspace")
    inputs = Inputs(write(folder / "corpus.tsv", pairs), write(folder / "valid.tsv", valid))
    settings = PrepareSettings(test_size=5, max_length_ratio=100)
    prepare(workspace, inputs, settings, Talk(quiet=True))
    return workspace


def findings(workspace: Workspace, *assignments: str, steps: int = 300) -> dict[str, str]:
    """Train the tiny recipe; return the advice of each finding, by rule."""
    usual = ("training.validate_every=100", "training.log_every=20", "training.precision=float32")
    request = TrainRequest("tiny", (*usual, *assignments), {"max_steps": steps}, "cpu")
    train(workspace, request, Talk(quiet=True))
    notes = [*MetricsLog(workspace.training / "metrics.jsonl").notes()]
    assert len({note["name"] for note in notes}) == len(notes), "each is told once"
    return {note["name"]: note["advice"] for note in notes}


def reversals(count: int, seed: int) -> list[tuple[str, str]]:
    return [(word, word[::-1]) for word in words(count, seed)]


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let rules look at tiny models, which learn quickly, from the first validation on."""
    monkeypatch.setattr("s2scli.training.diagnosis.SETTLED", 100)


@pytest.fixture
def copies(tmp_path: Path) -> Workspace:
    """A corpus that a tiny model learns at once."""
    return workspace_of(tmp_path, reversals(2000, 1), reversals(30, 2))


def test_a_healthy_run_has_none(copies: Workspace) -> None:
    assert findings(copies, steps=600) == {}


def test_the_same_output(tmp_path: Path) -> None:
    pairs = [(word, "abcd") for word in words(500, 1)]
    valid = reversals(30, 2)
    found = findings(workspace_of(tmp_path, pairs, valid))
    assert "100% of the validation sources get the same output" in found["same output"]


def test_a_source_that_is_copied(tmp_path: Path) -> None:
    pairs = [(word, word) for word in words(1000, 1, "abcd", 4)]
    valid = [(word, word[::-1]) for word in words(30, 2, "abcd", 4)]
    found = findings(workspace_of(tmp_path, pairs, valid), steps=300)
    assert "copied from the source" in found["source copied"]


def test_a_flood_of_unknown_words(tmp_path: Path) -> None:
    rare = "".join(chr(0x4E00 + letter) for letter in range(500))
    pairs = [(word, word[::-1] + rare[number % 500]) for number, word in enumerate(words(1000, 1))]
    workspace = workspace_of(tmp_path, pairs, pairs[:30])
    settings = TokenizerSettings(character_coverage=0.98, byte_fallback=False)
    train_tokenizer(workspace, settings, Talk(quiet=True))
    found = findings(workspace)
    assert "train another tokenizer" in found["unknown words"]


def test_repetitions(tmp_path: Path) -> None:
    pairs = [(word, word[0] + "ab" * 10) for word in words(1000, 1)]
    found = findings(workspace_of(tmp_path, pairs, reversals(30, 2)))
    assert "the outputs repeat themselves" in found["repetitions"]


def test_attention_that_is_the_same_at_every_step(
    copies: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without_scores(*given: Any) -> Seq2Seq:
        model = build_model(*given)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if name.startswith("decoder.attention"):
                    weight.zero_()
        return model

    monkeypatch.setattr(session, "build_model", without_scores)
    found = findings(copies, "training.freeze=decoder.attention")
    assert "attention has collapsed" in found["constant attention"]


def test_a_loss_at_the_unigram_entropy(tmp_path: Path) -> None:
    """Nothing but the frequencies of letters can be learned of random targets."""
    sources, targets = words(3000, 1), words(3000, 2)
    valid = zip(words(100, 3), words(100, 4), strict=True)
    workspace = workspace_of(tmp_path, zip(sources, targets, strict=True), valid)
    assert "the loss is stuck at 2." in findings(workspace)["unigram loss"]


def test_overfitting(tmp_path: Path) -> None:
    pairs = zip(words(60, 1), words(60, 2), strict=True)
    valid = zip(words(30, 3), words(30, 4), strict=True)
    found = findings(workspace_of(tmp_path, pairs, valid), steps=600)
    assert "more data, more dropout" in found["overfitting"]


def test_a_learning_rate_that_is_too_high(copies: Workspace) -> None:
    found = findings(copies, "training.optimizer.learning_rate=3")
    assert found["learning rate too high"].endswith(
        "--learning-rate 1, or more training.schedule.warmup_steps"
    )


def test_a_learning_rate_that_is_too_low(copies: Workspace) -> None:
    found = findings(copies, "training.optimizer.learning_rate=1e-5")
    assert found["learning rate too low"].endswith("--learning-rate 0.0001")


def test_sides_that_are_misaligned(tmp_path: Path) -> None:
    """Every target is that of the line before: all are well-formed, none belongs to its source."""
    syllables = words(12, 5, LETTERS, 3)
    draw = random.Random(1)
    texts = [" ".join(draw.choices(syllables, k=3)) for _ in range(3000)]
    aligned = [(text, " ".join(reversed(text.split()))) for text in texts]
    shifted = [
        (source, target) for (source, _), (_, target) in zip(aligned[1:], aligned, strict=False)
    ]
    found = findings(workspace_of(tmp_path, shifted[:-100], shifted[-100:]))
    assert "one side of the corpus is misaligned" in found["misaligned sides"]
    (tmp_path / "right").mkdir()
    right = findings(workspace_of(tmp_path / "right", aligned[:-100], aligned[-100:]), steps=600)
    assert "misaligned sides" not in right
