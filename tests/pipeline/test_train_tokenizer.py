import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from s2scli.data.codecs import source_codec, target_codec
from s2scli.data.codecs.cell import values_of
from s2scli.data.codecs.sound_files import encode_wav
from s2scli.data.encoded import open_encoded
from s2scli.data.settings import PrepareSettings
from s2scli.data.store import Corpus
from s2scli.errors import CheckpointError, ConfigError, LockedError, MissingInputError
from s2scli.manifest import new_folder, read_manifest
from s2scli.pipeline.inputs import Inputs
from s2scli.pipeline.prepare import prepare
from s2scli.pipeline.train_tokenizer import (
    copy_tokenizer,
    ensure_encoded,
    ensure_tokenizer,
    train_tokenizer,
)
from s2scli.report.console import Talk
from s2scli.sides import Sound
from s2scli.tokenizer.settings import TokenizerSettings
from s2scli.tokenizer.tokenizers import Tokenizers
from s2scli.workspace import Workspace

TALK = Talk(quiet=True)
SETTINGS = TokenizerSettings()
WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", "and", "12"]


def corpus(rows: int, seed: int = 0) -> str:
    chance = np.random.default_rng(seed)
    lines = (" ".join(chance.choice(WORDS, 7)) for _ in range(rows))
    return "".join(f"{row} {line}\t{line[::-1]} {row}\n" for row, line in enumerate(lines))


def prepare_text(workspace: Workspace, text: str, **settings: str) -> None:
    path = workspace.root.parent / "corpus.tsv"
    path.write_text(text, encoding="utf-8")
    prepare(workspace, Inputs((path,)), PrepareSettings(**settings), TALK)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "w")
    prepare_text(workspace, corpus(200))
    return workspace


def prepared(workspace: Workspace) -> Corpus:
    return Corpus.load(workspace.corpus)


def ensure(workspace: Workspace) -> str:
    """Return the digest of the tokenizers that are ensured, the corpus encoded with them."""
    tokenizers = ensure_tokenizer(workspace, prepared(workspace), TALK)
    ensure_encoded(workspace, prepared(workspace), tokenizers, TALK)
    return tokenizers.digest


def stamp(folder: Path) -> int:
    return (folder / "manifest.json").stat().st_ino


def test_encoded_is_the_encoding_of_the_text(workspace: Workspace) -> None:
    report = train_tokenizer(workspace, SETTINGS, TALK)
    tokenizers = ensure_tokenizer(workspace, prepared(workspace), TALK)
    assert report.digest == tokenizers.digest
    for split, rows in report.encoded.items():
        text = prepared(workspace).open_split(split)
        encoded = open_encoded(workspace.encoded, split)
        assert len(text) == len(encoded) == rows
        sources, targets = encoded.gather(np.arange(rows))
        of_source, of_target = tokenizers.texts
        for example, source, target in zip(text, sources, targets, strict=True):
            assert source.tolist() == of_source.encode(example.source)
            assert target.tolist() == of_target.encode(example.target)


def test_manifests_tell_the_ancestry(workspace: Workspace) -> None:
    digest = ensure(workspace)
    prepared = read_manifest(workspace.corpus, "corpus").digest
    assert read_manifest(workspace.tokenizer, "tokenizer").made_from == {"corpus": prepared}
    assert "picture_kind" not in read_manifest(workspace.tokenizer, "tokenizer").facts
    encoded = read_manifest(workspace.encoded, "encoded")
    assert encoded.made_from == {"corpus": prepared, "tokenizer": digest}


def test_what_is_up_to_date_is_left_alone(workspace: Workspace) -> None:
    digest = ensure(workspace)
    before = stamp(workspace.tokenizer), stamp(workspace.encoded)
    assert ensure(workspace) == digest
    assert (stamp(workspace.tokenizer), stamp(workspace.encoded)) == before


def test_learning_again_gives_the_same(workspace: Workspace) -> None:
    one, other = (train_tokenizer(workspace, SETTINGS, TALK) for _ in range(2))
    assert one == other


