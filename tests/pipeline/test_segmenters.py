"""Which setting segments a side again, and that a run that does so resumes bit for bit."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from s2scli.cli.app import app
from s2scli.data.settings import NoiseSettings
from s2scli.pipeline.segmenters import make_segmenters, unread_settings
from s2scli.special_ids import UNK_ID
from s2scli.tokenizer.settings import Kind
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.training.epochs import as_they_are
from tests.folders import letters_of
from tests.system.processes import finish, start
from tests.tokenizer.samples import LINES, learn
from tests.training.runs import training_settings

REPEATED = LINES[:1] * 30


@pytest.mark.parametrize(
    ("kind", "setting"), [("bpe", "bpe_dropout"), ("unigram", "unigram_alpha")]
)
def test_each_kind_has_its_setting(kind: Kind, setting: str) -> None:
    tokenizers = Tokenizers(learn(kind), learn("char"), joint=False)
    segmenters = make_segmenters(tokenizers, training_settings(**{setting: 0.3}))
    source, _ = tokenizers.texts
    rows = source.encode_many(REPEATED)
    new = segmenters.source([np.array(ids, np.int32) for ids in rows], 5)
    assert [ids.tolist() for ids in new] == source.resegmenter(0.3)(rows, 5) != rows
    assert segmenters.target is as_they_are


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_off_is_off(kind: Kind) -> None:
    both = learn(kind)
    segmenters = make_segmenters(Tokenizers(both, both, joint=True), training_settings())
    assert segmenters.source is segmenters.target is as_they_are


def test_a_setting_that_no_tokenizer_can_follow_is_named() -> None:
    one, other = learn("bpe"), learn("char")
    given = training_settings(bpe_dropout=0.1, unigram_alpha=0.2)
    unigram = "training.unigram_alpha: neither tokenizer is unigram (found {})"
    for tokenizers, found in (
        (Tokenizers(one, one, joint=True), "bpe"),
        (Tokenizers(other, one, joint=False), "bpe and char"),
    ):
        assert list(unread_settings(tokenizers, given)) == [unigram.format(found)]
        assert not list(unread_settings(tokenizers, training_settings(bpe_dropout=0.1)))
        noisy = training_settings(noise=NoiseSettings(typos=0.5))
        assert not list(unread_settings(tokenizers, noisy))


def test_noise_of_words_is_named_where_the_sources_are_recordings(tone_workspace: Path) -> None:
    tokenizers = Tokenizers.load(tone_workspace / "model")
    noisy = training_settings(noise=NoiseSettings(typos=0.5))
    assert list(unread_settings(tokenizers, noisy)) == ["training.noise: the sources are no text"]


@pytest.mark.parametrize("kind", ["bpe", "char"])
def test_sources_get_noise_of_their_share_and_targets_none(kind: Kind) -> None:
    both = learn(kind)
    rows = [np.array(ids, np.int32) for ids in both.encode_many(LINES * 4)]
    unknown = (UNK_ID, both.vocab_size + 1)  # nobody knows how they are written
    for row, id in enumerate(unknown):  # the second one is that of a model that copies
        rows[row] = np.append(rows[row], np.int32(id))
    settings = training_settings(noise=NoiseSettings(typos=0.5, share=0.5))
    segmenters = make_segmenters(Tokenizers(both, both, joint=True), settings)
    assert segmenters.target is as_they_are
    new, again = segmenters.source(rows, 5), segmenters.source(rows, 5)
    assert [ids.tolist() for ids in new] == [ids.tolist() for ids in again]
    for seed in range(5):
        first, second, *_ = segmenters.source(rows, seed)
        assert first is rows[0] and second is rows[1]
    kept = sum(one is other for one, other in zip(new, rows, strict=True))
    assert 0 < kept < len(rows)
    for ids in new[2:]:
        assert ids.dtype == np.int32
        assert ids.tolist() == both.encode(both.decode(ids)), "text, tokenized again"
    none = training_settings(noise=NoiseSettings(typos=0.5, share=0.0))
    assert make_segmenters(Tokenizers(both, both, joint=True), none).source is as_they_are


def test_noise_leaves_the_tag_in_front_of_a_source() -> None:
    both = letters_of(["the small cat sat"], tags=("de", "fr"))
    tag, source = both.tags, both.texts[0]
    assert tag == ("de", "fr")
    rows = [np.array(source.encode(f"<2{one}> the small cat"), np.int32) for one in tag * 20]
    settings = training_settings(noise=NoiseSettings(swap=1.0, share=1.0))
    new = make_segmenters(both, settings).source(rows, 5)
    assert [int(ids[0]) for ids in new] == [source.tags[one] for one in tag * 20]
    changed = [ids for ids, row in zip(new, rows, strict=True) if ids.tolist() != row.tolist()]
    assert len(changed) == len(rows)
    assert all(set(source.tags.values()).isdisjoint(ids[1:].tolist()) for ids in changed)


def s2s(workspace: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "-w", str(workspace)])
    assert result.exit_code == 0, result.output
    return result.stderr


def weights(workspace: Path) -> str:
    """Return the digest of the newest checkpoint's weights."""
    newest = max((workspace / "training").glob("checkpoint-*"))
    return hashlib.sha256((newest / "model.safetensors").read_bytes()).hexdigest()


@pytest.mark.gate
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    words = ["one", "two", "three", "four", "five"]
    rows = [f"{a} {b}\t{b} {a} {a}\n" for a in words for b in words]
    (tmp_path / "corpus.tsv").write_text("".join(rows))
    whole, stopped, plain = (tmp_path / name for name in ("whole", "stopped", "plain"))
    s2s(whole, "prepare", str(tmp_path / "corpus.tsv"))
    s2s(whole, "train-tokenizer", "--kind", "bpe", "--vocab-size", "60")
    shutil.copytree(whole, stopped)
    shutil.copytree(whole, plain)
    train = ("train", "-r", "tiny", "--device", "cpu", "--max-steps")
    noisy = ("--set", "training.bpe_dropout=0.3", "--set", "training.noise.drop=0.3")
    said = s2s(whole, *train, "9", *noisy)
    assert "is resegmented every epoch, which gives 1." in said
    assert "resegmented" not in s2s(plain, *train, "9")
    s2s(stopped, *train, "4", *noisy)
    # of its own recipe, in another process
    status, _, said = finish(start("train", "--device", "cpu", "--max-steps", 9, workspace=stopped))
    assert status == 0, said
    assert weights(stopped) == weights(whole) != weights(plain)
