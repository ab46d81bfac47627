from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2scli.data.codecs.text import TextCodec
from s2scli.data.example import Example
from s2scli.data.store import Corpus
from s2scli.errors import CorpusError
from s2scli.pipeline import inspect_memorised as module
from s2scli.pipeline.inspect_memorised import (
    Memorised,
    SplitRepeats,
    _difference,
    _test,
    inspect_memorised,
)
from s2scli.report.console import Talk
from s2scli.search.hypothesis import Hypothesis
from s2scli.special_ids import EOS_ID
from s2scli.translation.model_folder import load_model_folder
from s2scli.translation.options import Wanted
from s2scli.translation.torch_engine import TorchEngine, translator_of
from s2scli.workspace import Workspace
from tests.folders import letters_of, write_model

CPU = torch.device("cpu")


def test_what_a_model_writes_itself_is_repeated_and_nothing_else(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One forced pass says what greedy search writes, for any beginning."""
    monkeypatch.setattr(module, "MIN_REST", 1)
    loaded = load_model_folder(trained_workspace / "model", CPU)
    translator = translator_of(loaded, device=CPU)
    source, target = translator.source, translator.target
    assert isinstance(source, TextCodec) and isinstance(target, TextCodec)
    rows = list(Corpus.load(trained_workspace / "corpus").open_split("train"))[:60]
    greedy = translator.settings({"beam_size": 1, "n_best": 1, "length_penalty": 0.0})
    sources = [source.encode(row.source) for row in rows]
    found = translator.engine.search(sources, greedy, Wanted())
    own, other = [], []
    for number, (row, (best,)) in enumerate(zip(rows, found, strict=True), start=1):
        text = target.tokenizer.decode(best.token_ids)
        ids = target.encode(text).tolist()
        if ids == list(best.token_ids[:-1]) and best.token_ids[-1] == EOS_ID and len(ids) > 2:
            own.append(Example(row.source, text, number))
            other.append(Example(row.source, f"{text} seven one", number))
    assert len(own) > 10
    for share in (0.0, 0.3, 0.6):
        tested, repeated = _test(translator, own, share)
        assert tested == len(repeated) == len(own)
        tested, repeated = _test(translator, other, share)
        assert (tested, repeated) == (len(other), [])


def test_a_word_that_only_the_source_knows_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that copies is asked for the copy; here it always writes what is asked for."""
    monkeypatch.setattr(module, "MIN_REST", 1)
    folder = write_model(tmp_path / "m", letters_of(["ab "]), "model.output.kind=pointer")
    translator = translator_of(load_model_folder(folder, CPU), device=CPU)
    force, asked = translator.engine.force, list[Any]()

    def agree(sources: Any, targets: Any, *more: Any) -> list[Hypothesis]:
        asked.extend(targets)
        found = force(sources, targets, *more)
        return [replace(one, first_choices=(True,) * len(one.token_ids)) for one in found]

    monkeypatch.setattr(TorchEngine, "force", lambda self, *given: agree(*given))
    tested, (found,) = _test(translator, [Example("xyz ab", "ab zx", 1)], 0.5)
    assert tested == 1 and (found.beginning, found.rest) == ("ab", "zx")
    assert (asked[0] < 0).sum() == 2, "both letters are copied"


def test_the_difference_has_the_error_of_two_shares() -> None:
    splits = [SplitRepeats("train", 100, 50, 0), SplitRepeats("valid", 50, 10, 0)]
    more, margin = _difference(splits)
    assert more == pytest.approx(0.3)
    assert margin == pytest.approx(2 * np.sqrt(0.25 / 102 + 11 / 52 * 41 / 52 / 52))
    assert "has memorised: +30.0%" in Memorised(tuple(splits), more, margin, ()).sentence
    assert "never saw" in Memorised(tuple(splits), 0.01, 0.02, ()).sentence
    assert _difference(splits[:1]) == (None, None)
    assert "no held-out rows" in Memorised(tuple(splits[:1]), None, None, ()).sentence


def test_rows_without_a_rest_cannot_be_tested(
    trained_workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MIN_REST", 1000)
    with pytest.raises(CorpusError, match="no training row fits the model"):
        inspect_memorised(Workspace(trained_workspace), None, 10, 0.5, 1, "cpu", Talk(quiet=True))
