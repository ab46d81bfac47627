import json
from pathlib import Path
from typing import Any

import pytest

from s2scli.errors import CheckpointError, TokenizerError
from s2scli.manifest import SAFE_NAME
from s2scli.tokenizer.tokenizers import DESCRIPTION, Tokenizers
from tests.tokenizer.samples import learn


def separate() -> Tokenizers:
    return Tokenizers(learn("char", normalization="nfc"), learn("word", normalization="nfc"), False)


def joint() -> Tokenizers:
    both = learn()
    return Tokenizers(both, both, True)


@pytest.mark.parametrize("make", [separate, joint])
def test_what_is_written_is_loaded(make: Any, tmp_path: Path) -> None:
    tokenizers = make()
    tokenizers.write(tmp_path)
    loaded = Tokenizers.load(tmp_path)
    assert loaded == tokenizers
    assert loaded.digest == tokenizers.digest
    assert (loaded.source is loaded.target) is tokenizers.joint
    assert all(SAFE_NAME.fullmatch(path.name) for path in tmp_path.iterdir())


def test_the_digest_stands_for_both_sides() -> None:
    one, other = learn("char"), learn("word")
    pairs = [(one, other, False), (other, one, False), (one, one, False), (one, one, True)]
    assert len({Tokenizers(*pair).digest for pair in pairs}) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"joint": 1}, r"tokenizer.json: joint: .* found 1"),
        ({"source": "os.system"}, r"tokenizer.json: source: .* found 'os.system'"),
        ({"normalization": None}, r"tokenizer.json: normalization: "),
        ({"model": "../../x"}, r"tokenizer.json: model: "),
    ],
)
def test_a_wrong_description_is_refused(
    change: dict[str, object], message: str, tmp_path: Path
) -> None:
    joint().write(tmp_path)
    path = tmp_path / DESCRIPTION
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(TokenizerError, match=message):
        Tokenizers.load(tmp_path)


@pytest.mark.parametrize("name", [DESCRIPTION, "source.model", "target.model"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    separate().write(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name}: missing"):
        Tokenizers.load(tmp_path)
