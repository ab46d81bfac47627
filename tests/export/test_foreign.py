"""What all readers of other programs' models share; see also the readers' own tests."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from s2scli.errors import CheckpointError, TokenizerError
from s2scli.export.foreign import (
    NEVER,
    Tables,
    adopt_tokenizers,
    check_rows,
    float32,
    join,
    read_checkpoint,
)
from s2scli.tokenizer.adopted import Vocabulary, adopt
from tests.export.foreign_models import make_side

HERE = Path("here")
SIDE = make_side(("</s>", "<unk>"), ("<pad>",))
LAST = len(SIDE.pieces) - 1
VOCABULARY = Vocabulary(SIDE.pieces, LAST, 1, LAST, 0)


def test_rows_follow_our_ids_and_what_is_never_written_has_no_probability() -> None:
    adopted = adopt(SIDE.spm, VOCABULARY, writes=True)
    table = torch.arange(float(len(SIDE.pieces)))[:, None]
    bias = torch.zeros(len(SIDE.pieces))
    weights = Tables(table, table, table, bias).weights(adopted, adopted)
    assert weights["output.weight"] is weights["target.table.weight"]
    assert weights["source.table.weight"][:, 0].tolist() == list(adopted.rows)
    never = (weights["output.bias"] == NEVER).nonzero().flatten().tolist()
    assert never == sorted(adopted.unwritten)


def test_ties() -> None:
    one, other = torch.ones(3, 2), torch.zeros(3, 2)
    bias = torch.zeros(3)
    assert Tables(one, one, one, bias).tie(joint=True) == "all"
    assert Tables(one, one, one, bias).tie(joint=False) == "target"
    assert Tables(other, one, one, bias).tie(joint=True) == "target"
    assert Tables(one, one, other, bias).tie(joint=True) == "none"


def test_the_same_tokenizer_on_both_sides_is_joint(tmp_path: Path) -> None:
    whole = make_side(("</s>", "<unk>"), ("<pad>",), left_out=0)
    (tmp_path / "a.spm").write_bytes(whole.spm)
    vocabulary = Vocabulary(whole.pieces, len(whole.pieces) - 1, 1, len(whole.pieces) - 1, 0)
    paths = [tmp_path / "a.spm"] * 2
    tokenizers, source, target = adopt_tokenizers(paths, [vocabulary] * 2)
    assert tokenizers.joint
    assert source is target
    (tmp_path / "a.spm").write_bytes(SIDE.spm)
    assert not adopt_tokenizers(paths, [VOCABULARY] * 2)[0].joint  # pieces that only one reads
    (tmp_path / "b.spm").write_bytes(b"\xff")
    with pytest.raises(TokenizerError, match=r"b\.spm: damaged"):
        adopt_tokenizers([tmp_path / "a.spm", tmp_path / "b.spm"], [VOCABULARY] * 2)


def test_missing_tensors_and_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(CheckpointError, match="here: has no tensor w"):
        float32({}, "w", HERE)
    with pytest.raises(CheckpointError, match="here: a has another width"):
        join({"w": ("a", "b")}, {"a": torch.zeros(2, 3), "b": torch.zeros(2, 4)}, HERE)
    with pytest.raises(CheckpointError, match="the vocabulary has 3 pieces"):
        check_rows(torch.zeros(2, 4), ["a", "b", "c"], HERE)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (subprocess.CompletedProcess([], -9, "", ""), "it needs too much memory or time"),
        (subprocess.CompletedProcess([], 1, "", "Trace\nValueError: x"), "cannot be read"),
        (subprocess.TimeoutExpired("x", 5), "takes more than"),
    ],
)
def test_a_process_that_ends_badly_is_reported(
    failure: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: object, **options: object) -> Any:
        if isinstance(failure, Exception):
            raise failure
        return failure

    (tmp_path / "a.pt").touch()
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(tmp_path / "a.pt")