def test_a_changed_corpus_is_learned_with_the_same_settings(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    train_tokenizer(workspace, TokenizerSettings(vocab_size=77), TALK)
    before = ensure(workspace)
    prepare_text(workspace, corpus(300, seed=1))
    tokenizers = ensure_tokenizer(workspace, prepared(workspace), Talk())
    assert "the corpus has changed since the tokenizer was learned" in capsys.readouterr().err
    assert tokenizers.digest != before
    assert tokenizers.texts[0].vocab_size == 77
    ensure_encoded(workspace, prepared(workspace), tokenizers, Talk())
    assert "the encoded corpus is out of date" in capsys.readouterr().err
    assert len(open_encoded(workspace.encoded, "train")) == 240


def test_the_normalization_of_the_corpus_is_kept(workspace: Workspace) -> None:
    prepare_text(workspace, "ﬁ ½\tx\n" * 2 + corpus(50), normalization="nfkc")
    tokenizers = ensure_tokenizer(workspace, prepared(workspace), TALK)
    assert tokenizers.texts[0].normalization == "nfkc"


@pytest.mark.parametrize("name", ["joint.model", "tokenizer.json", "manifest.json"])
def test_a_damaged_tokenizer_is_refused_with_the_mend(workspace: Workspace, name: str) -> None:
    ensure(workspace)
    path = workspace.tokenizer / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match=r"damaged.* `s2s train-tokenizer`"):
        ensure_tokenizer(workspace, prepared(workspace), TALK)


def test_a_damaged_corpus_is_refused_with_the_mend(workspace: Workspace) -> None:
    (workspace.corpus / "train.arrow").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"train.arrow: damaged.* `s2s prepare`"):
        train_tokenizer(workspace, SETTINGS, TALK)
    assert not workspace.tokenizer.exists()


