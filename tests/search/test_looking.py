"""How often the host looks at a search, and that it finds the same however often it does."""

from collections.abc import Sequence

import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.model.seq2seq import Seq2Seq
from s2scli.search import filters, looking
from s2scli.search.endings import Endings, Seen
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.live import makes_host_wait
from s2scli.search.looking import EVERY, EachStep, EveryFewSteps, make_looking
from s2scli.search.loop import search, search_from
from s2scli.search.settings import SearchSettings
from s2scli.settings import Tree
from tests.fake_device import FakeDevice
from tests.models import MODELS, each_model, ids, make_model

SOURCES = [ids(4, 5, 6, 7), ids(8, 9), ids(10, 4, 4, 9, 9, 5), ids(5)]
SETTINGS = {
    "greedy": SearchSettings(),
    "beam": SearchSettings(beam_size=3, n_best=3),
    "by the sum": SearchSettings(beam_size=3, length_penalty=0.0),
    "no repeats": SearchSettings(beam_size=2, no_repeat_ngram=2, min_length=5),
    "one token": SearchSettings(beam_size=2, max_length=1),
    "rewarded": SearchSettings(beam_size=3, word_reward=0.5, repetition_penalty=1.2),
    "diverse": SearchSettings(beam_size=4, n_best=4, beam_groups=2, diversity_penalty=0.5),
    "sampled": SearchSettings(sample=True, n_best=3, seed=7),
}
COVERED = SearchSettings(beam_size=3, coverage_penalty=0.4)
each_settings = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
Found = Sequence[Sequence[Hypothesis]]


def look_every_few_steps(monkeypatch: pytest.MonkeyPatch, every: int = EVERY) -> None:
    """Let the host look as it does at a GPU."""
    for module in (filters, looking):
        monkeypatch.setattr(module, "makes_host_wait", lambda device: True)
    monkeypatch.setattr(looking, "EVERY", every)


def assert_same(found: Found, expected: Found) -> None:
    for mine, theirs in zip(found, expected, strict=True):
        assert [one.token_ids for one in mine] == [one.token_ids for one in theirs]
        for one, other in zip(mine, theirs, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-5)
            assert one.token_scores == pytest.approx(other.token_scores, abs=1e-5)
            assert (one.attention_weights is None) == (other.attention_weights is None)
            if one.attention_weights is not None and other.attention_weights is not None:
                assert one.attention_weights == pytest.approx(other.attention_weights, abs=1e-5)


@each_settings
@pytest.mark.parametrize("every", [1, 2, 8, 100])
def test_how_often_it_looks_changes_nothing(
    settings: SearchSettings, every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, source = make_model(MODELS["transformer-multi_head"]), make_source(SOURCES)
    expected = search(model, *source, settings)
    look_every_few_steps(monkeypatch, every)
    assert_same(search(model, *source, settings), expected)


@each_model
def test_every_model_is_searched_alike(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    model, source = make_model(tree), make_source(SOURCES)
    expected = search(model, *source, SETTINGS["beam"])
    look_every_few_steps(monkeypatch)
    assert_same(search(model, *source, SETTINGS["beam"]), expected)


def test_coverage_is_that_of_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the model has seen later steps when the host looks."""
    model, source = make_model(MODELS["gru-additive-after"]), make_source(SOURCES)
    expected = search(model, *source, COVERED)
    assert_same(expected, search(model, *source, COVERED))
    look_every_few_steps(monkeypatch)
    assert_same(search(model, *source, COVERED), expected)


def waits_of(model: Seq2Seq, settings: SearchSettings) -> tuple[int, list[str]]:
    """Return the steps of a search, and the waits in all but its beginning and its end."""
    source, lengths = make_source(SOURCES)
    longest = torch.full((len(SOURCES),), 24)
    keys = [tuple(each.tolist()) for each in SOURCES]
    before: list[int] = []
    with torch.inference_mode():
        state = model.start(model.encode(source, lengths))
    given = [*model.parameters(), *model.buffers(), longest]
    with FakeDevice(given) as device:
        notice = lambda: before.append(len(device.waits))  # noqa: E731
        search_from(model, state, longest, settings, keys, attention=False, before_step=notice)
    return len(before), device.waits[before[0] : before[-1]]


@each_model
def test_the_host_waits_twice_in_eight_steps(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for what is a fraction, once for what is whole."""
    look_every_few_steps(monkeypatch)
    settings = SearchSettings(beam_size=3, min_length=20)
    steps, waits = waits_of(make_model(tree), settings)
    assert steps >= 20
    assert waits == ["cpu", "cpu"] * ((steps - 1) // EVERY)


@each_settings
def test_the_host_does_not_wait_for_any_settings(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_every_few_steps(monkeypatch)
    long = settings.model_copy(update={"min_length": 20, "max_length": None})
    steps, waits = waits_of(make_model(MODELS["transformer-multi_head"]), long)
    assert waits == ["cpu", "cpu"] * ((steps - 1) // EVERY)


def test_a_look_at_each_step_is_seen() -> None:
    """On a processor, where it costs nothing; the fake device would notice it elsewhere."""
    steps, waits = waits_of(make_model(MODELS["transformer-multi_head"]), SearchSettings())
    assert len(waits) >= steps - 1


@pytest.mark.parametrize(("device", "waits"), [("cpu", False), ("cuda", True), ("cuda:1", True)])
def test_who_makes_the_host_wait(device: str, waits: bool) -> None:
    assert makes_host_wait(torch.device(device)) is waits


def test_what_the_host_reads_anyway_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    endings, longest, settings = [Endings(1)], torch.tensor([9]), SearchSettings()

    def made(*, each_step: bool) -> looking.Looking:
        return make_looking(endings, longest, Seen(), settings, each_step=each_step)

    assert isinstance(made(each_step=False), EachStep)
    look_every_few_steps(monkeypatch)
    assert isinstance(made(each_step=False), EveryFewSteps)
    assert isinstance(made(each_step=True), EachStep)
