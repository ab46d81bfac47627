"""What the validator shows a model: the validation split, damaged where that is the task."""

from pathlib import Path

import torch

from s2scli.config import load_recipe
from s2scli.data.batch import Batch
from s2scli.data.store import Corpus
from s2scli.pipeline.validation import Validator
from s2scli.special_ids import UNK_ID
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace
from tests.training.runs import make_run, training_settings


def batches(folder: Path, *assignments: str) -> list[Batch]:
    """Return the batches of a new validator of the workspace in `folder`."""
    workspace, recipe = Workspace(folder), load_recipe("tiny", assignments)
    run = make_run(training_settings())
    tokenizers = Tokenizers.load(workspace.tokenizer)
    corpus = Corpus.load(workspace.corpus)
    return list(Validator.prepare(workspace, corpus, run, recipe, tokenizers).batches)


def test_what_is_to_be_restored_is_damaged_in_the_same_way_every_time(
    trained_workspace: Path,
) -> None:
    noise = ("training.noise.mask=0.3", "training.noise.delete=0.2", "training.noise.permute=2")
    plain, first, again = (
        batches(trained_workspace, *each) for each in ((), noise, (*noise, "training.seed=9"))
    )
    assert str(first) == str(again)
    for clean, damaged in zip(plain, first, strict=True):
        assert torch.equal(clean.target_output, damaged.target_output)
        assert torch.equal(clean.target_input, damaged.target_input)
        assert not bool((clean.source == UNK_ID).any())
    assert any(bool((batch.source == UNK_ID).any()) for batch in first)
    lengths = [sum(int(batch.source_lengths.sum()) for batch in each) for each in (plain, first)]
    assert lengths[1] < lengths[0]


def test_what_makes_training_harder_is_left_out(trained_workspace: Path) -> None:
    harder = (
        "training.source_token_dropout=0.5",
        "training.target_token_dropout=0.5",
        "training.bpe_dropout=0.5",
        "training.unigram_alpha=0.5",
    )
    assert str(batches(trained_workspace, *harder)) == str(batches(trained_workspace))