def test_a_damaged_encoding_is_made_again(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    ensure(workspace)
    (workspace.encoded / "train.arrow").write_bytes(b"")
    ensure(workspace)
    assert "encoding the corpus again" in capsys.readouterr().err
    assert len(open_encoded(workspace.encoded, "train")) == 160


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_no_corpus(make: Callable[[Path], None], tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    make(workspace.root)
    with pytest.raises(MissingInputError, match="no corpus here; make one: s2s prepare"):
        train_tokenizer(workspace, SETTINGS, TALK)
    assert not workspace.tokenizer.exists()


def test_a_missing_workspace_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError):
        train_tokenizer(Workspace(tmp_path / "w"), SETTINGS, TALK)
    assert list(tmp_path.iterdir()) == []


def test_a_workspace_in_use_is_refused(workspace: Workspace) -> None:
    with workspace.locked("train"), pytest.raises(LockedError, match="`s2s train`"):
        train_tokenizer(workspace, SETTINGS, TALK)


def test_nothing_of_the_place_is_recorded(workspace: Workspace) -> None:
    ensure(workspace)
    for folder in (workspace.tokenizer, workspace.encoded):
        for path in folder.iterdir():
            content = path.read_bytes()
            assert str(workspace.root).encode() not in content
            assert b"corpus.tsv" not in content


def test_two_workspaces_get_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    twin = Workspace(tmp_path / "twin")
    shutil.copytree(workspace.root, twin.root)
    ensure(workspace)
    ensure(twin)
    for folder in ("tokenizer", "encoded"):
        for path in (workspace.root / folder).iterdir():
            assert path.read_bytes() == (twin.root / folder / path.name).read_bytes()


def model_of(workspace: Workspace, folder: Path) -> Path:
    """Write what matters here of a model: the tokenizers of a workspace."""
    with new_folder(folder, "model") as draft:
        ensure_tokenizer(workspace, prepared(workspace), TALK).write(draft.path)
    return folder


def test_a_models_tokenizer_is_taken_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    model = model_of(workspace, tmp_path / "model")
    other = Workspace(tmp_path / "other")
    prepare_text(other, corpus(300, seed=1))
    own = train_tokenizer(other, TokenizerSettings(kind="char"), TALK)
    report = copy_tokenizer(other, model, TALK)
    assert report.digest == Tokenizers.load(model).digest != own.digest
    assert report.encoded == own.encoded
    made_from = read_manifest(other.tokenizer, "tokenizer").made_from
    assert made_from["model"] == read_manifest(model, "model").digest
    before = stamp(other.encoded)
    assert ensure(other) == report.digest
    assert stamp(other.encoded) == before, "it is encoded with it"


def test_a_taken_tokenizer_outlives_its_corpus(workspace: Workspace, tmp_path: Path) -> None:
    digest = copy_tokenizer(workspace, model_of(workspace, tmp_path / "model"), TALK).digest
    prepare_text(workspace, corpus(300, seed=1))
    assert ensure(workspace) == digest
    assert len(open_encoded(workspace.encoded, "train")) == 240


def test_what_a_taken_tokenizer_does_not_know_is_told(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_of(workspace, tmp_path / "model")
    prepare_text(workspace, corpus(200).replace("a", "ä"))
    capsys.readouterr()
    copy_tokenizer(workspace, model, TALK)
    said = capsys.readouterr().err
    assert "of the source pieces of the valid split are unknown" in said
    assert "`s2s train-tokenizer` learns pieces for this corpus" in said


def test_a_damaged_or_missing_model_gives_no_tokenizer(
    workspace: Workspace, tmp_path: Path
) -> None:
    digest = ensure(workspace)
    with pytest.raises(MissingInputError, match="nowhere: no model here"):
        copy_tokenizer(workspace, tmp_path / "nowhere", TALK)
    model = model_of(workspace, tmp_path / "model")
    (model / "joint.model").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"joint\.model: damaged"):
        copy_tokenizer(workspace, model, TALK)
    assert ensure(workspace) == digest
    with pytest.raises(MissingInputError, match="no corpus here"):
        copy_tokenizer(Workspace(tmp_path / "new"), model_of(workspace, tmp_path / "m"), TALK)
    assert not (tmp_path / "new").exists()


def prepare_sound(workspace: Workspace) -> None:
    random = np.random.default_rng(0)
    folder, rows = workspace.root.parent, []
    for number in range(20):
        samples = random.integers(-9000, 9000, 800 + 320 * number).astype(np.int16)
        (folder / f"{number}.wav").write_bytes(encode_wav(samples, 8000))
        rows.append(f"{number}.wav\t{WORDS[number % 12]} {number}\n")
    (folder / "sound.tsv").write_text("".join(rows))
    settings = PrepareSettings(source_kind="audio")
    prepare(workspace, Inputs((folder / "sound.tsv",)), settings, TALK)


def test_sound_has_no_tokens_and_is_read_from_the_corpus(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    prepare_sound(workspace)
    report = train_tokenizer(workspace, SETTINGS, TALK)
    assert report.source is None and report.target is not None and not report.joint
    tokenizers = ensure_tokenizer(workspace, prepared(workspace), TALK)
    assert tokenizers.reads == Sound(8000)
    codec = source_codec(tokenizers.source)
    text = prepared(workspace).open_split("train")
    encoded = open_encoded(
        *(workspace.encoded, "train", prepared(workspace), codec),
        reads=tokenizers.reads,
        target_size=tokenizers.target.vocab_size,
    )
    sources, targets = encoded.gather(np.arange(len(encoded)))
    target = target_codec(tokenizers.target)
    for example, source, ids in zip(text, sources, targets, strict=True):
        assert source.tolist() == values_of(example.source).tolist()
        assert ids.tolist() == target.encode(example.target).tolist()
    lengths = np.array([len(source) for source in sources], np.int32)
    assert encoded.lengths(0, len(encoded))[0].tolist() == codec.sizes(lengths).tolist()


def test_an_encoding_of_another_corpus_is_refused(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    prepare_sound(workspace)
    train_tokenizer(workspace, SETTINGS, TALK)
    shutil.copy(workspace.encoded / "valid.arrow", workspace.encoded / "train.arrow")
    codec = source_codec(Sound(8000))
    with pytest.raises(CheckpointError, match=r"2 rows, and the corpus has 16; make it again"):
        open_encoded(workspace.encoded, "train", prepared(workspace), codec)


def test_sound_and_text_share_no_tokenizer(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    prepare_sound(workspace)
    with pytest.raises(ConfigError, match="--joint is for two sides of text; leave it out"):
        train_tokenizer(workspace, TokenizerSettings(joint=True), TALK)
