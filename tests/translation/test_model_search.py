"""Threads, batches and callers at once change no output."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.data.stream import Line
from s2scli.errors import ConfigError, UsageError
from s2scli.search.loop import search
from s2scli.search.model import Model
from s2scli.search.settings import SearchSettings
from s2scli.translation import model_search, torch_engine
from s2scli.translation.constraints import Constraints
from s2scli.translation.glossary import Glossary
from s2scli.translation.options import Options
from s2scli.translation.pairs import pairs_of
from s2scli.translation.records import Record
from s2scli.translation.translator import Translator

TEXTS = ["one two", "six", "two one", "one one five", "six four two", "two", "seven", "one six"] * 3
SETTINGS = SearchSettings(beam_size=2, n_best=2)


@pytest.fixture(autouse=True)
def many_batches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let few sentences fill a batch, and give the threads back afterwards."""
    monkeypatch.setattr(model_search, "BATCH_TOKENS", 24)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def folder(trained_workspace: Path) -> Path:
    return trained_workspace / "model"


def loaded(folder: Path, threads: int) -> Translator:
    torch.set_num_threads(threads)
    return torch_engine.load(folder, device="cpu")


def outputs(translator: Translator, texts: Sequence[str] = TEXTS) -> list[list[tuple[str, float]]]:
    lines = [Line("f", number, text) for number, text in enumerate(texts, 1)]
    return [hypotheses(record) for record in translator.translate(lines, Options(SETTINGS))]


def hypotheses(record: Record) -> list[tuple[str, float]]:
    assert record.translation is not None
    return [(one.text, round(one.score, 4)) for one in record.translation.hypotheses]


def test_the_number_of_threads_changes_no_output(folder: Path) -> None:
    found, forced = [], []
    for threads in (1, 2, 3):
        translator = loaded(folder, threads)
        found.append([[text for text, _ in each] for each in outputs(translator)])
        scored = translator.score(pairs_of("f", TEXTS, TEXTS))
        forced.append([record.best.score for record in scored if record.best])
        assert torch.get_num_threads() == threads
    assert found[0] == found[1] == found[2]
    assert len(forced[0]) == len(TEXTS)
    assert forced[1] == pytest.approx(forced[0], abs=1e-5)
    assert forced[2] == pytest.approx(forced[0], abs=1e-5)


def test_callers_at_once_get_what_they_would_get_alone(folder: Path) -> None:
    """Eight callers, whose batches go through the same workers, and each caller's own threads."""
    translator = loaded(folder, 2)
    questions = [TEXTS[first:] for first in range(8)]
    alone = [outputs(translator, texts) for texts in questions]
    with ThreadPoolExecutor(8) as callers:
        together = list(callers.map(lambda texts: outputs(translator, texts), questions * 3))
        threads = set(callers.map(lambda _: torch.get_num_threads(), range(16)))
    assert together == alone * 3
    assert threads == {2}


def test_a_later_thread_has_as_many_threads_as_before(folder: Path) -> None:
    outputs(loaded(folder, 3))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3


def test_what_goes_wrong_fails_the_lines_and_not_the_program(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise RuntimeError("no memory")

    translator = loaded(folder, 2)
    monkeypatch.setattr(model_search, "search", fail)
    records = list(translator.translate([Line("f", n, text) for n, text in enumerate(TEXTS)]))
    assert {(record.status, record.fault) for record in records} == {
        ("failed", "RuntimeError: no memory")
    }


def test_the_search_can_be_ended_before_a_step(folder: Path) -> None:
    engine = loaded(folder, 1).engine
    assert isinstance(engine, torch_engine.TorchEngine)
    source, lengths = make_source([np.array([5, 6, 7], dtype=np.int32)])

    def stop() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        search(engine.model, source, lengths, SETTINGS, before_step=stop)


def test_a_model_without_a_ctc_layer_refuses_its_weight(folder: Path) -> None:
    settings = SearchSettings(ctc_weight=0.5)
    with pytest.raises(ConfigError, match="--ctc-weight: this model has no CTC layer"):
        list(loaded(folder, 1).translate([Line("f", 1, "six")], Options(settings)))


def test_only_sources_that_lack_a_phrase_are_searched_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    translator, counted = loaded(folder, 1), list[int]()
    plain = outputs(translator)
    real = search

    def counting(model: Model[Any], source: torch.Tensor, *rest: Any, **named: Any) -> Any:
        counted.append(len(source))
        return real(model, source, *rest, **named)

    monkeypatch.setattr(model_search, "search", counting)
    term = plain[0][0][0].split()[0]
    speller = translator.speller(Constraints(glossary=Glossary({"six": term}, "terms", {"six": 1})))
    options = Options(SETTINGS, speller=speller)
    lines = [Line("f", number, text) for number, text in enumerate(TEXTS, 1)]
    found = [hypotheses(record) for record in translator.translate(lines, options)]
    assert sum(counted) < 2 * len(TEXTS)
    for text, mine, before in zip(TEXTS, found, plain, strict=True):
        assert all(term in one.split() for one, _ in mine) or "six" not in text
        assert mine == before or "six" in text


def test_phrases_need_a_beam_without_groups(folder: Path) -> None:
    translator = loaded(folder, 1)
    speller = translator.speller(Constraints(glossary=Glossary({"six": "two"}, "t", {"six": 1})))
    for changed in ({"sample": True}, {"beam_size": 2, "beam_groups": 2}):
        options = Options(SearchSettings.model_validate(changed), speller=speller)
        with pytest.raises(UsageError, match="has no constrained search"):
            list(translator.translate([Line("f", 1, "six")], options))
