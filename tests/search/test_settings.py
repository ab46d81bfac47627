"""Which settings the search reads, and which values make no sense."""

import pytest
import torch

from s2scli.data.batch import make_source
from s2scli.errors import ConfigError, UsageError
from s2scli.search.hypothesis import Hypothesis
from s2scli.search.loop import search
from s2scli.search.settings import GenerateSettings, RerankSettings, ScoreSettings, SearchSettings
from s2scli.settings import Settings, Tree, load_settings
from tests.models import MODELS, ids, make_model

BIG = 10**9
OTHER = {
    **{"beam_size": 3, "beam_groups": 5, "diversity_penalty": 9.0},
    **{"temperature": 3.0, "top_k": 2, "top_p": 0.5, "min_p": 0.3, "seed": 9},
}


def outputs(settings: SearchSettings) -> list[tuple[Hypothesis, ...]]:
    model = make_model(MODELS["gru-additive-after"])
    source, lengths = make_source([ids(4, 5, 6), ids(7, 8)])
    with torch.inference_mode():
        return search(model, source, lengths, settings, attention=False)


@pytest.mark.parametrize("sample", [False, True])
def test_a_setting_that_is_not_read_changes_no_output_and_the_others_do(sample: bool) -> None:
    settings = SearchSettings(sample=sample, n_best=3, max_length=6)
    assert settings.unread.keys() <= OTHER.keys()
    expected = outputs(settings)
    for name, value in OTHER.items():
        found = outputs(settings.model_copy(update={name: value}))
        assert (found == expected) == (name in settings.unread), name


@pytest.mark.parametrize(("sample", "width"), [(True, 3), (False, 4)])
def test_the_outputs_that_are_drawn_fill_the_batch(sample: bool, width: int) -> None:
    assert SearchSettings(sample=sample, n_best=3, beam_size=4).width == width


def test_a_beam_holds_the_best_and_samples_need_no_beam() -> None:
    assert load_settings(SearchSettings, {"n_best": 5, "beam_size": 5}, "here").n_best == 5
    assert load_settings(SearchSettings, {"n_best": 6, "sample": True}, "here").width == 6
    message = "here: n_best 6 must not be more than beam_size 5"
    with pytest.raises(ConfigError, match=message):
        load_settings(SearchSettings, {"n_best": 6}, "here")


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({"mbr": 6}, "mbr 6 must not be more than beam_size 5"),
        ({"mbr": 2, "n_best": 3}, "n_best 3 must not be more than mbr 2"),
        ({"beam_groups": 2}, "beam_groups 2 must divide beam_size 5"),
    ],
)
def test_the_beam_holds_candidates_and_groups(tree: Tree, fault: str) -> None:
    with pytest.raises(ConfigError, match=f"here: .*{fault}"):
        load_settings(SearchSettings, tree, "here")
    assert load_settings(SearchSettings, {"mbr": 9, "sample": True}, "here").candidates == 9


def test_the_shortest_output_is_no_longer_than_the_longest() -> None:
    assert load_settings(SearchSettings, {"min_length": 9, "max_length": 9}, "here").max_length == 9
    assert load_settings(SearchSettings, {"min_length": BIG // 1000}, "here").max_length is None
    with pytest.raises(ConfigError, match="here: min_length 9 is more than max_length 8"):
        load_settings(SearchSettings, {"min_length": 9, "max_length": 8}, "here")


@pytest.mark.parametrize(
    ("kind", "name", "allowed", "refused"),
    [
        (SearchSettings, "beam_size", (5, 1000), (0, 1001)),
        (SearchSettings, "n_best", (1,), (0, 1001)),
        (SearchSettings, "length_penalty", (0.0, 10.0), (-0.1, 10.1, float("nan"))),
        (SearchSettings, "length_offset", (0.0, 1000.0), (-0.1, 1000.1)),
        (SearchSettings, "max_length_ratio", (1e-9, 1000.0), (0.0, 1000.1, float("nan"))),
        (SearchSettings, "max_length", (1, 1_000_000), (0, 1_000_001)),
        (SearchSettings, "min_length", (1, 1_000_000), (0, 1_000_001)),
        (SearchSettings, "no_repeat_ngram", (0, 1000), (-1, 1001)),
        (SearchSettings, "repetition_penalty", (1.0, 100.0), (0.9, 100.1)),
        (SearchSettings, "word_reward", (-100.0, 100.0), (-100.1, 100.1)),
        (SearchSettings, "coverage_penalty", (0.0, 100.0), (-0.1, 100.1)),
        (SearchSettings, "beam_groups", (1, 5), (0, 1001)),
        (SearchSettings, "diversity_penalty", (0.0, 100.0), (-0.1, 100.1)),
        (SearchSettings, "mbr", (0, 5), (-1, 1001)),
        (RerankSettings, "length_penalty", (0.0, 10.0), (-0.1, 10.1)),
        (RerankSettings, "n_best", (1, 1000), (0, 1001)),
        (SearchSettings, "temperature", (1e-6, 100.0), (0.0, 100.1)),
        (SearchSettings, "top_k", (0, 1_000_000), (-1, 1_000_001)),
        (SearchSettings, "top_p", (1e-9, 1.0), (0.0, 1.1)),
        (SearchSettings, "min_p", (0.0, 1.0), (-0.1, 1.1)),
        (SearchSettings, "seed", (0, 2**63 - 1), (-1, 2**63)),
        (GenerateSettings, "count", (1, 1_000_000), (0, 1_000_001)),
        (GenerateSettings, "seed", (0, 2**63 - 1), (-1, 2**63)),
        (GenerateSettings, "temperature", (0.0, 100.0), (-0.1, 100.1)),
        (GenerateSettings, "steps", (2, 10_000), (1, 10_001)),
        (ScoreSettings, "length_penalty", (0.0, 10.0), (-0.1, 10.1)),
    ],
)
def test_limits(
    kind: type[Settings], name: str, allowed: tuple[float, ...], refused: tuple[float, ...]
) -> None:
    for value in allowed:
        assert getattr(load_settings(kind, {name: value}, "here"), name) == value
    for value in refused:
        with pytest.raises(ConfigError, match=f"here: {name}"):
            load_settings(kind, {name: value}, "here")


def test_settings_that_the_search_never_reads_are_refused() -> None:
    SearchSettings(beam_size=3).refuse_unread({"beam_size": 3})
    SearchSettings(top_k=3, sample=True).refuse_unread({"top_k": 3})
    with pytest.raises(UsageError, match="--top-k has no effect without --sample"):
        SearchSettings(top_k=3).refuse_unread({"top_k": 3})
    with pytest.raises(UsageError, match="--beam-size has no effect with --sample"):
        SearchSettings(beam_size=3, sample=True).refuse_unread({"beam_size": 3})
    with pytest.raises(UsageError, match="--heat has no effect without --sample"):
        SearchSettings(temperature=2.0).refuse_unread({"temperature": 2.0}, temperature="--heat")
