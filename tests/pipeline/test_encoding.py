"""Shards of any size give the token ids of the whole corpus."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from s2scli.data import store
from s2scli.data.encoded import encode_split
from s2scli.data.store import Corpus, split_path
from s2scli.errors import CheckpointError
from s2scli.pipeline import encoding
from s2scli.pipeline.encoding import EncodingShard, divide_split, encode_shard, plain_encoders
from s2scli.pipeline.train_tokenizer import train_tokenizer
from s2scli.pipeline.workers import THIS_PROCESS, Processes, Workers
from s2scli.report.console import Talk
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace
from tests.toy import prepare_toy

pytestmark = pytest.mark.usefixtures("quick_fsync")

TALK = Talk(quiet=True)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(store, "BATCH_ROWS", 10)
    monkeypatch.setattr(encoding, "BATCHES", 2)
    return prepare_toy(tmp_path / "w", 300)


def test_the_corpus_is_encoded_as_without_shards(workspace: Workspace, tmp_path: Path) -> None:
    report = train_tokenizer(workspace, TokenizerSettings(), TALK)
    corpus, tokenizers = Corpus.load(workspace.corpus), Tokenizers.load(workspace.tokenizer)
    assert set(report.encoded) == {"train", "valid", "test"}
    for split in corpus.splits:
        whole = tmp_path / f"{split}.arrow"
        encode_split(corpus.open_split(split), whole, *plain_encoders(tokenizers))
        assert split_path(workspace.encoded, split).read_bytes() == whole.read_bytes()
    assert not workspace.shards.exists()


@pytest.mark.parametrize("workers", [Processes(2), THIS_PROCESS], ids=["processes", "here"])
def test_processes_make_no_difference(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, workers: Workers
) -> None:
    train_tokenizer(workspace, TokenizerSettings(), TALK)
    expected = {path.name: path.read_bytes() for path in workspace.encoded.iterdir()}
    monkeypatch.setattr(encoding, "BATCHES", 8)  # as in other processes
    train_tokenizer(workspace, TokenizerSettings(), TALK, workers=workers)
    assert {path.name: path.read_bytes() for path in workspace.encoded.iterdir()} == expected


@pytest.fixture
def shard(workspace: Workspace, tmp_path: Path) -> Callable[[], EncodingShard]:
    train_tokenizer(workspace, TokenizerSettings(), TALK)

    def first() -> EncodingShard:
        corpus, digest = Corpus.load(workspace.corpus), Tokenizers.load(workspace.tokenizer).digest
        (tmp_path / "shards").mkdir(exist_ok=True)
        shards = divide_split(corpus, "train", workspace.tokenizer, digest, tmp_path / "shards")
        return next(iter(shards))

    return first


def test_a_finished_shard_is_not_encoded_again(shard: Callable[[], EncodingShard]) -> None:
    one = encode_shard(shard())
    before = one.path.stat().st_mtime_ns
    assert encode_shard(shard()).path == one.path
    assert one.path.stat().st_mtime_ns == before
    others = [replace(one, first=2), replace(one, rows=1), replace(one, split="test")]
    assert len({other.digest for other in [one, *others]}) == 4


def test_other_tokenizers_than_before_are_refused(shard: Callable[[], EncodingShard]) -> None:
    one = shard()
    other = replace(one, digests=(one.digests[0], "0" * 64))
    with pytest.raises(CheckpointError, match="tokenizer: has changed since the command began"):
        encode_shard(other)
    assert list(one.folder.iterdir()) == []
